"""The driver's lock: one driver a run folder, and a dead one never in the way."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sweep.durable import make_folder

LOCK_NAME = "lock"
FORK_PATIENCE_S = 5.0
"""How long a dead driver's lock is waited for: its forked children let go of it as soon as they run."""

# A forked child shares its parent's flock and would keep it alive, so it closes what it finds here.
_held: set[int] = set()


@dataclass(frozen=True)
class LockHolder:
    """The driver that holds a lock.

    Parameters
    ----------
    host, pid
        Where it runs.
    started
        When it took the lock: ISO 8601, UTC.
    command
        Its command line.
    """

    host: str
    pid: int
    started: str
    command: str

    @classmethod
    def this_process(cls) -> LockHolder:
        """Describe the process that asks."""
        started = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(socket.gethostname(), os.getpid(), started, shlex.join([sys.executable, *sys.argv]))

    @property
    def gone(self) -> bool:
        """Whether it ran on this host and does no more."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # it is another user's
            return False
        return False


class StoreLockedError(BlockingIOError):
    """Another driver works on this store.

    Attributes
    ----------
    holder : LockHolder or None
        That driver; None where it has not yet written who it is.
    """

    def __init__(self, folder: Path, holder: LockHolder | None) -> None:
        who = (
            f"process {holder.pid} on {holder.host}, since {holder.started} ({holder.command})"
            if holder
            else "a process that has not yet written its name"
        )
        super().__init__(
            f"{folder} is in use by another driver: {who}; wait for it, end it, or name another store"
        )
        self.holder = holder


@contextmanager
def driver_lock(folder: str | os.PathLike[str]) -> Iterator[LockHolder]:
    """Hold the only driver's lock on a run folder, for as long as the context lasts.

    The lock is an ``flock`` on ``<folder>/lock``, which holds the driver's host, pid, start and command as
    JSON. The kernel drops it with the process, however that dies, so a dead driver's lock on this host is
    free at once. Processes started by the driver do not inherit it. Between hosts it is as good as the file
    system's ``flock``: on one that keeps locks to a host, two hosts are not kept apart.

    Parameters
    ----------
    folder
        The run folder; made where it is missing.

    Yields
    ------
    LockHolder
        What was written into the lock.

    Raises
    ------
    StoreLockedError
        If another driver holds the lock; it names that driver's host and pid.
    OSError
        If the folder cannot be made or written to.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, driver_lock(folder) as holder:
    ...     holder.pid == os.getpid()
    True
    """
    folder = Path(folder)
    make_folder(folder)
    # os.open sets O_CLOEXEC, so programs started from here do not inherit the lock.
    descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o666)
    _held.add(descriptor)
    try:
        _acquire(descriptor, folder)
        holder = LockHolder.this_process()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(asdict(holder)).encode(), 0)
        yield holder
        # The file stays: were it unlinked, two drivers could hold locks on two files of one name.
        os.ftruncate(descriptor, 0)
    finally:
        _held.discard(descriptor)
        os.close(descriptor)


def holder_of(folder: Path) -> LockHolder | None:
    """Say which driver holds a run folder's lock, as far as the file tells; None where it is free."""
    try:
        holder = LockHolder(**json.loads((folder / LOCK_NAME).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return None if holder.gone else holder


def _acquire(descriptor: int, folder: Path) -> None:
    """Take the lock, allowing what a dead driver had just forked a moment to let go of it."""
    deadline = time.monotonic() + FORK_PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read_holder(descriptor)
            if holder is None or not holder.gone or time.monotonic() > deadline:
                raise StoreLockedError(folder, holder) from None
            time.sleep(0.02)
        else:
            return


def _read_holder(descriptor: int) -> LockHolder | None:
    """Read who holds the lock, allowing the holder a moment to write it."""
    for _ in range(20):
        with contextlib.suppress(ValueError, TypeError):
            return LockHolder(**json.loads(os.pread(descriptor, 65536, 0)))
        time.sleep(0.01)
    return None


def _close_in_child() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)
