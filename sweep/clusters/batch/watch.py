"""The thread that looks after a run's jobs, and how they all end with the run."""

from __future__ import annotations

import threading
import time

from sweep.clusters.batch.queue import Job, Phase, Queue, QueueError
from sweep.clusters.batch.supply import Supply

# Between looks, s; sooner when a worker came or went. Sites ask users not to call squeue more often.
LOOK_S, LEAST_S = 10.0, 1.0
# How long the queue may take to end jobs that were cancelled (its KillWait is 30 s by default), s.
END_S = 60.0


class JobWatch:
    """Calls `Supply.step` now and then, in a thread: the queue's commands may take seconds.

    Parameters
    ----------
    supply
        What looks.
    """

    def __init__(self, supply: Supply) -> None:
        self.supply = supply
        self.error: Exception | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="job watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more: nothing is submitted once this has returned."""
        self._over.set()
        self._thread.join()

    def count(self) -> int:
        """Return how many workers take work.

        Raises
        ------
        WorkersLostError
            If the last look found that none can be had.
        """
        if self.error is not None:
            raise self.error
        return len(self.supply.view.staying())

    def _look(self) -> None:
        looked, seen = -LOOK_S, self.supply.view.present()
        while not self._over.wait(LEAST_S):
            present = self.supply.view.present()
            if present == seen and time.monotonic() - looked < LOOK_S:
                continue
            looked, seen = time.monotonic(), present
            try:
                self.supply.step()
            except Exception as error:  # noqa: BLE001 - raised again where the driver asks
                self.error = error
                return


def unended(queue: Queue, name: str) -> list[Job]:
    """List the jobs of a name that wait or run."""
    return [job for job in queue.jobs(name) if job.phase is not Phase.ENDED]


def end_jobs(queue: Queue, name: str, grace_s: float = 0.0) -> list[Job]:
    """Cancel the jobs of a name and wait until the queue has ended them.

    Parameters
    ----------
    queue, name
        Which jobs.
    grace_s
        How long those that run may take to end by themselves, s.

    Returns
    -------
    list of Job
        Those that have not ended in `END_S`.

    Raises
    ------
    QueueError
        If the queue does not answer.
    """
    start, cancelled = time.monotonic(), False
    while jobs := unended(queue, name):
        passed = time.monotonic() - start
        if passed > grace_s and not cancelled:
            queue.cancel(job.number for job in jobs)
            cancelled = True
        elif waiting := [job.number for job in jobs if job.phase is Phase.WAITING]:
            queue.cancel(waiting)
        if passed > END_S:
            return jobs
        time.sleep(0.2 if passed < 2 else 1.0)
    return []


def remove_left_over(queue: Queue, name: str) -> int:
    """End what an earlier driver of the same run left; how many jobs those were.

    Raises
    ------
    QueueError
        If the queue does not answer, or some do not end.
    """
    found = len(unended(queue, name))
    if found and (left := end_jobs(queue, name)):
        numbers = ", ".join(job.number for job in left)
        raise QueueError(f"jobs of an earlier run do not end: {numbers}; cancel them (scancel {numbers})")
    return found
