"""Which ready tasks travel to a worker together: as many as take about a second."""

from __future__ import annotations

from sweep.schedule import Schedule, Task

# Tasks travel together until they take about this long, so that Dask's ~10 ms a round trip do not count, s ...
BATCH_S = 1.0
# ... but where few are ready they are dealt out evenly, in batches of at least this much, s.
LEAST_BATCH_S = 0.1
# Batches that each place in the window should still get of what is ready: the last ones end close together.
SHARES = 2
# Weight of the newest measurement in a pace: it follows a change of radius or degree within a few batches.
NEWEST = 0.3


class Batches:
    """Deals the ready tasks of a schedule out in batches, sized by how long such tasks took.

    Parameters
    ----------
    schedule
        Where tasks come from.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._paces: dict[str, float] = {}

    def next(self, window: int) -> tuple[Task, ...]:
        """Take the most urgent tasks, all of one kernel; none where none is ready.

        A kernel that was never measured travels alone, with one point.

        Parameters
        ----------
        window
            How many batches are under way at once.
        """
        batch: list[Task] = []
        budget = 0.0
        while (kernel := self._schedule.next_kernel()) is not None:
            pace = self._paces.get(kernel)
            if not batch:
                budget = self._budget(kernel, pace, window)
            elif kernel != batch[0].kernel or pace is None or budget < pace:
                break
            task = self._schedule.next(1 if pace is None else max(1, int(budget / pace)))
            assert task is not None
            batch.append(task)
            budget -= (pace or budget) * task.size
        return tuple(batch)

    def _budget(self, kernel: str, pace: float | None, window: int) -> float:
        """Give how much time a batch should take, s."""
        share = (pace or 0.0) * self._schedule.ready(kernel) / (SHARES * window)
        return max(LEAST_BATCH_S, min(BATCH_S, share))

    def learn(self, task: Task, done: int, seconds: float) -> None:
        """Take note how long a part of a task took: so many points of it, or all of it."""
        if done < 1:
            return
        kernel, measured = task.kernel, seconds / done
        known = self._paces.get(kernel, measured)
        self._paces[kernel] = (1 - NEWEST) * known + NEWEST * measured
