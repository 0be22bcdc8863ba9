"""What a run asks of the place where its workers are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from distributed import Client

from sweep.gang import GangOptions


@dataclass(frozen=True)
class Workers:
    """Workers that a run is connected to.

    Parameters
    ----------
    client
        Connected to their scheduler.
    count
        Says how many workers there are, and raises `WorkersLostError` once none is coming back.
    cpus
        For each worker by its name, the CPUs of its ranks; a worker not named here has what `gang` says.
    gang
        How gangs are launched there, but for what each worker has of its own; by default by mpiexec, each
        rank on a processor that it claims.
    """

    client: Client
    count: Callable[[], int]
    cpus: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    gang: GangOptions = field(default_factory=lambda: GangOptions(cpus="claimed"))


@dataclass(frozen=True)
class Site:
    """What a cluster may use of a run.

    Parameters
    ----------
    run, logs
        The run folder and that of logs in it, which exist.
    scratch
        Folder for what Dask writes.
    tell
        Shows the user a line.
    """

    run: Path
    logs: Path
    scratch: Path
    tell: Callable[[str], None]


class Cluster(Protocol):
    """A place where workers are: this machine, a running scheduler, a queueing system."""

    @property
    def ranks(self) -> int:
        """MPI ranks of each worker's gang."""

    @property
    def described(self) -> str:
        """What the workers are, in a few words for the first line of a run."""

    def check(self) -> None:
        """Refuse what cannot work, before anything is written.

        Raises
        ------
        ClusterError
            If the workers cannot be had.
        """

    def connected(self, site: Site) -> AbstractContextManager[Workers]:
        """Have workers for as long as the context lasts; none is left behind.

        Raises
        ------
        ClusterError
            If the workers cannot be had after all.
        """
