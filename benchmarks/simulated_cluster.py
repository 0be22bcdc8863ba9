"""A discrete-event simulation of a run: one driver, one shared file system, and workers that take batches of tasks.

The driver and the file system serve one request after another, in the order in which they come. The driver hands each
new batch to the worker with the fewest at hand, keeps as many batches under way as the engine does, and takes each
answer before it hands out the next. What is done in which order, and how much of it travels together, is not modelled
here: it is asked of `Work`, which may be the engine's own schedule.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Costs:
    """What a run costs beside its tasks, in seconds.

    Parameters
    ----------
    join
        Of the driver, for each worker that joins.
    submit, answer
        Of the driver, for each batch.
    record
        Of the driver, for each task: taking its outcome, merging its record.
    journal
        Of the shared file system, for each task's record.
    travel
        Of a batch on its way to a worker or back, during which nobody is busy.
    """

    join: float = 0.0
    submit: float = 0.0
    answer: float = 0.0
    record: float = 0.0
    journal: float = 0.0
    travel: float = 0.0


class Work(Protocol):
    """What there is to do, and what becomes ready when something of it is done."""

    def next(self, window: int) -> Sequence[Any]:
        """Take a batch; empty where nothing is ready."""

    def run(self, worker: int, batch: Sequence[Any]) -> tuple[float, int]:
        """Give how long a worker is busy with a batch, and how many records it writes."""

    def end(self, batch: Sequence[Any]) -> None:
        """Take note that the driver has a batch's answer."""


class Server:
    """Serves one request after another; requests must be made in the order of their arrival.

    Examples
    --------
    >>> server = Server()
    >>> server.serve(0.0, 2.0), server.serve(1.0, 2.0), server.serve(9.0, 2.0), server.busy
    (2.0, 4.0, 11.0, 6.0)
    """

    def __init__(self) -> None:
        self.free_at = 0.0
        self.busy = 0.0

    def serve(self, arrival: float, service: float) -> float:
        """Return when a request that arrives then, and takes so long, has been served."""
        self.free_at = max(self.free_at, arrival) + service
        self.busy += service
        return self.free_at


@dataclass(frozen=True)
class Simulated:
    """How a simulated run went.

    Parameters
    ----------
    seconds
        From the start to the last answer.
    driver_busy, file_system_busy, workers_busy
        Seconds in which each was at work; of the workers the sum.
    """

    seconds: float
    driver_busy: float
    file_system_busy: float
    workers_busy: float


class _Worker:
    def __init__(self) -> None:
        self.at_hand = 0
        self.queue: deque[Sequence[Any]] = deque()
        self.running = False


class Cluster:
    """A driver, a file system and workers.

    Parameters
    ----------
    work
        What there is to do.
    starts
        When each worker could take its first batch, were the driver free.
    costs
        What a run costs beside its tasks.
    window_per_worker
        Batches under way for each worker that is there.
    """

    def __init__(
        self, work: Work, starts: Sequence[float], costs: Costs, *, window_per_worker: int = 2
    ) -> None:
        self.work = work
        self.costs = costs
        self.window_per_worker = window_per_worker
        self.driver, self.file_system = Server(), Server()
        self.busy = 0.0
        self._workers = [_Worker() for _ in starts]
        self._fewest: list[tuple[int, int]] = []
        self._there = self._under_way = 0
        self._numbers = itertools.count()
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._now = self._last = 0.0
        for number, start in enumerate(starts):
            self._at(start, self._join, number)

    def run(self) -> Simulated:
        """Run until nothing is left.

        Examples
        --------
        >>> class Two:
        ...     left = [5.0, 5.0]
        ...
        ...     def next(self, window):
        ...         return [self.left.pop()] if self.left else []
        ...
        ...     def run(self, worker, batch):
        ...         return batch[0], 1
        ...
        ...     def end(self, batch):
        ...         pass
        >>> Cluster(Two(), starts=[1.0], costs=Costs()).run().seconds
        11.0
        """
        while self._events:
            self._now, _, what, arguments = heapq.heappop(self._events)
            what(*arguments)
        return Simulated(self._last, self.driver.busy, self.file_system.busy, self.busy)

    def _at(self, time: float, what: Callable[..., None], *arguments: Any) -> None:
        heapq.heappush(self._events, (time, next(self._numbers), what, arguments))

    def _join(self, number: int) -> None:
        self._at(self.driver.serve(self._now, self.costs.join), self._joined, number)

    def _joined(self, number: int) -> None:
        self._there += 1
        heapq.heappush(self._fewest, (0, number))
        # after those that join at the same moment: the first is not dealt all that there is
        self._at(self._now, self._fill)

    def _fill(self) -> None:
        window = self.window_per_worker * self._there
        while self._under_way < window and (batch := self.work.next(window)):
            self._under_way += 1
            number = self._take_fewest()
            ready = self.driver.serve(self._now, self.costs.submit)
            self._at(ready + self.costs.travel, self._arrive, number, batch)

    def _take_fewest(self) -> int:
        while True:
            count, number = heapq.heappop(self._fewest)
            worker = self._workers[number]
            if count == worker.at_hand:
                worker.at_hand += 1
                heapq.heappush(self._fewest, (worker.at_hand, number))
                return number

    def _arrive(self, number: int, batch: Sequence[Any]) -> None:
        self._workers[number].queue.append(batch)
        if not self._workers[number].running:
            self._begin(number)

    def _begin(self, number: int) -> None:
        worker = self._workers[number]
        worker.running = bool(worker.queue)
        if worker.running:
            batch = worker.queue.popleft()
            seconds, records = self.work.run(number, batch)
            self.busy += seconds
            self._at(self._now + seconds, self._journal, number, batch, records)

    def _journal(self, number: int, batch: Sequence[Any], records: int) -> None:
        written = self.file_system.serve(self._now, records * self.costs.journal)
        self._at(written, self._done, number, batch, records)

    def _done(self, number: int, batch: Sequence[Any], records: int) -> None:
        self._at(self._now + self.costs.travel, self._answer, number, batch, records)
        self._begin(number)

    def _answer(self, number: int, batch: Sequence[Any], records: int) -> None:
        taken = self.driver.serve(self._now, self.costs.answer + records * self.costs.record)
        self._at(taken, self._take, number, batch)

    def _take(self, number: int, batch: Sequence[Any]) -> None:
        self._last = max(self._last, self._now)
        self._under_way -= 1
        worker = self._workers[number]
        worker.at_hand -= 1
        heapq.heappush(self._fewest, (worker.at_hand, number))
        self.work.end(batch)
        self._fill()
