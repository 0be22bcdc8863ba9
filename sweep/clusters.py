"""Where the workers are: on this machine, for now."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dask
from distributed import Client, LocalCluster
from distributed.security import Security

# Dask would rerun a lost worker's task by itself up to three times; the driver counts its own retries instead.
CONFIGURATION = {
    "distributed.scheduler.allowed-failures": 0,
    # results are a few numbers: what fills a worker's memory is its gang, which Dask does not see
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    # the dashboard and its numbers would be plain HTTP, open to every user of the host
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.admin.large-graph-warning-threshold": "100 MB",
}


class ResourcesError(ValueError):
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


@contextmanager
def local_workers(resources: Resources, scratch: Path) -> Iterator[Client]:
    """Run Dask workers on this machine, over TLS: a plain scheduler would let any local user run code as this one.

    Parameters
    ----------
    resources
        How many workers.
    scratch
        Folder for what Dask writes.

    Yields
    ------
    distributed.Client
        Connected to as many workers as were asked for.
    """
    with (
        dask.config.set({**CONFIGURATION, "temporary-directory": str(scratch)}),
        LocalCluster(
            n_workers=resources.workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            protocol="tls://",
            security=Security.temporary(),
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.wait_for_workers(resources.workers, timeout=60)
        yield client
