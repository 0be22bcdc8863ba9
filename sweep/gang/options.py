"""What can be said of how a gang is launched."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


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
    cpus : tuple of int or "claimed", optional
        The processor of each rank. ``"claimed"``: on whatever host a rank is, it takes one of those it may use there
        that no other gang's rank has. None leaves the ranks the processors that the launcher gives them.
    interface : str, optional
        Network interface of this host on which ranks on other hosts reach it (``eth0``, ``ib0``); None: all ranks are
        on this host, and reach it through a Unix socket.
    shared_folder : Path, optional
        A folder that every rank's host sees, needed with `interface`: in a private folder in it the ranks find
        their keys.
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
        A value is out of range, the processors are not one a rank, or one of `interface` and `shared_folder` is
        missing.

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
    cpus: tuple[int, ...] | Literal["claimed"] | None = None
    interface: str | None = None
    shared_folder: Path | None = None
    preload: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    start_timeout_s: float = 60.0
    grace_s: float = 2.0
    log: Path | None = None
    python_path: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.ranks < 1:
            raise ValueError(f"ranks is {self.ranks}: a gang has at least one rank")
        if isinstance(self.cpus, str) and self.cpus != "claimed":
            raise ValueError(f"cpus is {self.cpus!r}: give a processor for each rank, 'claimed' or None")
        if isinstance(self.cpus, tuple) and len(self.cpus) != self.ranks:
            raise ValueError(
                f"cpus names {len(self.cpus)} processors for {self.ranks} ranks: give one for each rank"
            )
        if (self.interface is None) != (self.shared_folder is None):
            raise ValueError(
                "interface and shared_folder go together: ranks on other hosts need both, ranks on this host neither"
            )
        for name in ("start_timeout_s", "grace_s"):
            seconds = getattr(self, name)
            if not (seconds > 0 and math.isfinite(seconds)):
                raise ValueError(f"{name} is {seconds}: give a positive number of seconds")
