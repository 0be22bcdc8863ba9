"""The root of a store: opened and checked, an array read whole, a written chunk brought to the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import zarr

from sweep.location import Location, LocationError, StoreLike, UnreachableError, location_of
from sweep.store.errors import StoreError, StoreMissingError, StoreUnreachableError
from sweep.store.template import FORMAT_VERSION


@contextmanager
def at_location(path: StoreLike) -> Iterator[Location]:
    """Give the place of a store, and turn what is wrong with reaching it into a `StoreError`."""
    try:
        yield location_of(path)
    except LocationError as error:
        raise StoreError(str(error)) from error
    except UnreachableError as error:
        raise StoreUnreachableError(str(error)) from error


def open_root(path: StoreLike, mode: Any) -> zarr.Group:
    """Open a store's root and check that it is one of ours.

    Raises
    ------
    StoreMissingError
        If there is nothing at this path.
    StoreUnreachableError
        If it is at a URL that does not answer.
    StoreError
        If it is not a store of Farfield's, or of a newer version.
    """
    with at_location(path) as location:
        if not location.exists():
            raise StoreMissingError(f"no store at {path}; `sweep run` makes one")
        return _checked_root(location, mode)


def _checked_root(path: Location, mode: Any) -> zarr.Group:
    try:
        store = path.zarr_store(read_only=mode == "r")
        root = zarr.open_group(store, mode=mode, zarr_format=3, use_consolidated=True)
    except UnreachableError:
        raise
    except (ValueError, KeyError, OSError, TypeError) as error:
        if str(path).endswith((".yaml", ".yml")):
            raise StoreError(
                f"{path} is not a store of Farfield's: if it is a study file, give the store that `sweep run` made "
                "of it, which is called as the study is, with .zarr behind"
            ) from error
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


def read_whole(path: StoreLike, name: str) -> np.ndarray:
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


def chunk_key(array: Any, outer: tuple[int, ...]) -> str:
    """Name what a chunk is stored under, from its place along the first dimensions; it is whole along the others."""
    place = outer + (0,) * (array.ndim - len(outer))
    return f"{array.path}/{array.metadata.encode_chunk_key(place)}"
