"""Longer axes: a store takes up new labels, and what it holds is found where it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import zarr

from sweep.grid import BLOCK_DIMENSIONS, DIMENSIONS, Grid
from sweep.location import StoreLike, location_of
from sweep.store.errors import StoreError
from sweep.store.root import open_root, read_whole
from sweep.store.template import consolidate
from sweep.transfers.variables import TARGET

#: Root attribute of a store whose labels stand in the order in which they came, not in that of a study.
GROWN = "grown"
#: Root attribute: the study's texts before its axes grew, as JSON, the newest first; their fits have other recipes.
EARLIER_STUDIES = "earlier_studies"


def grow_store(path: StoreLike, grid: Grid, study: str) -> dict[str, tuple[Any, ...]]:
    """Append to a store's axes the labels that a study has and the store has not.

    Every point there is stays where it is; those of new labels are pending. The arrays grow first and the metadata
    of the root, by which readers find them, last: a store whose growth was cut short is as before, and growing it
    again completes it. Only the driver may call this, under its lock.

    Parameters
    ----------
    path
        The store.
    grid
        The study's grid. Labels that only the store has stay.
    study
        The study's text, which takes the place of the earlier one.

    Returns
    -------
    dict
        New labels by dimension; empty where there are none.

    Raises
    ------
    StoreError
        As `sweep.open_store`; or if the store has other dimensions, or lacks a weight: places of weightings are fixed.
    OSError
        If the disk refuses.
    """
    root = open_root(path, "r+")
    if set(root_dims(root)) != set(grid.dims):
        raise StoreError(
            f"{path} has the dimensions {', '.join(root_dims(root))}, the study {', '.join(grid.dims)}"
        )
    stored = {name: _labels(root, name) for name in grid.dims}
    new = {name: added for name in grid.dims if (added := _added(stored[name], grid.axis(name).values))}
    if fixed := [name for name in new if name not in BLOCK_DIMENSIONS]:
        raise StoreError(f"{path} has {fixed[0]} {stored[fixed[0]]}: weights of a store cannot be added to")
    for name in grid.dims:
        wanted = list(grid.axis(name).values)
        if name not in BLOCK_DIMENSIONS and stored[name] != wanted:
            raise StoreError(
                f"{path} has {name} {stored[name]}, the study {wanted}: weights of a store keep their order"
            )
    if not new:
        return {}
    # what consolidated metadata says may be older than the arrays, where growth was cut short
    location = location_of(path)
    everything = zarr.open_group(location.zarr_store(), mode="r+", zarr_format=3, use_consolidated=False)
    arrays = dict(everything.arrays())
    lengths = {name: len(stored[name]) + len(new.get(name, ())) for name in grid.dims}
    for name, array in arrays.items():
        dims = array.metadata.dimension_names  # type: ignore[union-attr]
        if name not in grid.dims and dims and set(dims) & set(new):
            array.resize(tuple(lengths.get(dim, size) for dim, size in zip(dims, array.shape, strict=True)))
    for name, added in new.items():
        coordinate = arrays[name]
        coordinate.resize((lengths[name],))
        coordinate[len(stored[name]) :] = np.asarray(added, dtype=coordinate.dtype)
    location.sync_all()
    earlier = json.loads(str(root.attrs.get(EARLIER_STUDIES, "[]")))
    if (before := root.attrs["study"]) not in (study, *earlier[:1]):
        earlier = [before, *earlier]
    root.attrs.update({GROWN: 1, "study": study, EARLIER_STUDIES: json.dumps(earlier)})
    consolidate(location)
    return new


def undo_growth(path: StoreLike) -> None:
    """Give arrays back the lengths along the grid at which readers see them, where growth was cut short.

    Beyond lies nothing that was recorded. Whoever is about to write to a store calls this first, under the driver's
    lock: metadata that is gathered for something else would otherwise show arrays of two lengths. It reads the metadata
    of each array, and writes nothing where all are as they are seen.

    Parameters
    ----------
    path
        The store.
    """
    location = location_of(path)
    seen, there = (
        zarr.open_group(location.zarr_store(), mode="r+", zarr_format=3, use_consolidated=gathered)
        for gathered in (True, False)
    )
    shapes = {name: array.shape for name, array in seen.arrays()}
    for name, array in there.arrays():
        dims = array.metadata.dimension_names or ()  # type: ignore[union-attr]
        shape = tuple(
            old if dim in DIMENSIONS else new
            for dim, new, old in zip(dims, array.shape, shapes.get(name, array.shape), strict=True)
        )
        if shape != array.shape:
            array.resize(shape)


def read_on_grid(path: StoreLike, name: str, grid: Grid, fill: float) -> np.ndarray:
    """Read an array as a study's grid has it, whatever the order of the store's labels.

    Parameters
    ----------
    path
        The store.
    name
        The array, over some of the grid's dimensions.
    grid
        The study's grid.
    fill
        For labels that the store has not.

    Returns
    -------
    ndarray
        Over the grid's labels along the array's dimensions.

    Raises
    ------
    StoreError
        As `sweep.open_store`, or if the array cannot be read.
    """
    root = open_root(path, "r")
    values = read_whole(path, name)
    array: Any = root[name]
    dims: tuple[str, ...] = array.metadata.dimension_names
    # targets of transfers are the grid's dislocations
    axes = [grid.axis("dislocation" if dim == TARGET else dim) for dim in dims]
    places = [_places(_labels(root, dim), axis.values) for dim, axis in zip(dims, axes, strict=True)]
    found = np.full([len(place) for place in places], fill, dtype=values.dtype)
    known = [place >= 0 for place in places]
    found[np.ix_(*known)] = values[np.ix_(*(place[has] for place, has in zip(places, known, strict=True)))]
    return found


def root_dims(root: zarr.Group) -> tuple[str, ...]:
    """Name the dimensions of a store's grid."""
    status: Any = root["status"]
    return tuple(status.metadata.dimension_names)


def _labels(root: zarr.Group, name: str) -> list[Any]:
    array: Any = root[name]
    return list(array[:].tolist())


def _added(stored: Sequence[Any], wanted: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(label for label in wanted if label not in stored)


def _places(stored: Sequence[Any], wanted: Sequence[Any]) -> np.ndarray:
    """Positions of labels among those of the store; -1 where it has not."""
    position: Mapping[Any, int] = {label: place for place, label in enumerate(stored)}
    return np.array([position.get(label, -1) for label in wanted], dtype=np.int64)
