"""How far a run is, seen from another process: the store, what is journaled beside it, and who is at work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from sweep.causes import Cause
from sweep.failures import failure_changes
from sweep.grid import DIMENSIONS, Axis, Grid
from sweep.location import StoreLike
from sweep.lock import LockHolder, holder_of
from sweep.remaining import Remaining
from sweep.store import Failed, open_store, read_failures, read_on_grid
from sweep.store.root import at_location
from sweep.variables import Status


@dataclass(frozen=True)
class Running:
    """A run as it stands.

    Parameters
    ----------
    driver
        Who holds the run folder's lock; None where nobody does.
    counts
        Points by status, what is journaled counted as if it were in the store.
    waiting
        Points whose status is journaled, and not in the store yet.
    failed
        What is failed now, and why.
    grid
        The store's grid.
    """

    driver: LockHolder | None
    counts: Mapping[str, int]
    waiting: int
    failed: Mapping[Failed, Cause]
    grid: Grid


def running(store: StoreLike, run_folder: Path | None = None) -> Running:
    """Look at a store and its run folder, which a driver and workers may be writing to meanwhile.

    Nothing is written and no lock is taken.

    Raises
    ------
    StoreError
        As `sweep.open_store`.
    JournalError
        If a journal was written by a newer version.
    GridError
        If journals lie beside the store that are not its own.
    OSError
        If a journal cannot be read.
    """
    with at_location(store) as location:
        folder = location.run_folder if run_folder is None else run_folder
    # before anything is read: a driver that ends meanwhile leaves more in the store, never less
    driver = holder_of(folder)
    grid = _grid_of(open_store(store))
    stored = read_on_grid(store, "status", grid, Status.pending)
    failed: dict[Failed, Cause | None] = dict(read_failures(store))
    # after the store: what is merged in between is seen twice, and not missed
    remaining = Remaining(grid, store, folder / "journals", relaxing=True, asking=False)
    for records in remaining.take_found():
        failed |= failure_changes(records, remaining.index)
    numbers = Counter(remaining.status.ravel().tolist())
    return Running(
        driver=driver,
        counts={Status(number).name: count for number, count in sorted(numbers.items())},
        waiting=int(np.count_nonzero(remaining.status != stored)),
        failed={where: why for where, why in failed.items() if why is not None},
        grid=grid,
    )


def _grid_of(dataset: xr.Dataset) -> Grid:
    """Lay out the grid of a store, which may have labels that its study no longer names."""
    names = [str(name) for name in dataset["status"].dims]
    return Grid(tuple(Axis(name, tuple(dataset[name].values.tolist()), *DIMENSIONS[name]) for name in names))
