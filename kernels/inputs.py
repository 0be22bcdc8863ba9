"""Arrays that a kernel reads from content-addressed files, read once per rank."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A study touches a handful of equilibria and training sets at a time; the Hessian of a 10^4-atom cylinder is ~100 MB.
CACHED_FILES = 16


@lru_cache(maxsize=CACHED_FILES)
def load_arrays(path: str) -> Mapping[str, NDArray[Any]]:
    """Read every array of an ``.npz`` file, and keep them.

    The file never changes once it has its name (it is content-addressed), so the arrays of a path are kept. Takes,
    returns and raises as `read_arrays`.
    """
    return read_arrays(path)


def read_arrays(path: str) -> Mapping[str, NDArray[Any]]:
    """Read every array of an ``.npz`` file, for one use: what a large grid's fits hold should not stay in memory.

    Parameters
    ----------
    path : str
        An ``.npz`` file; entries whose names begin with ``__`` describe the file and are left out.

    Returns
    -------
    Mapping[str, ndarray]
        Name to array, read-only.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files if not name.startswith("__")}
    for array in arrays.values():
        array.setflags(write=False)
    return MappingProxyType(arrays)
