"""The root of a store: opened and checked, an array read whole, a written chunk brought to the disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from sweep.durable import sync_path
from sweep.store.errors import StoreError, StoreMissingError
from sweep.store.template import FORMAT_VERSION


def open_root(path: str | os.PathLike[str], mode: Any) -> zarr.Group:
    """Open a store's root and check that it is one of ours.

    Raises
    ------
    StoreMissingError
        If there is nothing at this path.
    StoreError
        If it is not a store of Farfield's, or of a newer version.
    """
    path = Path(path)
    if not path.exists():
        raise StoreMissingError(f"no store at {path}; `sweep run` makes one")
    try:
        root = zarr.open_group(path, mode=mode, zarr_format=3, use_consolidated=True)
    except (ValueError, KeyError, OSError, TypeError) as error:
        raise StoreError(
            f"{path} is not a store of Farfield's: it cannot be opened as Zarr 3 ({error})"
        ) from error
    version = root.attrs.get("farfield_format")
    if not isinstance(version, int):
        raise StoreError(f"{path} is not a store of Farfield's: it has no farfield_format attribute")
    if version > FORMAT_VERSION:
        raise StoreError(
            f"{path} was written by a newer version of Farfield (store format {version}, this one reads "
            f"{FORMAT_VERSION}); install that version"
        )
    return root


def read_whole(path: str | os.PathLike[str], name: str) -> np.ndarray:
    """Read an array of a store; a damaged one is a `StoreError` too. Raises as `open_root`."""
    try:
        array: Any = open_root(path, "r")[name]
        return np.asarray(array[...])
    except StoreError:
        raise
    # what a damaged chunk raises is the codec's affair: Blosc and Zstandard raise RuntimeError, others ValueError
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        raise StoreError(
            f"{path}: {name} cannot be read ({error}); move the store away and run the study again: the journals "
            "in its run folder hold every result, so that nothing is computed twice"
        ) from error


def sync_chunk(path: Path, array: Any, outer: tuple[int, ...]) -> None:
    """Wait until a chunk is on the disk; Zarr itself does not."""
    place = outer + (0,) * (array.ndim - len(outer))
    file = path / array.path / array.metadata.encode_chunk_key(place)
    # A chunk of nothing but fill values has no file.
    if file.exists():
        sync_path(file)
        sync_path(file.parent)
