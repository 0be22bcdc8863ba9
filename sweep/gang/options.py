"""What can be said of how a gang is launched."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class GangOptions:
    """How a gang is launched.

    Parameters
    ----------
    ranks : int
        Number of MPI ranks.
    launcher : tuple of str, optional
        The command that starts the ranks; the ranks' own command is appended. `launchers.launcher_command`
        makes those of the launchers that have a name. Default: ``mpiexec -n ranks`` of the running
        environment, else of PATH.
    cpus : tuple of int, optional
        The processor of each rank; None leaves the ranks the processors of this process.
    preload : tuple of str
        Modules that each rank imports before it serves.
    environment : mapping of str to str
        Variables added to this process's environment for the ranks.
    start_timeout_s : float
        Seconds until every rank must be ready, preloading included.
    grace_s : float
        Seconds the other ranks get to answer once one has raised, and to leave once told to stop.
    log : Path, optional
        File to which the ranks' standard output and error are appended. Without one, what the present
        call prints is kept, so that an error can quote it, and the rest is dropped.
    python_path : tuple of str
        Folders put first on the ranks' module search path.

    Raises
    ------
    ValueError
        A value is out of range, or the processors are not one a rank.

    Examples
    --------
    >>> GangOptions(ranks=2, cpus=(0, 1)).ranks
    2
    >>> GangOptions(ranks=2, cpus=(0,))
    Traceback (most recent call last):
    ...
    ValueError: cpus names 1 processors for 2 ranks: give one for each rank
    """

    ranks: int = 1
    launcher: tuple[str, ...] | None = None
    cpus: tuple[int, ...] | None = None
    preload: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    start_timeout_s: float = 60.0
    grace_s: float = 2.0
    log: Path | None = None
    python_path: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.ranks < 1:
            raise ValueError(f"ranks is {self.ranks}: a gang has at least one rank")
        if self.cpus is not None and len(self.cpus) != self.ranks:
            raise ValueError(
                f"cpus names {len(self.cpus)} processors for {self.ranks} ranks: give one for each rank"
            )
        for name in ("start_timeout_s", "grace_s"):
            seconds = getattr(self, name)
            if not (seconds > 0 and math.isfinite(seconds)):
                raise ValueError(f"{name} is {seconds}: give a positive number of seconds")
