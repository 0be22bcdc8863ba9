"""The driver's lock: one driver a run folder, on any host, and a dead one never in the way."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sweep.durable import make_folder
from sweep.lock_file import LockFile, LockHolder, this_kernel

__all__ = ["HeldLock", "LockHolder", "LockLostError", "StoreLockedError", "driver_lock"]

LOCK_NAME = "lock"
FORK_PATIENCE_S = 5.0
"""How long a dead driver's lock is waited for: its forked children let go of it as soon as they run."""
STILL_S = 90.0
"""A driver on another host is dead when its counter has stood still for so long: NFS may show a change 60 s late."""
LOOK_S = 2.0
"""How often a waiter looks at another host's counter."""

# A forked child shares its parent's flock and would keep it alive, so it closes what it finds here.
_held: set[int] = set()


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


class LockLostError(OSError):
    """The lock is another driver's now: who held it may write no more."""


class HeldLock:
    """A lock that this process holds.

    Parameters
    ----------
    file
        The lock's file.
    holder
        What was written into it.
    """

    def __init__(self, file: LockFile, holder: LockHolder) -> None:
        self.holder = holder
        self._file = file

    def check(self) -> None:
        """See that the lock is still this process's; called before every write to the store.

        Raises
        ------
        LockLostError
            If another driver has taken it over, or the lock cannot be read any more.
        """
        found = self._file.holder() or self._file.patient_holder()
        if found is not None and found.token == self.holder.token:
            return
        who = f"process {found.pid} on {found.host}" if found else "somebody who left no name"
        raise LockLostError(
            f"{self._file.path} is held by {who} now: this driver stood still for too long, or its file system did. "
            "It has written nothing since; what its workers journaled the other driver takes in"
        )


@contextmanager
def driver_lock(
    folder: str | os.PathLike[str], tell: Callable[[str], None] | None = None
) -> Iterator[HeldLock]:
    """Hold the only driver's lock on a run folder, for as long as the context lasts.

    The lock is an ``flock`` on ``<folder>/lock``, which holds the driver's host, pid, start, command and a token as
    JSON. The kernel drops it with the process, however that dies, so a dead driver's lock on this host is
    free at once. Processes started by the driver do not inherit it. Some file systems keep an ``flock`` to a host, so
    the file also holds a counter that a living driver raises: one that finds the name of another host's driver watches
    this counter, and takes over once it has stood still for `STILL_S` by its own monotonic clock. No clock is
    compared with another's.

    Parameters
    ----------
    folder
        The run folder; made where it is missing.
    tell
        Called with a line where another host's driver is watched.

    Yields
    ------
    HeldLock
        Whose `HeldLock.check` belongs before every write.

    Raises
    ------
    StoreLockedError
        If another driver holds the lock; it names that driver's host and pid.
    OSError
        If the folder cannot be made or written to.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, driver_lock(folder) as lock:
    ...     lock.holder.pid == os.getpid()
    True
    """
    folder = Path(folder)
    make_folder(folder)
    with open_alone(folder / LOCK_NAME) as descriptor:
        _acquire(descriptor, folder)
        file = LockFile(folder / LOCK_NAME, descriptor)
        watched = _wait_for_other_hosts(file, folder, tell)
        holder = LockHolder.this_process()
        file.write(holder)
        lock = HeldLock(file, holder)
        if watched:
            # two waiters may have seen the same counter stand still: the last to write its name goes on
            time.sleep(LOOK_S)
            lock.check()
        with file.beating(holder):
            yield lock
        # The file stays: were it unlinked, two drivers could hold locks on two files of one name.
        with contextlib.suppress(LockLostError):
            lock.check()
            file.clear()


@contextmanager
def open_alone(path: Path) -> Iterator[int]:
    """Open a file to lock it, made where it is missing: neither programs started from here nor forks share it."""
    # os.open sets O_CLOEXEC
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    _held.add(descriptor)
    try:
        yield descriptor
    finally:
        _held.discard(descriptor)
        os.close(descriptor)


def holder_of(folder: Path) -> LockHolder | None:
    """Say which driver holds a run folder's lock, as far as the file tells; None where it is free."""
    holder = LockFile(folder / LOCK_NAME, -1).holder()
    return None if holder is None or holder.gone else holder


def _acquire(descriptor: int, folder: Path) -> None:
    """Take the lock, allowing what a dead driver had just forked a moment to let go of it."""
    deadline = time.monotonic() + FORK_PATIENCE_S
    file = LockFile(folder / LOCK_NAME, descriptor)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.patient_holder()
            if holder is None or not holder.gone or time.monotonic() > deadline:
                raise StoreLockedError(folder, holder) from None
            time.sleep(0.02)
        else:
            return


def _wait_for_other_hosts(file: LockFile, folder: Path, tell: Callable[[str], None] | None) -> bool:
    """Watch the counter of a driver on another host, if the file names one; whether there was one to watch."""
    first = file.holder()
    if first is None or first.kernel == this_kernel():
        return False
    if tell is not None:
        tell(
            f"{folder} was last used by process {first.pid} on {first.host}: watching for {STILL_S:.0f} s whether it "
            "still is"
        )
    since = time.monotonic()
    while time.monotonic() - since < STILL_S:
        time.sleep(LOOK_S)
        now = file.holder()
        if now is None:
            return False
        if now != first:
            raise StoreLockedError(folder, now)
    return True


def _close_in_child() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)
