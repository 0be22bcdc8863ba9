"""ace-jax's C++ kernel on every rank: compiled once for a host and kept, or done without."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from ace_jax.eval import ffi
from mpi4py import MPI

from kernels.processors import abilities


class SlowForcesWarning(RuntimeWarning):
    """Forces come from plain XLA, ten times slower, because the C++ kernel cannot be had."""


def kernel_on_every_rank(comm: Any) -> bool:
    """Make ace-jax's C++ kernel callable on every rank of a communicator.

    On each host the lowest rank compiles it with the compiler that ``CXX`` names, or the first of c++, g++ and
    clang++, unless an earlier process has: it is kept in ace-jax's folder (``ACEJAX_FFI_CACHE``), apart for
    processors of different abilities and replaced in one step, so that ranks, gangs and hosts may share the folder.
    Where that cannot be written, this process compiles for itself.

    Parameters
    ----------
    comm : mpi4py communicator
        All of its ranks call.

    Returns
    -------
    bool
        Whether every rank has it: the same on all of them. Where not, rank 0 warns once and says why.

    Warns
    -----
    SlowForcesWarning
        If there is no compiler, or what it made cannot be loaded.
    """
    host = comm.Split_type(MPI.COMM_TYPE_SHARED)
    attempt = host.bcast(_attempt() if host.rank == 0 else None, root=0)
    host.Free()
    failure = attempt if isinstance(attempt, str) else _not_registered(attempt)
    failures = [each for each in comm.allgather(failure) if each]
    if failures and comm.rank == 0:
        _warn(failures[0])
    return not failures


@cache
def _warn(reason: str) -> None:
    message = f"forces come from plain XLA, about ten times slower: {reason}"
    warnings.warn(message, SlowForcesWarning, stacklevel=3)


@cache
def _attempt() -> Path | str:
    """Path of the library, or why there is none: asked for with every cylinder, made once in a process."""
    try:
        return _library()
    except (ffi.FFIUnavailable, OSError) as error:
        return str(error)


def _library() -> Path:
    try:
        return Path(ffi.library(cache=ffi.cache_dir() / abilities()))
    except OSError:
        # a read-only home, or a full one
        private = tempfile.mkdtemp(prefix="farfield-kernel-")
        atexit.register(shutil.rmtree, private, ignore_errors=True)
        return Path(ffi.library(cache=private))


def _not_registered(library: Path) -> str:
    """Register the library with JAX; say why not, where it cannot be loaded."""
    try:
        ffi.register(library)
    except (OSError, AttributeError) as error:
        return f"the compiled kernel cannot be loaded: {error}"
    return ""
