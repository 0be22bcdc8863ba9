"""The rank side of a gang: serves the calls of the process that owns it.

Started on each MPI rank as ``python -P -m kernels.rank FOLDER``. The rank connects to the owner whose file is
in that folder; each proves to the other who it is, and only then is anything unpickled. The rank learns what it
needs (processors, modules to import), joins MPI, and then serves: each request names a function
``"module:function"``, and one or several sets of arguments, with each of which it is called in turn as
``function(comm, **arguments)`` on every rank, with a fresh duplicate of the gang's communicator. Rank 0's return value,
plain data and NumPy arrays, is the answer; each rank adds how much memory it held at most. An exception on any rank is
sent as text, and ends the series. An answer is sent before the next call begins, which waits for no one: while the
owner does with it what it does, the ranks go on.

The communicator handed to a function lives as long as the call. A kernel that keeps something across
calls (a LAMMPS instance in a cache, say) gives it a communicator of its own: ``comm.Dup()``.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import os
import pickle
import select
import shutil
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernels import peak_memory
from kernels.owner import connect
from kernels.processors import take
from kernels.shared_programs import OWN_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mpi4py import MPI

OWNER_GONE = 111
"""Exit status of a rank whose owner went away."""
ENOUGH = b"enough"
"""What an owner says who wants no further call of a series to begin."""
FAILED = 2
"""Of what ranks agree on between two calls: more than that there is a word from the owner."""
BROADCAST_PIECE = 64 * 2**20
"""Bytes broadcast at a time: far below the 2 GiB at which a count no longer fits a C int."""
TRACEBACK_LENGTH = 8000
"""Characters of a traceback that are kept, from its end."""


def main(folder: Path) -> None:
    """Join the gang whose private folder this is, and serve it until its owner says stop."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=False)
    # An alarm ends the process, whatever holds the interpreter's lock, once it has said where each thread was.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    faulthandler.register(signal.SIGALRM, chain=True)
    # A Ctrl-C at the terminal is the owner's to answer: it ends its ranks itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # a gang whose owner names no folder for its programs keeps them as long as it lives
    os.environ.setdefault(OWN_VARIABLE, str(folder / "compiled"))
    owner = connect(folder)
    threading.Thread(target=_leave_with, args=(owner, folder), name="owner watch", daemon=True).start()
    try:
        communicator = _join(owner)
    except BaseException as error:  # noqa: BLE001 - whatever stopped the rank, its owner is waiting to hear it
        owner.send_bytes(_raised(error))
        return
    _serve(owner, communicator)


def _join(owner: Connection) -> MPI.Intracomm:
    """Join MPI as the owner's welcome says, and tell it what came of that."""
    welcome: Mapping[str, Any] = pickle.loads(owner.recv_bytes())
    from mpi4py import MPI

    communicator = MPI.COMM_WORLD
    communicator.Barrier()
    _unname_shared_memory()
    if communicator.size == len(welcome["cpus"]):
        # Threads inherit this: it comes before any library that sizes its pool by the processors it sees.
        take(welcome["cpus"][communicator.rank])
    for module in welcome["preload"]:
        importlib.import_module(module)
    here = {
        "rank": communicator.rank,
        "size": communicator.size,
        "pid": os.getpid(),
        "host": os.uname().nodename,
    }
    _send(owner, ("joined", here | {"kernels": str(Path(__file__).resolve().parent)}))
    return communicator


def _unname_shared_memory() -> None:
    """Remove the names of the memory that MPICH shares between the ranks, once all of them have mapped it.

    MPICH removes them when it is finalised, which a rank that is killed never does: each would leave
    megabytes in ``/dev/shm``.
    """
    for line in Path("/proc/self/maps").read_text().splitlines():
        name = line.partition("/dev/shm/mpich_shm_")[2]
        if name and not name.endswith("(deleted)"):
            Path(f"/dev/shm/mpich_shm_{name}").unlink(missing_ok=True)


def _leave_with(owner: Connection, folder: Path) -> None:
    """End this process as soon as its owner's end of the socket closes, whatever it is computing."""
    watch = select.poll()
    watch.register(owner.fileno(), select.POLLRDHUP)
    watch.poll()
    # An owner that was killed could not remove the gang's private folder.
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(OWNER_GONE)


def _serve(owner: Connection, communicator: MPI.Intracomm) -> None:
    """Answer requests one after another; an empty request means stop."""
    while True:
        try:
            request = owner.recv_bytes()
            if not request:
                return
            if request == ENOUGH:
                # it came when the series was over
                continue
            size, limit_s = pickle.loads(request)
            body = owner.recv_bytes() if communicator.rank == 0 else None
        except EOFError:
            os._exit(OWNER_GONE)
        _answer_each(owner, communicator, body, size, limit_s or 0.0)
        signal.setitimer(signal.ITIMER_REAL, 0.0)


def _answer_each(
    owner: Connection, communicator: MPI.Intracomm, body: bytes | None, size: int, limit_s: float
) -> None:
    """Run a series of calls on this rank and send what came of each, until one fails or the owner has enough."""
    from mpi4py import MPI

    # It ends a rank when its owner cannot; faulthandler's own limit would start a thread for each call.
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        name, shared, each = pickle.loads(_broadcast(communicator, body, size))
    except BaseException as error:  # noqa: BLE001 - an unanswered call looks like a hang
        owner.send_bytes(_raised(error))
        return
    said = select.poll()
    said.register(owner.fileno(), select.POLLIN)
    failed = False
    for number, own in enumerate(each):
        if number:
            # within a series an owner says nothing but that it has enough
            ending = FAILED if failed else len(said.poll(0))
            if communicator.size > 1:
                ending = communicator.allreduce(ending, op=MPI.MAX)
            if ending and ending != FAILED:
                _send(owner, ("ended",))
            if ending:
                return
            signal.setitimer(signal.ITIMER_REAL, limit_s)
        answer, failed = _answer(communicator, name, shared | own)
        owner.send_bytes(answer)


def _answer(communicator: MPI.Intracomm, name: str, arguments: dict[str, Any]) -> tuple[bytes, bool]:
    """Run one call on this rank; give what came of it, and whether it failed."""
    failed = False
    try:
        measured = peak_memory.begin_anew()
        call_communicator = communicator.Dup()
        value = _function(name)(call_communicator, **arguments)
        peak = peak_memory.peak_bytes() if measured else None
        answer = pickle.dumps(("returned", value if communicator.rank == 0 else None, peak), protocol=5)
    except BaseException as error:  # noqa: BLE001 - SystemExit too: an unanswered call looks like a hang
        # Freed, its context would go to the next call's duplicate, and this call's stray messages with it.
        answer, failed = _raised(error), True
    else:
        call_communicator.Free()
    with contextlib.suppress(OSError, ValueError, AttributeError):
        # What was printed is in the log before the answer; a kernel may have closed the streams.
        sys.stdout.flush()
        sys.stderr.flush()
    return answer, failed


def _raised(error: BaseException) -> bytes:
    return pickle.dumps(("raised", *_described(error)), protocol=5)


def _broadcast(communicator: MPI.Intracomm, body: bytes | None, size: int) -> memoryview:
    """Give every rank the `size` bytes that rank 0 holds in `body`, piece by piece."""
    buffer = memoryview(bytearray(size) if body is None else body)
    for start in range(0, size, BROADCAST_PIECE):
        communicator.Bcast(buffer[start : start + BROADCAST_PIECE], root=0)
    return buffer


def _function(name: str) -> Callable[..., object]:
    """Import what ``"module:function"`` names."""
    module, _, attribute = name.partition(":")
    function: Callable[..., object] = getattr(importlib.import_module(module), attribute)
    return function


def _described(error: BaseException) -> tuple[str, str, str]:
    """Return the class name, the message and the traceback of an exception, as text."""
    lines = traceback.format_exception(error)
    last = traceback.format_exception_only(error)[-1].strip()
    return type(error).__name__, last.partition(": ")[2], "".join(lines)[-TRACEBACK_LENGTH:]


def _send(owner: Connection, message: tuple[object, ...]) -> None:
    owner.send_bytes(pickle.dumps(message, protocol=5))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
