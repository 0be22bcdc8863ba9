"""Temporary files that killed processes leave: named so that they can be told from those being written."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterable
from pathlib import Path

from sweep.location import FolderLocation, StoreLike, location_of

_NAME = re.compile(r"\..+\.(?P<host>[^/]+)-(?P<pid>\d+)-[0-9a-f]{8}\.tmp")


def temporary_beside(path: Path) -> Path:
    """Name a temporary file for what is to be a whole file of another name, in the same folder.

    Examples
    --------
    >>> temporary_beside(Path("ab/abcd.npz")).name.startswith(".abcd.")
    True
    """
    writer = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    return path.with_name(f".{path.stem}.{writer}.tmp")


def remove_abandoned(temporaries: Iterable[Path]) -> list[Path]:
    """Remove those of some temporary files whose writer has died, where that can be known.

    Parameters
    ----------
    temporaries
        Files named by `temporary_beside`; others are left alone.

    Returns
    -------
    list of Path
        Those removed: of this host, their process gone and their lock free. What another host left stays: whether its
        writer lives cannot be known from here, and no clock tells. `sweep clean` removes that, once no run is at work.
    """
    return [path for path in temporaries if _is_abandoned(path) and _removed(path)]


def hold(descriptor: int) -> None:
    """Mark an open temporary file as being written, for as long as it is open, where the file system can."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def remove_own(run: Path, store: StoreLike) -> list[Path]:
    """Remove halves that an earlier driver left: of the store, of files in it, and of files in the run folder.

    Only a driver may call this, under its lock: no other writes there.

    Parameters
    ----------
    run, store
        The run folder, and its store; either may be missing. At a URL nothing has a temporary name.

    Returns
    -------
    list of Path
        What was removed.
    """
    location, found = location_of(store), list(run.glob(".*.tmp"))
    if isinstance(location, FolderLocation):
        name = location.name
        half = re.compile(rf"\.{re.escape(name)}\.(.+-)?\d+-[0-9a-f]{{8}}\.tmp")
        found += [path for path in location.folder.glob(f".{name}.*.tmp") if half.fullmatch(path.name)]
        # Zarr's name for a file that is not whole yet
        found += location.path.rglob("*.partial")
    return [path for path in found if _removed(path)]


def _removed(path: Path) -> bool:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
    return not path.exists()


def _is_abandoned(path: Path) -> bool:
    match = _NAME.fullmatch(path.name)
    if match is None:
        return False
    with contextlib.suppress(OSError):
        return match["host"] == socket.gethostname() and _gone(int(match["pid"])) and _free(path)
    return False


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it is another user's
        return False
    return False


def _free(path: Path) -> bool:
    """Whether no process holds a file: in another container of this host's name its writer may be alive."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
