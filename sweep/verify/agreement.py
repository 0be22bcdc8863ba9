"""Whether status, data and journals of a store agree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

from sweep.journal import JournalError, JournalReader
from sweep.record_index import RecordIndex
from sweep.store.layout import Layout
from sweep.variables import Status, StatusSource
from sweep.verify.findings import FROM_JOURNALS, Finding, Weight

RUN_AGAIN = "run the study again: it goes on from there"

#: What a point may be that no record speaks of.
WITHOUT_RECORD = (Status.pending, Status.excluded, Status.not_asked)


def check_status(dataset: xr.Dataset) -> Iterator[Finding]:
    """Compare every point's status with its data.

    Parameters
    ----------
    dataset
        The store, loaded.
    """
    status, source = dataset["status"].values, dataset["status_source"].values
    known = {name: np.isfinite(dataset[name].values) for name in ("geometry_error", "basis_size")}
    fitted = np.isin(status, [Status.estimated, Status.relaxed])
    checks = (
        (
            (status == Status.relaxed) & ~known["geometry_error"],
            "relaxed without a geometry_error",
            FROM_JOURNALS,
        ),
        (
            fitted & ~known["basis_size"] & (source == StatusSource.block),
            "fitted without a fit's values",
            FROM_JOURNALS,
        ),
        (~np.isin(status, list(Status)), "of a status that there is not", FROM_JOURNALS),
        (
            (status == Status.pending) & (known["geometry_error"] | known["basis_size"]),
            "pending with data: a driver ended between data and status",
            RUN_AGAIN,
        ),
        (
            ~np.isin(status, WITHOUT_RECORD) & (source == StatusSource.none),
            "of a status that no record gave",
            FROM_JOURNALS,
        ),
    )
    for where, what, mend in checks:
        if where.any():
            first = {
                name: dataset[name].values.tolist()[at]
                for name, at in zip(dataset["status"].dims, np.argwhere(where)[0], strict=True)
            }
            named = ", ".join(f"{name} {label}" for name, label in first.items())
            yield Finding("status", f"{int(where.sum())} points are {what}; the first is {named}", mend)


def check_journals(folder: Path, layout: Layout, dataset: xr.Dataset) -> Iterator[Finding]:
    """Read every journal's frames, whose checksums are checked, and compare them with the status.

    Parameters
    ----------
    folder
        The journals'.
    layout, dataset
        The store's; the dataset as it is stored, not sorted.
    """
    index = RecordIndex(JournalReader(folder), keeping=())
    try:
        for _ in index.parts():
            pass
    except JournalError as error:
        yield Finding(str(folder), str(error), "use the version that wrote it")
        return
    for damage in index.damage:
        mend = "run the study again: what it held after that, and the store has not, is computed again"
        yield Finding(str(damage.path), f"damaged from byte {damage.offset} on ({damage.reason})", mend)
    status = dataset["status"].values
    journaled = np.zeros(status.shape, dtype=bool)
    stray: list[str] = []
    for record in index.each():
        try:
            cells = journaled[layout.index(record.block)].reshape(-1)
        except LookupError:
            stray.append(record.name)
            continue
        if record.weighting_index is None:
            words = record.statuses * (len(cells) if len(record.statuses) == 1 else 1)
            if len(words) != len(cells):
                stray.append(record.name)
                continue
            cells[np.array([word != Status.pending.name for word in words])] = True
        elif record.weighting_index < len(cells):
            cells[record.weighting_index] = True
        else:
            stray.append(record.name)
    if stray:
        mend = "move the run folder away if it is of another study"
        yield Finding(
            str(folder), f"{len(stray)} records are off the store's grid; the first is the {stray[0]}", mend
        )
    waiting = journaled & (status == Status.pending)
    if waiting.any():
        what = f"{int(waiting.sum())} points are journaled and not in the store"
        yield Finding("status", what, "run the study again, or let its driver finish: it takes them in")
    unknown = ~journaled & ~np.isin(status, WITHOUT_RECORD)
    if unknown.any():
        what = f"{int(unknown.sum())} points are in the store and in no journal: a lost store would not be made again"
        yield Finding("status", what, weight=Weight.note)
