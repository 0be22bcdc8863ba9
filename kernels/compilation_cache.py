"""JAX's cache of compiled programs, and what is left in it by a rank that was killed as it wrote."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import jax

# Programs that compile faster than this are not kept, s.
LEAST_COMPILE_S = 0.5


def use_compilation_cache(folder: str) -> None:
    """Keep compiled programs in a folder, written by rank 0 only: JAX's cache is not written atomically.

    Parameters
    ----------
    folder : str
        One gang's own; made where it is missing.
    """
    from mpi4py import MPI

    writes = MPI.COMM_WORLD.rank == 0
    if writes:
        remove_torn_programs(Path(folder))
    jax.config.update("jax_compilation_cache_dir", folder)  # type: ignore[no-untyped-call]
    least = LEAST_COMPILE_S if writes else 1e9
    jax.config.update("jax_persistent_cache_min_compile_time_secs", least)  # type: ignore[no-untyped-call]


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
    decompress, torn = _decompression(), []
    for program in sorted(folder.glob("*-cache")):
        try:
            decompress(program.read_bytes())
        except FileNotFoundError:
            continue
        except Exception:  # noqa: BLE001 - each compression has errors of its own
            program.unlink(missing_ok=True)
            torn.append(program.name)
    return torn


def _decompression() -> Callable[[bytes], Any]:
    """Give what JAX decompresses its programs with: the best that is installed."""
    for module in ("compression.zstd", "zstandard"):
        try:
            decompress: Callable[[bytes], Any] = import_module(module).decompress
        except ImportError:
            continue
        return decompress
    import zlib

    return zlib.decompress
