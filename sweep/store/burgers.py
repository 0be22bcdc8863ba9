"""The length of each dislocation's Burgers vector in a store: what radii are measured in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from sweep.durable import sync_tree
from sweep.store.root import open_root
from sweep.store.template import consolidate

NAME = "burgers_length"
ATTRIBUTES = {"long_name": "length of the Burgers vector", "units": "angstrom"}


def read_burgers_lengths(path: str | os.PathLike[str]) -> dict[str, float]:
    """Read the lengths that a store knows (Å), by dislocation; raises as `sweep.open_store`."""
    root = open_root(path, "r")
    if NAME not in root:
        return {}
    names, lengths = _values(root["dislocation"]), _values(root[NAME])
    return {name: length for name, length in zip(names, lengths, strict=True) if np.isfinite(length)}


def write_burgers_lengths(path: str | os.PathLike[str], lengths: Mapping[str, float]) -> None:
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
    root = open_root(path, "r+")
    names = _values(root["dislocation"])
    array: Any = root.get(NAME)
    if array is None:
        array = zarr.open_group(path, mode="r+", zarr_format=3, use_consolidated=False).create_array(
            NAME,
            shape=(len(names),),
            chunks=(len(names),),
            dtype="float64",
            fill_value=np.nan,
            dimension_names=("dislocation",),
            attributes=dict[str, Any](ATTRIBUTES),
            overwrite=True,
        )
    array[...] = np.array([known.get(name, np.nan) for name in names])
    sync_tree(Path(path) / NAME)
    consolidate(Path(path))


def _values(array: Any) -> list[Any]:
    return list(array[:].tolist())
