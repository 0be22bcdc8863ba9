"""Truncation records taken into a store: a few numbers for each dislocation and simulated radius."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from sweep.grid import CYLINDER_DIMENSIONS
from sweep.location import StoreLike, location_of
from sweep.store.errors import UnstorableRecordError
from sweep.store.layout import shortened
from sweep.store.root import chunk_key, open_root, read_whole
from sweep.truncations import TruncationRecord
from sweep.variables import CYLINDER_VARIABLES, Status

STATUS = "truncation_status"
#: Variables that a truncation record gives.
GIVEN = tuple(variable.name for variable in CYLINDER_VARIABLES if variable.name != STATUS)


def read_truncation_status(path: StoreLike) -> np.ndarray:
    """Read every cylinder's status: uint8 values of `sweep.variables.Status`, (dislocation, simulation_radius).

    Raises as `sweep.open_store`.
    """
    return read_whole(path, STATUS)


def write_truncations(path: StoreLike, records: Iterable[TruncationRecord]) -> bool:
    """Merge truncation records into the store: the data, then, when these are on the disk, the status.

    Every record is checked before anything is written. The last record of a cylinder counts, but a failure
    never replaces a result; merging the same records again changes nothing. Only the driver may call this,
    under its lock.

    Parameters
    ----------
    path
        The store.
    records
        Records of any of its cylinders.

    Returns
    -------
    bool
        Whether anything changed.

    Raises
    ------
    UnstorableRecordError
        If a record is off the grid or names an unknown variable; the message names both. Nothing is written.
    StoreError
        As `sweep.open_store`.
    OSError
        If an array cannot be written; cylinders whose status was not yet written are as before.
    """
    arrays: dict[str, Any] = dict(open_root(path, "r+").arrays())
    labels = {name: arrays[name][:].tolist() for name in CYLINDER_DIMENSIONS}
    placed = [(_place(labels, record), record) for record in records]
    old = {name: np.asarray(arrays[name][...]) for name in (*GIVEN, STATUS)}
    new = {name: values.copy() for name, values in old.items()}
    for place, record in placed:
        _apply(new, place, record)
    # bit by bit: NaN equals NaN
    changed = [name for name in new if new[name].tobytes() != old[name].tobytes()]
    data = [name for name in changed if name != STATUS]
    for name in data:
        arrays[name][...] = new[name]
    if STATUS in changed:
        location_of(path).sync(
            chunk_key(arrays[name], chunk) for name in data for chunk in np.ndindex(arrays[name].cdata_shape)
        )
        arrays[STATUS][...] = new[STATUS]
    return bool(changed)


def _place(labels: Mapping[str, list[Any]], record: TruncationRecord) -> tuple[int, int]:
    """Find a record's cylinder, and check that it gives what the store knows."""
    positions = []
    for name in CYLINDER_DIMENSIONS:
        label = getattr(record.cylinder, name)
        if label not in labels[name]:
            raise UnstorableRecordError(
                f"{record.name} is off the store's grid: {name} has no {label!r}; it has {shortened(labels[name])}"
            )
        positions.append(labels[name].index(label))
    if unknown := [name for name in record.values if name not in GIVEN]:
        raise UnstorableRecordError(
            f"{record.name}: {', '.join(unknown)} is not what truncation records give; give {', '.join(GIVEN)}"
        )
    dislocation, radius = positions
    return dislocation, radius


def _apply(arrays: Mapping[str, np.ndarray], place: tuple[int, int], record: TruncationRecord) -> None:
    known = arrays[STATUS][place] not in (Status.pending, Status.excluded, Status.failed)
    if record.failed and known:
        return
    for name in GIVEN:
        arrays[name][place] = record.values.get(name, np.nan)
    arrays[STATUS][place] = Status[record.status]
