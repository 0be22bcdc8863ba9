"""The failures a store keeps beside its grid: what could not be done where, why, and what the logs said last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
import zarr
from zarr.abc.store import Store

from sweep.causes import Cause
from sweep.grid import DIMENSIONS, WEIGHTING_DIMENSIONS, Block, Cylinder
from sweep.location import StoreLike, location_of
from sweep.store.codecs import COMPRESSORS
from sweep.store.errors import StoreError
from sweep.store.layout import Layout, layout_of
from sweep.store.root import open_root
from sweep.store.template import consolidate

GROUP = "failures"
ROW = "failure"
#: Weighting of a failure of all of a block, or of a cylinder.
WHOLE = -1

#: What failed: a cylinder or a block, or one of the block's points.
Failed: TypeAlias = tuple[Block | Cylinder, int | None]

#: Columns beside the coordinates: long name, and how they are read off what failed.
COLUMNS: dict[str, str] = {
    "place": "block or cylinder as the journals name it",
    "weighting": "index of the point among its block's weightings, -1 for all of them",
    "stage": "stage of the task that failed",
    "message": "what happened",
    "log_tail": "last lines that the worker's ranks printed",
    "attempts": "how often it was tried",
    "worker": "worker that met it last",
    "when": "when it was given up, UTC",
}
WORDS = ("stage", "message", "log_tail", "worker", "when")


def open_failures(path: StoreLike) -> xr.Dataset:
    """Open what a store says of its failures: a row each, with the point's coordinates.

    A row stands for one point, or for a whole block or cylinder: coordinates that do not apply are NaN. Only what is
    failed now has a row; points that succeeded later have none.

    Parameters
    ----------
    path
        The store.

    Returns
    -------
    xarray.Dataset
        Over ``failure``: `COLUMNS`, and the grid's dimensions as coordinates.

    Raises
    ------
    StoreError
        As `sweep.open_store`.
    """
    root = open_root(path, "r")
    if GROUP not in set(root.group_keys()):
        return _dataset(layout_of(dict(root.arrays())), {})
    # its own metadata, since the root's may be older
    rows: xr.Dataset = xr.open_zarr(
        location_of(path).zarr_store(read_only=True), group=GROUP, chunks=None, consolidated=False
    )
    return rows.load()


def read_failures(path: StoreLike) -> dict[Failed, Cause]:
    """Read what failed, and why; what is damaged is a `StoreError` too. Raises as `open_failures`."""
    try:
        return _causes(open_failures(path))
    except StoreError:
        raise
    # what a damaged chunk raises is the codec's affair
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        raise StoreError(f"{path}: {GROUP} cannot be read ({error}); the next run writes it anew") from error


def _causes(rows: xr.Dataset) -> dict[Failed, Cause]:
    names = ("stage", "message", "worker", "attempts", "log_tail", "when")
    columns = {name: rows[name].values.tolist() for name in ("place", "weighting", *names)}
    found: dict[Failed, Cause] = {}
    for row in range(rows.sizes[ROW]):
        key, weighting = str(columns["place"][row]), int(columns["weighting"][row])
        place = Block.from_key(key) if "degree=" in key else Cylinder.from_key(key)
        cause = Cause(*(columns[name][row] for name in names))
        found[place, None if weighting == WHOLE else weighting] = cause
    return found


def write_failures(path: StoreLike, failures: Mapping[Failed, Cause]) -> None:
    """Write what failed, in place of what was written before. Only the driver may call this, under its lock.

    Raises
    ------
    StoreError
        As `sweep.open_store`.
    OSError
        If it cannot be written.
    """
    location, layout = location_of(path), layout_of(dict(open_root(path, "r").arrays()))
    with location.new_group(GROUP) as store:
        _write_group(store, _dataset(layout, failures))
    consolidate(location)


def _write_group(store: Store, rows: xr.Dataset) -> None:
    group = zarr.create_group(store, zarr_format=3, attributes=dict(rows.attrs))
    for name, column in rows.variables.items():
        array = group.create_array(
            str(name),
            shape=column.shape,
            chunks=(max(1, len(column)),),
            dtype="str" if column.dtype.kind == "T" else column.dtype,
            compressors=COMPRESSORS,
            dimension_names=(ROW,),
            attributes=dict(column.attrs),
        )
        array[...] = column.values
    consolidate(store)


def _dataset(layout: Layout, failures: Mapping[Failed, Cause]) -> xr.Dataset:
    """Lay failures out in columns, in the order of their places."""
    ordered = sorted(failures, key=lambda failed: (failed[0].key, WHOLE if failed[1] is None else failed[1]))
    causes = [failures[failed] for failed in ordered]
    words = {name: _text([getattr(cause, name) for cause in causes]) for name in WORDS}
    values = words | {
        "place": _text([place.key for place, _ in ordered]),
        "weighting": np.asarray([WHOLE if w is None else w for _, w in ordered], dtype=np.int64),
        "attempts": np.asarray([cause.attempts for cause in causes], dtype=np.int64),
    }
    columns = {
        name: (ROW, values[name], {"long_name": about, "units": "1"}) for name, about in COLUMNS.items()
    }
    coordinates: dict[str, Any] = {}
    for name in layout.labels:
        units, long_name = DIMENSIONS[name]
        labels = [_label(layout, name, failed) for failed in ordered]
        column = _text(labels) if name == "dislocation" else np.asarray(labels, dtype=np.float64)
        coordinates[name] = (ROW, column, {"long_name": long_name, "units": units})
    title = {"title": "what could not be done", "coordinates": " ".join(coordinates)}
    return xr.Dataset(columns, coordinates, title)


def _label(layout: Layout, name: str, failed: Failed) -> Any:
    """Give a coordinate of what failed; NaN where it has none."""
    place, weighting = failed
    if name not in WEIGHTING_DIMENSIONS:
        return getattr(place, name, np.nan)
    if weighting is None:
        return np.nan
    names = [dim for dim in layout.labels if dim in WEIGHTING_DIMENSIONS]
    places = np.unravel_index(weighting, [len(layout.labels[dim]) for dim in names])
    return layout.labels[name][places[names.index(name)]]


def _text(words: Sequence[Any]) -> np.ndarray:
    # of variable length: a log's tail is a thousand times as long as a worker's name
    plain = [str(word).encode(errors="backslashreplace").decode() for word in words]
    return np.asarray(plain, dtype=np.dtypes.StringDType())
