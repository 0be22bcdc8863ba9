"""What a store keeps beside its points enters another: truncation errors, failures, configurations, lengths."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from sweep.causes import Cause
from sweep.grid import CYLINDER_DIMENSIONS, Cylinder
from sweep.location import GROUP_FILE, Location, StoreLike
from sweep.merging.copying import copied
from sweep.store import Failed, read_failures, write_failures, write_truncations
from sweep.store.burgers import read_burgers_lengths, write_burgers_lengths
from sweep.store.configurations import GROUP as CONFIGURATIONS
from sweep.store.layout import Layout, layout_of
from sweep.store.potential_cores import POTENTIALS
from sweep.store.root import open_root
from sweep.store.template import consolidate
from sweep.store.truncations import GIVEN, STATUS
from sweep.truncations import ENDS, TruncationRecord
from sweep.variables import Status, StatusSource


def take_truncations(target: StoreLike, source: StoreLike) -> None:
    """Write truncation errors that another store has and this one has not; raises as `sweep.open_store`."""
    ours = {record.cylinder: record for record in _truncations(target)}
    write_truncations(
        target,
        [
            record
            for record in _truncations(source)
            if record.cylinder not in ours or (ours[record.cylinder].failed and not record.failed)
        ],
    )


def _truncations(store: StoreLike) -> list[TruncationRecord]:
    arrays: dict[str, Any] = dict(open_root(store, "r").arrays())
    status = arrays[STATUS][...]
    values = {name: arrays[name][...] for name in GIVEN}
    labels = [arrays[name][:].tolist() for name in CYLINDER_DIMENSIONS]
    return [
        TruncationRecord(
            Cylinder(labels[0][at[0]], labels[1][at[1]]),
            Status(int(status[at])).name,
            {name: float(each[at]) for name, each in values.items() if np.isfinite(each[at])},
        )
        for at in itertools.product(*(range(len(each)) for each in labels))
        if status[at] in ENDS
    ]


def take_failures(target: StoreLike, source: StoreLike) -> None:
    """Write why points failed that are failed in both stores taken together; raises as `sweep.open_store`."""
    known = read_failures(target)
    arrays: dict[str, Any] = dict(open_root(target, "r").arrays())
    layout = layout_of(arrays)
    both: Mapping[Failed, Cause] = {**read_failures(source), **known}
    still = {failed: cause for failed, cause in both.items() if _is_failed(arrays, layout, failed)}
    if still != known:
        write_failures(target, still)


def _is_failed(arrays: Mapping[str, Any], layout: Layout, failed: Failed) -> bool:
    place, weighting = failed
    if isinstance(place, Cylinder):
        labels = (layout.labels[name].index(getattr(place, name)) for name in CYLINDER_DIMENSIONS)
        return bool(arrays[STATUS][tuple(labels)] == Status.failed)
    status, source = (
        np.asarray(arrays[name][layout.index(place)]).ravel() for name in ("status", "status_source")
    )
    if weighting is not None:
        return bool(status[weighting] == Status.failed)
    return bool(((status == Status.failed) & (source == StatusSource.block)).any())


def take_lengths(target: StoreLike, source: StoreLike) -> None:
    """Write the Burgers vectors' lengths that another store knows; raises as `sweep.open_store`."""
    if lengths := read_burgers_lengths(source):
        write_burgers_lengths(target, lengths | read_burgers_lengths(target))


def take_configurations(target: Location, source: Location) -> None:
    """Copy the reference's configurations and potentials' cores that another store keeps and this one does not."""
    known = set(target.names())
    new = [
        key
        for key in source.names()
        if key.startswith(f"{CONFIGURATIONS}/")
        and key not in known
        and f"{_group_of(key)}/{GROUP_FILE}" not in known
    ]
    if not new:
        return
    copied(source.zarr_store(read_only=True), target.zarr_store(), new)
    # a configuration has metadata of its own, which names the potentials' cores below it
    for group in sorted({"/".join(key.split("/")[:3]) for key in new if key.count("/") > 2}):
        consolidate(target, group)
    consolidate(target)


def _group_of(key: str) -> str:
    """Name the group that is written whole to which a key belongs: a configuration, or a potential's core."""
    parts = key.split("/")
    return "/".join(parts[: 5 if parts[3:4] == [POTENTIALS] else 3])
