"""A gang's private folder, and those of gangs whose owner died without removing them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

# Not that of any temporary folder that is not locked: what bears it and is not locked is removed.
PREFIX = "farfield-gang-"
SHARED_PREFIX = "gang-"
SOCKET_PATH_LENGTH = 100
"""Bytes that are safe for the path of a Unix socket, of which the kernel allows 107."""


class PrivateFolder:
    """A new temporary folder that only this user can enter, on a path short enough for a Unix socket.

    It is locked for as long as this process lives, so that it can be told from one that was left behind; such
    folders are removed first.

    Parameters
    ----------
    shared : Path, optional
        Make it in this folder, which other hosts see and which is made if it is missing. It holds no socket, and
        nothing that was left behind in it is removed: a lock may be another host's, and unseen here.

    Attributes
    ----------
    path : Path
        The folder.

    Raises
    ------
    OSError
        If it cannot be made.

    Examples
    --------
    >>> folder = PrivateFolder()
    >>> folder.path.stat().st_mode & 0o777 == 0o700
    True
    >>> folder.remove()
    >>> folder.path.exists()
    False
    """

    def __init__(self, shared: Path | None = None) -> None:
        self._descriptor: int | None = None
        if shared is not None:
            shared.mkdir(parents=True, exist_ok=True)
            self.path, self._descriptor = Path(tempfile.mkdtemp(prefix=SHARED_PREFIX, dir=shared)), -1
            return
        remove_abandoned()
        # another gang may take the folder for an abandoned one before it is locked
        while self._descriptor is None:
            self.path = _made()
            self._descriptor = _locked(self.path, wait=True)

    def remove(self) -> None:
        """Remove the folder with all that is in it; removing it twice is no error."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._descriptor is not None and self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def remove_abandoned() -> None:
    """Remove this user's folders whose owner has died: killed together with its ranks, none was left to do it."""
    for parent in {tempfile.gettempdir(), "/tmp"}:
        for folder in Path(parent).glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                if folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid():
                    _remove_if_abandoned(folder)


def _remove_if_abandoned(folder: Path) -> None:
    descriptor = _locked(folder, wait=False)
    if descriptor is None or descriptor < 0:
        return
    try:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


def _made() -> Path:
    folder = tempfile.mkdtemp(prefix=PREFIX)
    if len(os.fsencode(folder)) + len("/socket") > SOCKET_PATH_LENGTH:
        Path(folder).rmdir()
        folder = tempfile.mkdtemp(prefix=PREFIX, dir="/tmp")
    return Path(folder)


def _locked(folder: Path, *, wait: bool) -> int | None:
    """Lock a folder: the descriptor that holds the lock, None if it is gone or held, -1 where none can be locked."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        if folder.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:  # a file system that locks no folders: what is left there stays
        os.close(descriptor)
        return -1
    os.close(descriptor)
    return None
