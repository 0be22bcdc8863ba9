"""The labelled Zarr store of a study: make a template, set it up, validate a chunk, write it.

`xarray.open_zarr` reads it; only the driver writes, under its lock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import xarray as xr

from sweep.grid import BLOCK_DIMENSIONS
from sweep.location import Location, StoreLike, location_of
from sweep.measured import measured_variables
from sweep.records import Record
from sweep.store.errors import StoreError
from sweep.store.growth import GROWN
from sweep.store.layout import Layout, layout_of
from sweep.store.merge import COMPARED, apply_records, derive
from sweep.store.placing import placed_by_chunk
from sweep.store.root import at_location, chunk_key, open_root, read_whole
from sweep.store.template import consolidate
from sweep.variables import VARIABLES, Source, Variable

# Chunks of as many variables are read or written at once: each is a file, and a file server answers late.
AT_ONCE = 8


def open_store(path: StoreLike) -> xr.Dataset:
    """Open a store for reading; values are loaded where they are used.

    Parameters
    ----------
    path
        The store: a path, or any URL that fsspec opens, whose options come from the environment.

    Returns
    -------
    xarray.Dataset
        Every variable over (dislocation, ..., weights), with units and long names. `status` is uint8
        with CF flags. Labels stand in the study's order; those of a store that has grown ascend.

    Raises
    ------
    StoreMissingError
        If there is nothing at this path.
    StoreError
        If it is not a store of Farfield's, or of a newer version.
    """
    grown = open_root(path, "r").attrs.get(GROWN, False)
    with at_location(path) as location:
        dataset: xr.Dataset = xr.open_zarr(
            location.zarr_store(read_only=True), chunks=None, consolidated=True
        )
    if not grown:
        return dataset
    # weights never grow: records name a weighting by its place on these axes
    grows = [name for name in dataset["status"].dims if name in BLOCK_DIMENSIONS]
    return dataset.sortby([name for name in grows if dataset[name].dtype.kind in "if"])


def read_status(path: StoreLike) -> np.ndarray:
    """Read every point's status: uint8 values of `sweep.variables.Status`, over the grid's dimensions.

    Raises as `open_store`.
    """
    return read_whole(path, "status")


def read_status_source(path: StoreLike) -> np.ndarray:
    """Read where every point's status comes from: uint8 values of `sweep.variables.StatusSource`.

    Raises as `open_store`.
    """
    return read_whole(path, "status_source")


def stored_fingerprint(path: StoreLike) -> dict[str, Any]:
    """Read the fingerprint of the study that the store was made for.

    Raises as `open_store`.
    """
    text = open_root(path, "r").attrs.get("fingerprint")
    try:
        fingerprint = json.loads(str(text))
    except ValueError:
        fingerprint = None
    if not isinstance(fingerprint, dict):
        raise StoreError(f"{path} does not say what study it was made for; name another store")
    return fingerprint


def accept_packages(path: StoreLike, packages: Mapping[str, str]) -> None:
    """Record that a store goes on with other packages; those it was made with so far are kept beside them.

    Only the driver may call this, under its lock. Raises as `open_store`.
    """
    fingerprint = stored_fingerprint(path)
    root = open_root(path, "r+")
    earlier = json.loads(str(root.attrs.get("earlier_packages", "[]")))
    root.attrs["earlier_packages"] = json.dumps([*earlier, fingerprint["packages"]], sort_keys=True)
    root.attrs["packages"] = json.dumps(dict(packages), sort_keys=True)
    root.attrs["fingerprint"] = json.dumps({**fingerprint, "packages": dict(packages)}, sort_keys=True)
    consolidate(path)


def accept_kernels(path: StoreLike, kernels: Mapping[str, int]) -> None:
    """Record the versions of kernels that a store was not made with: those of a newer version of Farfield.

    Only the driver may call this, under its lock. Raises as `open_store`.
    """
    fingerprint = stored_fingerprint(path)
    root = open_root(path, "r+")
    root.attrs["fingerprint"] = json.dumps({**fingerprint, "kernels": dict(kernels)}, sort_keys=True)
    consolidate(path)


def write_records(path: StoreLike, records: Iterable[Record]) -> int:
    """Merge records into the store.

    Every record is checked before anything is written. Then, chunk by chunk, the block records are applied
    in the order given, the point records after them (`sweep.store.merge` says how), and each variable that
    changed is written once: the data, then, when these are on the disk, the status. Merging the same
    records again changes nothing. Only the driver may call this, under its lock.

    Parameters
    ----------
    path
        The store.
    records
        Records of any blocks and points of its grid.

    Returns
    -------
    int
        Number of chunks that changed.

    Raises
    ------
    UnstorableRecordError
        If a record is off the grid, names an unknown variable, or has a value of the wrong shape; the message
        names the block, the chunk and the variable. Nothing is written.
    StoreError
        As `open_store`.
    OSError
        If a chunk cannot be written; points whose status was not yet written are as before.
    """
    location, root = location_of(path), open_root(path, "r+")
    arrays: dict[str, Any] = dict(root.arrays())
    layout, measured = layout_of(arrays), measured_variables(root.attrs)
    variables = tuple(variable for variable in (*measured, *VARIABLES) if variable.name in arrays)
    of_chunk = placed_by_chunk(layout, measured, records)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return sum(
            _merge_chunk(location, arrays, layout, variables, chunk, of_chunk[chunk], threads)
            for chunk in sorted(of_chunk)
        )


def _merge_chunk(
    location: Location,
    arrays: Mapping[str, Any],
    layout: Layout,
    variables: Sequence[Variable],
    chunk: tuple[int, ...],
    placed: Mapping[tuple[int, ...], Sequence[Record]],
    threads: ThreadPoolExecutor,
) -> bool:
    """Apply one chunk's records and write what changed; say whether anything did."""
    region = layout.region(chunk)
    if all(record.weighting_index is not None for records in placed.values() for record in records):
        # records of points leave what is known of blocks as it is, but for what their results are compared with
        variables = [each for each in variables if each.source is not Source.block or each.name in COMPARED]
    names = [variable.name for variable in variables]
    old = dict(zip(names, threads.map(lambda name: np.asarray(arrays[name][region]), names), strict=True))
    new = {name: values.copy() for name, values in old.items()}
    _take_in(new, placed, layout, variables)
    derive(new)
    changed = [variable.name for variable in variables if not _same(old[variable.name], new[variable.name])]
    data = [name for name in changed if name != "status"]
    # every one is waited for, and what went wrong with one is raised here
    list(threads.map(lambda name: arrays[name].__setitem__(region, new[name]), data))
    if "status" in changed:
        location.sync(chunk_key(arrays[name], chunk[: layout.n_outer]) for name in data)
        arrays["status"][region] = new["status"]
    return bool(changed)


def _take_in(
    values: Mapping[str, np.ndarray],
    placed: Mapping[tuple[int, ...], Sequence[Record]],
    layout: Layout,
    variables: Sequence[Variable],
) -> None:
    """Apply records to a chunk's values, in place."""
    outer = values["status"].shape[: layout.n_outer]
    records = {
        int(np.ravel_multi_index(layout.within(index), outer)): records for index, records in placed.items()
    }
    # No copy: a chunk is whole along the weights, and its values are contiguous.
    cells = {
        variable.name: values[variable.name].reshape(-1, *layout.extra_shape(variable))
        for variable in variables
    }
    apply_records(cells, records, layout.n_weightings, variables)


def _same(old: np.ndarray, new: np.ndarray) -> bool:
    """Compare bit by bit: NaN equals NaN."""
    return old.tobytes() == new.tobytes()
