"""Processes that end with the process that started them.

The kernel ends a child started through ``setpriv --pdeathsig`` when the *thread* that forked it ends, and
a pool's threads come and go. So one thread, which lives as long as this process, starts them all.
"""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import IO

_Order = tuple["Future[subprocess.Popen[bytes]]", Sequence[str], Mapping[str, str], IO[bytes]]

_orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()
_start_lock = threading.Lock()
_spawner: threading.Thread | None = None


def spawn(
    command: Sequence[str], environment: Mapping[str, str], output: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own; it is killed when this process ends, however it ends.

    Where util-linux's ``setpriv`` is missing the command is started without that guarantee.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    environment : mapping of str to str
        The whole environment of the command.
    output : binary file
        Where its standard output and standard error go.

    Raises
    ------
    OSError
        The program could not be started.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryFile() as output:
    ...     spawn(["true"], os.environ, output).wait()
    0
    """
    setpriv = shutil.which("setpriv")
    bound = [setpriv, "--pdeathsig", "KILL", "--", *command] if setpriv else list(command)
    started: Future[subprocess.Popen[bytes]] = Future()
    _ensure_spawner()
    _orders.put((started, bound, environment, output))
    return started.result()


def _ensure_spawner() -> None:
    global _spawner
    with _start_lock:
        if _spawner is None:
            _spawner = threading.Thread(target=_start_processes, name="gang spawner", daemon=True)
            _spawner.start()


def _start_processes() -> None:
    while True:
        started, command, environment, output = _orders.get()
        try:
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits for it
            started.set_exception(error)
        else:
            started.set_result(process)


def _forget_spawner() -> None:
    global _spawner, _orders, _start_lock
    _spawner, _orders, _start_lock = None, queue.SimpleQueue(), threading.Lock()


# A forked child has the parent's variables but not its thread.
os.register_at_fork(after_in_child=_forget_spawner)
