"""Drives Dask: tasks as soon as what they need exists, a bounded number at a time, each failure tried once more."""

from __future__ import annotations

import itertools
import queue
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress

from distributed import Client, Future
from distributed.scheduler import KilledWorker

from sweep.assignments import Assignment, Outcome
from sweep.batches import Batches
from sweep.causes import Cause
from sweep.gang import GangError
from sweep.grid import Block
from sweep.plan import Plan
from sweep.schedule import Event, Failure, Schedule, Task
from sweep.working import work_through

# Batches a worker has at hand: one to work on and one to go on with at once.
WINDOW_PER_WORKER = 2
# A task that failed is tried once more, on a gang that has served nothing else.
ATTEMPTS = 2
# How long the driver waits for news before it looks at the clock, s.
LOOK_S = 0.25
# How often it asks the scheduler how many workers there are: a round trip, s.
ASK_WORKERS_S = 1.0
# Longest wait for what a task that has ended says, s: its worker may have died in between.
ANSWER_S = 30.0


class Engine:
    """Runs a plan on Dask workers.

    Parameters
    ----------
    client
        Connected to workers that have `sweep.worker.GangPlugin`.
    workers
        Says how many there are now; raises once none is coming back.
    plan
        What is to be done.
    record_failure
        Called with each failure, which must be on the disk when it returns.
    left_of
        Of a task's points, those that are not recorded yet.
    watch
        Called with an `Event` for each stage that got further.
    idle
        Called now and then, between tasks: the driver's own work.
    stopping
        Says whether to let what runs end, and begin nothing more.

    Attributes
    ----------
    journaled
        The workers' journals by name, and how much they have said to be on the disk (bytes).
    """

    def __init__(
        self,
        client: Client,
        workers: Callable[[], int],
        plan: Plan,
        *,
        record_failure: Callable[[Failure], None],
        left_of: Callable[[Block, tuple[int, ...]], tuple[int, ...]],
        watch: Callable[[Event], None],
        idle: Callable[[], None],
        stopping: Callable[[], bool],
    ) -> None:
        self.client = client
        self.workers = workers
        self.window = WINDOW_PER_WORKER
        self._present = 0
        self.schedule = Schedule(plan)
        self.batches = Batches(self.schedule)
        self.record_failure = record_failure
        self.left_of = left_of
        self.watch = watch
        self.idle = idle
        self.stopping = stopping
        self.journaled: dict[str, int] = {}
        self._running: dict[str, tuple[Future, tuple[Task, ...]]] = {}
        self._submissions = itertools.count()
        self._attempts: Counter[tuple[str, tuple[int, ...]]] = Counter()
        self._suspects: deque[Task] = deque()
        self._alone = False
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._told: dict[str, Event] = {}
        self._ask_again = 0.0

    def run(self) -> bool:
        """Run until everything is done or given up, or until `stopping` says so and what runs has ended.

        Returns
        -------
        bool
            Whether everything was done or given up.

        Raises
        ------
        WorkersLostError
            If no worker is left and none comes back.
        """
        while True:
            self._look_at_workers()
            stopping = self.stopping()
            if not stopping:
                self._fill()
            if not self._running:
                return self.schedule.finished and not self._suspects
            if stopping and not self._present:
                # what waits for a worker that may never come does not run
                return False
            with suppress(queue.Empty):
                self._end(self._ended.get(timeout=LOOK_S))
            self.idle()

    def _look_at_workers(self) -> None:
        """Follow workers that come and go: before the first, its tasks wait for it at the scheduler."""
        now = time.monotonic()
        if now >= self._ask_again:
            self._ask_again = now + ASK_WORKERS_S
            self._present = self.workers()
            self.window = WINDOW_PER_WORKER * max(1, self._present)

    def _fill(self) -> None:
        """Keep the workers busy; a task under suspicion of killing them runs alone."""
        if (self._suspects or self._alone) and self._running:
            return
        # only now is nothing else running: what still ran beside a dead worker's tasks was not alone
        self._alone = bool(self._suspects)
        if self._suspects:
            self._submit(self._suspects.popleft())
            return
        while len(self._running) < self.window and (batch := self.batches.next(self.window)):
            self._submit(*batch)

    def _submit(self, *batch: Task) -> None:
        # A number of its own: Dask would otherwise answer with the failure it remembers of the first attempt.
        key = f"{batch[0].stage}-{next(self._submissions)}"
        assignments = [self._assignment(task) for task in batch]
        future = self.client.submit(work_through, assignments, key=key, pure=False, retries=0)
        self._running[key] = (future, batch)
        future.add_done_callback(lambda ended: self._ended.put(ended.key))

    def _assignment(self, task: Task) -> Assignment:
        """Say to a worker what a task is."""
        work = task.recipe if task.place is None else task.recipe.call
        return Assignment(task.stage, work, task.place, task.weightings, self._attempts[_blamed(task)] + 1)

    def _end(self, key: str) -> None:
        future, batch = self._running.pop(key)
        try:
            outcomes = future.result(timeout=ANSWER_S)
        except Exception as error:  # noqa: BLE001 - whatever a batch ended with is dealt with below
            outcomes = [Outcome(error=error)] * len(batch)
        future.release()
        for task, outcome in zip(batch, outcomes, strict=True):
            for name, size in outcome.journaled.items():
                self.journaled[name] = max(size, self.journaled.get(name, 0))
            self._take(task, outcome)
        for stage in self.schedule.totals:
            event = self.schedule.event(stage)
            if self._told.get(stage, Event(stage, 0, event.total, 0)) != event:
                self._told[stage] = event
                self.watch(event)

    def _take(self, task: Task, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._failed(task, outcome.error)
            return
        if not outcome.begun:
            self.schedule.put_back(task, task.weightings)
            return
        self.batches.learn(task, task.size - len(outcome.left), outcome.seconds)
        if outcome.left:
            self.schedule.put_back(task, outcome.left)
        elif outcome.answer is not None:
            self.schedule.succeed(task, *outcome.answer)
        else:
            self.schedule.succeed(task)

    def _failed(self, task: Task, error: BaseException) -> None:
        left: tuple[int, ...] = ()
        if isinstance(task.place, Block) and task.weightings:
            left = self.left_of(task.place, task.weightings)
        if task.weightings and not left:
            self.schedule.succeed(task)
            return
        if isinstance(error, CancelledError):
            # Dask forgets every task with its scheduler, which is none's failure; whether one is left is asked at once
            self.schedule.put_back(task, left)
            self._ask_again = 0.0
            return
        again = self.schedule.retry(task, left)
        worker_died = isinstance(error, (KilledWorker, TimeoutError)) and not isinstance(error, GangError)
        if worker_died and not self._alone:
            # Dask blames every task that a dead worker had at hand: alone, a task can only have itself to blame
            self._suspects.append(again)
            return
        self._attempts[_blamed(again)] += 1
        if self._attempts[_blamed(again)] < ATTEMPTS:
            self._suspects.append(again) if self._alone else self._submit_unless_stopping(again)
            return
        cause = Cause.of(error, task.stage, self._attempts.pop(_blamed(again)))
        if len(left) > 1:
            failure, rest = self.schedule.give_up_first(again, left, cause)
            self.record_failure(failure)
            self._submit_unless_stopping(rest)
            return
        for failure in self.schedule.fail(again, cause):
            self.record_failure(failure)

    def _submit_unless_stopping(self, task: Task) -> None:
        if self.stopping():
            self._suspects.append(task)
        else:
            self._submit(task)


def _blamed(task: Task) -> tuple[str, tuple[int, ...]]:
    """Name what a task's failure is counted against: of several points the first."""
    if task.place is None or not task.weightings:
        return task.name, ()
    return task.place.key, task.weightings[:1]
