"""File systems that lag: what one host has written, another sees a while later."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

# NFS keeps what it knows of a folder for up to a minute (acdirmax, nfs(5)), s.
LAG_S = 75.0
LOOK_S = 0.2


class NotSeenError(FileNotFoundError):
    """A file that is said to be there, and cannot be seen from this host."""


class Sight:
    """What can be seen from this host of the files that others have written.

    Parameters
    ----------
    given_up
        Asked while waiting: whether to wait no longer.
    """

    def __init__(self, given_up: Callable[[float], bool]) -> None:
        self._given_up = given_up
        self._share = 1.0

    def wait_for(self, path: Path) -> None:
        """Wait until a file can be seen, for as long as file systems lag; half as long after each that did not come.

        Raises
        ------
        NotSeenError
            If it does not come.
        """
        if path.exists():
            return
        until = time.monotonic() + self._share * LAG_S
        while not _looked_for(path):
            if time.monotonic() >= until or self._given_up(LOOK_S):
                waited_s = self._share * LAG_S
                # where nothing ever comes (a folder that is not shared), not every file is waited for as long
                self._share /= 2
                raise NotSeenError(
                    f"{path} was made, and cannot be seen on {socket.gethostname()} after {waited_s:.3g} s: the file "
                    "system lags, is not shared with this host, or the file was deleted. Once it can be seen, or where "
                    "it has to be made again, run the study once more"
                )
        self._share = 1.0


def _looked_for(path: Path) -> bool:
    """Look for a file that a file system took for missing: it asks its server anew when folders are listed."""
    for folder in (path.parent.parent, path.parent):
        with suppress(OSError):
            next(folder.iterdir(), None)
    return path.exists()
