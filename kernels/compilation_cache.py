"""JAX's cache of compiled programs: one for each gang, what others have compiled in it from the start."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import jax

from kernels.processors import abilities, processor_count
from kernels.shared_programs import FOR, SUFFIX, SharedPrograms, shared_folder

# Programs that compile faster than this are not kept, s.
LEAST_COMPILE_S = 0.5
# What JAX says before it looks for a program, and once it has compiled one and kept it.
_ASKED = "/jax/compilation_cache/compile_requests_use_cache"
_COMPILED = "/jax/core/compile/backend_compile_duration"


def use_compilation_cache(folder: str) -> None:
    """Keep compiled programs in a folder, written by rank 0 only: JAX's cache is not written atomically.

    What other gangs have compiled, of this run or another, is taken from the folder that all share
    (`kernels.shared_programs.shared_folder`), and what this one compiles is given to it.

    Parameters
    ----------
    folder : str
        One gang's own; made where it is missing. Programs lie in a folder below it by the processors they are for,
        which the names that JAX gives them need not tell apart. A rank with other processors than rank 0's finds none.
    """
    from mpi4py import MPI

    writes = MPI.COMM_WORLD.rank == 0
    # how a program is cut into tasks depends on how many processors it was compiled for
    kind = f"{FOR}{abilities()}-{processor_count()}-{_compression()[0]}"
    own = Path(folder) / kind
    if writes:
        # without a folder JAX goes on, and says so
        with suppress(OSError):
            own.mkdir(mode=0o700, parents=True, exist_ok=True)
        remove_torn_programs(own)
        if (shared := shared_folder()) is not None:
            _share(SharedPrograms(own, shared / kind, is_whole))
    for name, value in {
        "jax_compilation_cache_dir": str(own),
        # its other caches lie in this one, whose path would become part of every program's name
        "jax_persistent_cache_enable_xla_caches": "none",
        "jax_persistent_cache_min_compile_time_secs": LEAST_COMPILE_S if writes else 1e9,
    }.items():
        jax.config.update(name, value)  # type: ignore[no-untyped-call]


def _share(programs: SharedPrograms) -> None:
    """Take programs now and whenever one is looked for, and give those that are compiled and kept."""

    def asked(event: str, **_: str | int) -> None:
        if event == _ASKED:
            programs.take()

    def compiled(event: str, duration_secs: float, **_: str | int) -> None:
        if event == _COMPILED and duration_secs >= LEAST_COMPILE_S:
            programs.give()

    programs.make_room()
    programs.take()
    jax.monitoring.register_event_listener(asked)
    jax.monitoring.register_event_duration_secs_listener(compiled)


def remove_torn_programs(folder: Path) -> list[str]:
    """Remove programs that were not written whole: JAX itself would warn of them and compile anew for ever.

    Parameters
    ----------
    folder : Path
        The cache; it need not exist.

    Returns
    -------
    list of str
        Names of what was removed.
    """
    torn: list[str] = []
    with suppress(OSError):
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            if not is_whole(path):
                path.unlink(missing_ok=True)
                torn.append(path.name)
    return torn


def is_whole(program: Path) -> bool:
    """Whether a compiled program was written to its end; one that is gone is not torn."""
    try:
        _compression()[1](program.read_bytes())
    except FileNotFoundError:
        return True
    except Exception:  # noqa: BLE001 - each compression has errors of its own
        return False
    return True


@cache
def _compression() -> tuple[str, Callable[[bytes], Any]]:
    """Name what JAX compresses its programs with, the best that is installed, and give what undoes it."""
    for module in ("compression.zstd", "zstandard"):
        try:
            decompress: Callable[[bytes], Any] = import_module(module).decompress
        except ImportError:
            continue
        return "zstd", decompress
    import zlib

    return "zlib", zlib.decompress
