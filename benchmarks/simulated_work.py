"""What a simulated cluster works on: a plan in the engine's own order and batches, or many tasks that are alike."""

from __future__ import annotations

import itertools
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sweep.batches import BATCH_S, Batches
from sweep.plan import Plan
from sweep.schedule import Schedule, Task
from sweep.variables import Status
from sweep.working import LONGEST_BATCH_S


@dataclass(frozen=True)
class Times:
    """How long a kernel takes: the first time on a worker, where it may compile, and then.

    Parameters
    ----------
    first
        Seconds of the first call on a worker.
    later
        Seconds of the calls after it, taken in turn.
    """

    first: float
    later: tuple[float, ...]

    @classmethod
    def by_kernel(cls, calls: Iterable[tuple[str, int, float]], slower: float = 1.0) -> dict[str, Times]:
        """Gather the calls of a run on one worker: kernel, points, seconds; each slower by a factor."""
        found: dict[str, list[float]] = defaultdict(list)
        for kernel, points, seconds in calls:
            found[kernel] += [slower * seconds / points] * points
        return {kernel: cls(times[0], tuple(times[1:]) or (times[0],)) for kernel, times in found.items()}

    @property
    def typical(self) -> float:
        """Median of the later times."""
        return statistics.median(self.later)


class PlannedWork:
    """A plan, in the order and the batches in which the engine does it.

    Parameters
    ----------
    plan
        Everything that a run would do. Every fit can be relaxed, and none fails.
    times
        By kernel; one that was not measured was the trial's, before there were workers, and takes none.
    gang_start
        Seconds a worker takes to start its gang, once. The times are without it.
    """

    def __init__(self, plan: Plan, times: Mapping[str, Times], gang_start: float = 0.0) -> None:
        self._schedule = Schedule(plan)
        self._batches = Batches(self._schedule)
        self._weightings = len(plan.recipes.grid.weightings())
        self._times = times
        self._gang_start = gang_start
        self._turns: dict[str, Iterator[float]] = {}
        self._known: set[tuple[int, str]] = set()
        self._started: set[int] = set()
        self._done: dict[int, list[tuple[Task, int, float]]] = {}

    def next(self, window: int) -> Sequence[Task]:
        """Take a batch of the engine's."""
        return self._batches.next(window)

    def run(self, worker: int, batch: Sequence[Task]) -> tuple[float, int]:
        """Work through a batch as a worker does: nothing is begun after `LONGEST_BATCH_S`."""
        total = 0.0 if worker in self._started else self._gang_start
        self._started.add(worker)
        done: list[tuple[Task, int, float]] = []
        spent, records = 0.0, 0
        for task in batch:
            points, before = 0, spent
            while points < task.size and (spent <= LONGEST_BATCH_S or not (records or points)):
                spent += self._seconds(worker, task.kernel)
                points += 1
            done.append((task, points, spent - before))
            records += points
        self._done[id(batch)] = done
        return total + spent, records

    def end(self, batch: Sequence[Task]) -> None:
        """Take a batch's outcomes as the engine does."""
        for task, points, seconds in self._done.pop(id(batch)):
            if not points:
                self._schedule.put_back(task, task.weightings)
                continue
            self._batches.learn(task, points, seconds)
            if points < task.size:
                self._schedule.put_back(task, task.weightings[points:])
            elif task.stage == "estimates":
                self._schedule.succeed(task, (Status.estimated.name,) * self._weightings, None)
            else:
                self._schedule.succeed(task)

    def _seconds(self, worker: int, kernel: str) -> float:
        if kernel not in self._times:
            return 0.0
        if (worker, kernel) not in self._known:
            self._known.add((worker, kernel))
            return self._times[kernel].first
        return next(self._turns.setdefault(kernel, itertools.cycle(self._times[kernel].later)))


class AlikeWork:
    """Relaxations that are all ready and take the same time, in the engine's batches.

    Parameters
    ----------
    count
        How many.
    seconds
        Of each.
    """

    def __init__(self, count: int, seconds: float) -> None:
        self._left = count
        self._seconds = seconds
        self._per_batch = max(1, int(BATCH_S / seconds))

    def next(self, window: int) -> Sequence[int]:  # noqa: ARG002 - as the simulated cluster asks
        """Take a batch: how many relaxations it has."""
        size = min(self._per_batch, self._left)
        self._left -= size
        return (size,) if size else ()

    def run(self, worker: int, batch: Sequence[int]) -> tuple[float, int]:  # noqa: ARG002 - all workers are alike
        """Relax a batch."""
        return batch[0] * self._seconds, batch[0]

    def end(self, batch: Sequence[int]) -> None:
        """Nothing waits for it."""
