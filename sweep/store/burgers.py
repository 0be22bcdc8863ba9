"""The length of each dislocation's Burgers vector in a store: what radii are measured in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr

from sweep.location import StoreLike, location_of
from sweep.store.codecs import COMPRESSORS
from sweep.store.root import open_root
from sweep.store.template import consolidate

NAME = "burgers_length"
ATTRIBUTES = {"long_name": "length of the Burgers vector", "units": "angstrom"}


def read_burgers_lengths(path: StoreLike) -> dict[str, float]:
    """Read the lengths that a store knows (Å), by dislocation; raises as `sweep.open_store`."""
    root = open_root(path, "r")
    if NAME not in root:
        return {}
    names, lengths = _values(root["dislocation"]), _values(root[NAME])
    return {name: length for name, length in zip(names, lengths, strict=True) if np.isfinite(length)}


def write_burgers_lengths(path: StoreLike, lengths: Mapping[str, float]) -> None:
    """Write the lengths of some of a store's dislocations; of others it keeps what it knows.

    Only the driver may call this, under its lock.

    Parameters
    ----------
    path
        The store.
    lengths
        Lengths (Å) by dislocation.

    Raises
    ------
    StoreError
        As `sweep.open_store`.
    """
    known = read_burgers_lengths(path) | dict(lengths)
    location = location_of(path)
    root = open_root(location, "r+")
    names = _values(root["dislocation"])
    array: Any = root.get(NAME)
    if array is None:
        whole = zarr.open_group(location.zarr_store(), mode="r+", zarr_format=3, use_consolidated=False)
        array = whole.create_array(
            NAME,
            shape=(len(names),),
            chunks=(len(names),),
            dtype="float64",
            fill_value=np.nan,
            compressors=COMPRESSORS,
            dimension_names=("dislocation",),
            attributes=dict[str, Any](ATTRIBUTES),
            overwrite=True,
        )
    array[...] = np.array([known.get(name, np.nan) for name in names])
    location.sync_all()
    consolidate(location)


def _values(array: Any) -> list[Any]:
    return list(array[:].tolist())
