"""What stands in a lock's file: who holds it, and a counter that shows that it lives."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shlex
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

#: How often a driver raises its counter, s.
BEAT_S = 5.0
_BOOT = Path("/proc/sys/kernel/random/boot_id")
# longest a command line may be in the file
_COMMAND = 1000


def this_kernel() -> str:
    """Name the running kernel, within which an ``flock`` is always good: a host, from one start to the next."""
    with contextlib.suppress(OSError):
        return _BOOT.read_text().strip()
    return socket.gethostname()


@dataclass(frozen=True)
class LockHolder:
    """The driver that holds a lock.

    Parameters
    ----------
    host, pid
        Where it runs.
    started
        When it took the lock: ISO 8601, UTC; for people, compared with nothing.
    command
        Its command line.
    kernel
        As `this_kernel` gave it.
    token
        Its own, by chance.
    beats
        How often it has shown since that it lives.
    """

    host: str
    pid: int
    started: str
    command: str
    kernel: str = field(default_factory=this_kernel)
    token: str = ""
    beats: int = 0

    @classmethod
    def this_process(cls) -> LockHolder:
        """Describe the process that asks."""
        started = datetime.now(UTC).isoformat(timespec="seconds")
        command = shlex.join([sys.executable, *sys.argv])[:_COMMAND]
        return cls(socket.gethostname(), os.getpid(), started, command, token=secrets.token_hex(8))

    @property
    def gone(self) -> bool:
        """Whether it ran on this host and does no more."""
        if self.kernel != this_kernel():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # it is another user's
            return False
        return False


class LockFile:
    """The file of a lock.

    Parameters
    ----------
    path
        The file.
    descriptor
        Open for reading and writing, and locked on this host by who writes.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def holder(self) -> LockHolder | None:
        """Read who holds the lock; None where nobody does, or that cannot be read."""
        # opened anew each time: NFS looks at the server then, and not at what it remembers
        with contextlib.suppress(ValueError, TypeError, OSError):
            return LockHolder(**json.loads(self.path.read_bytes()))
        return None

    def patient_holder(self) -> LockHolder | None:
        """Read who holds the lock, allowing the holder a moment to write it."""
        for _ in range(20):
            if (found := self.holder()) is not None:
                return found
            time.sleep(0.01)
        return None

    def write(self, holder: LockHolder) -> None:
        """Write who holds the lock.

        Raises
        ------
        OSError
            If the disk refuses.
        """
        data = json.dumps(asdict(holder)).encode()
        os.pwrite(self._descriptor, data, 0)
        os.ftruncate(self._descriptor, len(data))
        os.fsync(self._descriptor)

    def clear(self) -> None:
        """Say that nobody holds the lock."""
        os.ftruncate(self._descriptor, 0)

    @contextmanager
    def beating(self, holder: LockHolder) -> Iterator[None]:
        """Raise the counter while the context lasts, as long as the lock is this holder's."""
        over = threading.Event()

        def beat() -> None:
            beats = 0
            while not over.wait(BEAT_S):
                found = self.holder()
                if found is None:
                    continue
                if found.token != holder.token:
                    return
                beats += 1
                # a disk that refuses now may do so no more the next time
                with contextlib.suppress(OSError):
                    self.write(replace(holder, beats=beats))

        thread = threading.Thread(target=beat, name="lock", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
