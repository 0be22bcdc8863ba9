"""Workers and ranks of a run on this machine, and the CPUs of each."""

from __future__ import annotations

import os
from dataclasses import dataclass

from sweep.clusters.errors import ClusterError


class ResourcesError(ClusterError):
    """More workers and ranks than there are cores."""


@dataclass(frozen=True)
class Resources:
    """Workers and ranks of a run on this machine.

    Parameters
    ----------
    workers
        Dask workers, each with a gang of its own.
    ranks
        MPI ranks of each gang.
    cpus
        Each worker's CPUs, one a rank, by the worker's name; none shared.

    Examples
    --------
    >>> Resources.of(None, 1, available=(0, 1)).cpus
    {'0': (0,), '1': (1,)}
    """

    workers: int
    ranks: int
    cpus: dict[str, tuple[int, ...]]

    @classmethod
    def of(cls, workers: int | None, ranks: int, available: tuple[int, ...] | None = None) -> Resources:
        """Deal the machine's CPUs to workers.

        Parameters
        ----------
        workers
            Number of workers; None for as many as have CPUs for their ranks. A relaxation on one rank wastes
            nothing on communication, so many workers of one rank are the default.
        ranks
            Ranks of each worker's gang.
        available
            CPUs to deal; by default those this process may use.

        Raises
        ------
        ResourcesError
            If there are fewer CPUs than workers × ranks: ranks that share a CPU spin against each other.
        """
        cpus = tuple(sorted(os.sched_getaffinity(0))) if available is None else available
        if ranks < 1 or (workers is not None and workers < 1):
            asked = f"--ranks {ranks}" if ranks < 1 else f"--workers {workers}"
            raise ResourcesError(f"{asked}: give at least one")
        if workers is None:
            workers = max(1, len(cpus) // ranks)
        if workers * ranks > len(cpus):
            raise ResourcesError(
                f"--workers {workers} × --ranks {ranks} = {workers * ranks} ranks, but {len(cpus)} CPUs are "
                "available: ask for fewer workers or ranks"
            )
        dealt = {str(worker): cpus[worker * ranks : (worker + 1) * ranks] for worker in range(workers)}
        return cls(workers, ranks, dealt)
