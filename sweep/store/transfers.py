"""Transfers in a store: how a point's fit does on each dislocation, beside what the grid's variables say of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import zarr

from sweep.grid import BLOCK_DIMENSIONS, Block, Grid
from sweep.location import Location, StoreLike, location_of
from sweep.store.codecs import COMPRESSORS
from sweep.store.growth import read_on_grid
from sweep.store.layout import Layout, layout_of
from sweep.store.root import chunk_key, open_root
from sweep.store.template import consolidate
from sweep.transfers.variables import GIVEN, PREFIX, RELAXED, STATUS, TARGET, TRANSFER_VARIABLES
from sweep.trust import trust_of
from sweep.variables import Status, Variable

Values: TypeAlias = Mapping[str, np.ndarray]
#: What is kept of a variable while its chunk is worked on.
Chunk: TypeAlias = dict[str, np.ndarray]


def read_transfer_status(path: StoreLike, grid: Grid) -> np.ndarray | None:
    """Read how far transfers are: uint8 values of `sweep.variables.Status`, over the grid and its dislocations.

    None where the store has no transfers yet. Raises as `sweep.open_store`.
    """
    return read_on_grid(path, STATUS, grid, Status.pending) if STATUS in open_root(path, "r") else None


def write_transfers(path: StoreLike, values_of: Callable[[Block, str], Values | None]) -> int:
    """Bring a store's transfers up to date, a chunk at a time: the data first, then the status.

    A point's own dislocation takes what the grid's variables say; others what is given. What was relaxed stays. Only
    the driver may call this, under its lock.

    Parameters
    ----------
    path
        The store.
    values_of
        Given a block and another dislocation, what is known of the block's fits there: each of
        `sweep.transfers.variables.GIVEN` by name, (weightings, ...); None where nothing is. Asked only where the store
        does not know.

    Returns
    -------
    int
        Number of chunks that changed.

    Raises
    ------
    StoreError
        As `sweep.open_store`.
    OSError
        If an array cannot be written; points whose status was not yet written are as before.
    """
    location = location_of(path)
    arrays = _arrays(location)
    layout, targets = layout_of(arrays), tuple(arrays[TARGET][:].tolist())
    counts = [range(-(-length // size)) for length, size in zip(layout.shape, layout.chunk, strict=True)]
    return sum(
        _update(location, arrays, layout, targets, chunk, values_of) for chunk in itertools.product(*counts)
    )


def write_relaxed_transfer(
    path: StoreLike,
    block: Block,
    weighting: int,
    target: str,
    status: Status,
    values: Mapping[str, Any],
) -> None:
    """Write what relaxing one fit in the target's cylinder gave; its estimates stay.

    Only the driver may call this, under its lock.

    Parameters
    ----------
    path
        The store; `write_transfers` has given it its transfers.
    block, weighting
        The point: its block, and its place among the block's weightings.
    target
        The dislocation.
    status
        How the relaxation ended.
    values
        Some of `sweep.transfers.variables.RELAXED` by name.

    Raises
    ------
    LookupError
        If the point or the target is not the store's.
    StoreError
        As `sweep.open_store`.
    """
    location = location_of(path)
    arrays = _arrays(location)
    layout, targets = layout_of(arrays), tuple(arrays[TARGET][:].tolist())
    if target not in targets:
        raise LookupError(f"{TARGET} has no {target!r}; it has {', '.join(map(str, targets))}")
    index = layout.index(block)
    outer = layout.chunk_of(index)
    region = layout.region(outer)
    new = _read(arrays, region)
    cells, place = _cells(new, layout, layout.within(index)), (weighting, targets.index(target))
    for name in RELAXED:
        cells[PREFIX + name][place] = values.get(name, np.nan)
    cells[STATUS][place] = status
    _derive(new)
    _write(location, arrays, layout, outer, region, new)


def _update(
    location: Location,
    arrays: Mapping[str, Any],
    layout: Layout,
    targets: tuple[str, ...],
    chunk: tuple[int, ...],
    values_of: Callable[[Block, str], Values | None],
) -> bool:
    """Bring one chunk up to date; say whether it changed."""
    region = layout.region(chunk)
    own = np.asarray(arrays["status"][region])
    if (own == Status.pending).all():
        return False
    new = _read(arrays, region)
    statuses = own.reshape(*own.shape[: layout.n_outer], -1)
    for within, block in _blocks(layout, region):
        # which weightings are no fit is in the block's own record
        if np.isin(statuses[within], [Status.pending, Status.not_asked]).all():
            continue
        cells = _cells(new, layout, within)
        for place, target in enumerate(targets):
            known = np.isin(cells[STATUS][:, place], [Status.pending, Status.not_asked], invert=True)
            lacking = (~known & (statuses[within] != Status.not_asked)).any()
            if target != block.dislocation and lacking and (values := values_of(block, target)) is not None:
                _take(cells, place, values, statuses[within])
    _derive(new)
    _take_own(new, arrays, layout, region, targets)
    return _write(location, arrays, layout, chunk, region, new)


def _take(cells: Chunk, place: int, values: Values, own: np.ndarray) -> None:
    """Take what is known of a block's fits on one target, of those that the study asks for."""
    asked = own != Status.not_asked
    for name in GIVEN:
        cells[PREFIX + name][asked, place] = np.asarray(values[name])[asked]
    fitted = np.isfinite(values["rmse_forces"]).any(axis=-1)
    elsewhere = [own == Status.excluded, ~asked, fitted]
    status = np.select(elsewhere, [Status.excluded, Status.not_asked, Status.estimated], Status.failed)
    open_to_it = np.isin(cells[STATUS][:, place], [Status.pending, Status.failed, Status.not_asked])
    cells[STATUS][open_to_it, place] = status[open_to_it]


def _take_own(
    new: Chunk, arrays: Mapping[str, Any], layout: Layout, region: tuple[slice, ...], targets: tuple[str, ...]
) -> None:
    """Give each point's own dislocation what the grid's variables say of it."""
    labels = layout.labels["dislocation"][region[0]]
    for variable in TRANSFER_VARIABLES:
        values = np.asarray(arrays[variable.name.removeprefix(PREFIX)][region])
        for row, dislocation in enumerate(labels):
            inner: list[slice] = [slice(None)] * (len(layout.shape) - 1)
            at: tuple[int | slice, ...] = (row, *inner, targets.index(dislocation))
            new[variable.name][at] = values[row]


def _derive(new: Chunk) -> None:
    estimate, error = (new[PREFIX + name] for name in ("geometry_estimate", "geometry_error"))
    known = np.isfinite(estimate) & np.isfinite(error) & (error > 0)
    new[PREFIX + "effectivity"][...] = np.divide(
        estimate, error, out=np.full_like(error, np.nan), where=known
    )
    new[PREFIX + "estimate_trusted"][...] = trust_of(
        new[PREFIX + "trust_ratio"], new[PREFIX + "stiffness_estimate"]
    )


def _blocks(layout: Layout, region: tuple[slice, ...]) -> Iterator[tuple[tuple[int, ...], Block]]:
    """Go through the blocks of a chunk, each with its place in it."""
    names = [name for name in layout.labels if name in BLOCK_DIMENSIONS]
    labels = [layout.labels[name][part] for name, part in zip(names, region, strict=False)]
    for places in itertools.product(*(range(len(each)) for each in labels)):
        named = {name: each[at] for name, each, at in zip(names, labels, places, strict=True)}
        yield places, Block(**named)


def _read(arrays: Mapping[str, Any], region: tuple[slice, ...]) -> Chunk:
    return {each.name: np.asarray(arrays[each.name][region]).copy() for each in TRANSFER_VARIABLES}


def _cells(chunk: Chunk, layout: Layout, within: tuple[int, ...]) -> Chunk:
    """View a chunk's values at one block: (weightings, targets, ...)."""
    views = {}
    for name, values in chunk.items():
        block = values[within]
        views[name] = block.reshape(layout.n_weightings, *block.shape[len(layout.shape) - layout.n_outer :])
    return views


def _write(
    location: Location,
    arrays: Mapping[str, Any],
    layout: Layout,
    chunk: tuple[int, ...],
    region: tuple[slice, ...],
    new: Chunk,
) -> bool:
    """Write what differs from the store, the status when the rest is on the disk; say whether anything did."""
    old = _read(arrays, region)
    # bit by bit: NaN equals NaN
    changed = [name for name in new if new[name].tobytes() != old[name].tobytes()]
    data = [name for name in changed if name != STATUS]
    for name in data:
        arrays[name][region] = new[name]
    if STATUS in changed:
        weights = (0,) * (len(layout.shape) - layout.n_outer)
        for name in data:
            # several along the targets where dislocations were added
            for place in range(arrays[name].cdata_shape[len(layout.shape)]):
                key = chunk_key(arrays[name], (*chunk[: layout.n_outer], *weights, place))
                location.sync([key])
        arrays[STATUS][region] = new[STATUS]
    return bool(changed)


def _arrays(path: Location) -> dict[str, Any]:
    """Give a store's arrays, those of transfers to each of its dislocations among them: made where they are missing."""
    arrays: dict[str, Any] = dict(open_root(path, "r+").arrays())
    dislocations = arrays["dislocation"][:].tolist()
    known = arrays[TARGET][:].tolist() if STATUS in arrays else []
    if known == dislocations:
        return arrays
    # what consolidated metadata does not name yet is nobody's: a driver was killed while it made it
    root = zarr.open_group(path.zarr_store(), mode="r+", zarr_format=3, use_consolidated=False)
    if STATUS not in arrays:
        for variable in TRANSFER_VARIABLES:
            _create(root, variable, arrays, len(dislocations))
    else:
        for variable in TRANSFER_VARIABLES:
            array: Any = root[variable.name]
            at = array.metadata.dimension_names.index(TARGET)
            array.resize((*array.shape[:at], len(dislocations), *array.shape[at + 1 :]))
    attributes: dict[str, Any] = {
        **arrays["dislocation"].attrs,
        "long_name": "dislocation that a fit is judged on",
    }
    coordinate = root.create_array(
        TARGET,
        shape=(len(dislocations),),
        chunks=(len(dislocations),),
        dtype="str",
        compressors=COMPRESSORS,
        dimension_names=(TARGET,),
        attributes=attributes,
        overwrite=True,
    )
    coordinate[...] = np.asarray(dislocations)
    path.sync_all()
    consolidate(path)
    return dict(open_root(path, "r+").arrays())


def _create(root: zarr.Group, variable: Variable, arrays: Mapping[str, Any], targets: int) -> None:
    status, attributes = arrays["status"], dict[str, Any](variable.attributes)
    further = tuple(arrays[name].shape[0] for name in variable.extra_dims[1:])
    root.create_array(
        variable.name,
        shape=(*status.shape, targets, *further),
        # a chunk has every target: a point's transfers are written together
        chunks=(*status.chunks, targets, *further),
        dtype=variable.dtype,
        compressors=COMPRESSORS,
        fill_value=variable.fill if variable.dtype.startswith("float") else int(variable.fill),
        dimension_names=(*status.metadata.dimension_names, *variable.extra_dims),
        attributes=attributes,
        overwrite=True,
    )
