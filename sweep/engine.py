"""Drives Dask: tasks as soon as what they need exists, a bounded number at a time, each failure tried once more."""

from __future__ import annotations

import queue
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from distributed import Client, Future

from sweep.grid import Block
from sweep.plan import STAGES, Plan
from sweep.schedule import Event, Failure, Schedule, Task

# Tasks a worker has at hand: one to work on and one to go on with at once.
WINDOW_PER_WORKER = 2
# A task that failed is tried once more, on a fresh gang where the failure ended it.
ATTEMPTS = 2
# How long the driver waits for news before it looks at the clock, s.
LOOK_S = 0.25
# Without any worker for this long, none is coming back: a nanny restarts one within seconds, s.
WITHOUT_WORKERS_S = 60.0


class WorkersLostError(RuntimeError):
    """No worker is left, and none has come back; what is journaled is safe."""


class Engine:
    """Runs a plan on Dask workers.

    Parameters
    ----------
    client
        Connected to workers that have `sweep.worker.GangPlugin`.
    workers
        How many there are.
    plan
        What is to be done.
    record_failure
        Called with each failure, which must be on the disk when it returns.
    left_of
        Of a task's points, those that are not recorded yet.
    watch
        Called with an `Event` for each task that ends.
    idle
        Called now and then, between tasks: the driver's own work.
    """

    def __init__(
        self,
        client: Client,
        workers: int,
        plan: Plan,
        *,
        record_failure: Callable[[Failure], None],
        left_of: Callable[[Block, tuple[int, ...]], tuple[int, ...]],
        watch: Callable[[Event], None],
        idle: Callable[[], None],
    ) -> None:
        self.client = client
        self.window = WINDOW_PER_WORKER * workers
        self.schedule = Schedule(plan)
        self.record_failure = record_failure
        self.left_of = left_of
        self.watch = watch
        self.idle = idle
        self._running: dict[str, tuple[Future, Task, float]] = {}
        self._attempts: Counter[str] = Counter()
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._last_worker = time.monotonic()

    def run(self, stopping: Callable[[], bool]) -> bool:
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
        self._last_worker = time.monotonic()
        while True:
            if not stopping():
                self._fill()
            if not self._running:
                return self.schedule.finished
            with suppress(queue.Empty):
                self._end(self._ended.get(timeout=LOOK_S))
            self._check_workers()
            self.idle()

    def _check_workers(self) -> None:
        now = time.monotonic()
        if self.client.scheduler_info(n_workers=1)["workers"]:
            self._last_worker = now
        elif now - self._last_worker > WITHOUT_WORKERS_S:
            raise WorkersLostError(
                f"every worker is gone, and none has come back within {WITHOUT_WORKERS_S:.0f} s; look at the logs "
                "in the run folder, then run the same command again to go on"
            )

    def _fill(self) -> None:
        while len(self._running) < self.window and (task := self.schedule.next()) is not None:
            self._submit(task)

    def _submit(self, task: Task) -> None:
        self._attempts[task.name] += 1
        # A number of its own: Dask would otherwise answer with the failure it remembers of the first attempt.
        key = f"{task.stage}-{task.number}"
        future = self.client.submit(task.function, *task.arguments, key=key, pure=False, retries=0)
        self._running[key] = (future, task, time.monotonic())
        future.add_done_callback(lambda ended: self._ended.put(ended.key))

    def _end(self, key: str) -> None:
        future, task, submitted = self._running.pop(key)
        error = (
            future.exception() if future.status != "cancelled" else RuntimeError("cancelled by the scheduler")
        )
        if error is None:
            if task.stage == "relaxations":
                self._learn_pace(task, time.monotonic() - submitted)
            self.schedule.succeed(task)
        else:
            self._failed(task, error)
        future.release()
        # an artefact that cannot be made costs stages further down, too
        for stage in (task.stage,) if error is None else self.schedule.totals:
            self.watch(self.schedule.event(stage))

    def _learn_pace(self, task: Task, seconds: float) -> None:
        # a task waits for its turn in the window, so its own share of the time is at most this
        measured = seconds / max(1, len(task.weightings)) / WINDOW_PER_WORKER
        self.schedule.point_s = 0.8 * self.schedule.point_s + 0.2 * max(measured, 1e-3)

    def _failed(self, task: Task, error: BaseException) -> None:
        left = self.left_of(task.block, task.weightings) if task.block and task.weightings else ()
        if task.weightings and not left:
            self.schedule.succeed(task)
            return
        if self._attempts[task.name] < ATTEMPTS:
            self._submit(self.schedule.retry(task, left))
            return
        for failure in self._given_up(task, left, str(error) or type(error).__name__):
            self.record_failure(failure)

    def _given_up(self, task: Task, left: tuple[int, ...], message: str) -> list[Failure]:
        """Give up the first of the points left, which failed twice; those behind it have not had their turn."""
        if len(left) <= 1:
            return self.schedule.fail(self.schedule.retry(task, left) if left else task, message)
        failed, rest = left[:1], left[1:]
        again = self.schedule.retry(task, rest)
        self._attempts[task.name] = 0
        self._submit(again)
        self.schedule.failed[task.stage] += 1
        assert task.block is not None
        return [Failure(task.block, failed, message)]


def stages_with_work(plan: Plan) -> list[str]:
    """Give the stages in which a plan has tasks, in the order of the data's flow."""
    return [stage for stage in STAGES if plan.tasks[stage]]
