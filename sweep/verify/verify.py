"""Everything about a store that can be checked without writing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sweep.location import FolderLocation, StoreLike
from sweep.store.layout import layout_of
from sweep.store.root import at_location, open_root
from sweep.verify.agreement import check_journals, check_status
from sweep.verify.artefacts import check_artefacts
from sweep.verify.chunks import check_chunks
from sweep.verify.findings import FROM_JOURNALS, Finding, Weight


def verify_store(
    store: StoreLike, *, run_folder: Path | None = None, artefacts: Path | None = None
) -> Iterator[Finding]:
    """Check a store, its journals and its artefacts; nothing is written and no lock is taken.

    Parameters
    ----------
    store
        The store.
    run_folder, artefacts
        Where journals and artefacts are, if not in the run folder beside the store.

    Yields
    ------
    Finding
        What is wrong, or worth knowing, as it is found.

    Raises
    ------
    StoreError
        If there is no store.
    """
    with at_location(store) as location:
        damaged = False
        for finding in check_chunks(location):
            damaged |= finding.weight is Weight.fault
            yield finding
        if isinstance(location, FolderLocation):
            for half in sorted(location.folder.glob(f".{location.name}.*.tmp")):
                yield Finding(
                    str(half),
                    "half-made: being written, or left behind",
                    "the next run removes it",
                    Weight.note,
                )
        arrays: dict[str, Any] = dict(open_root(location, "r").arrays())
        # in the store's own order, and not sorted as `open_store` gives it
        dataset = xr.open_zarr(location.zarr_store(read_only=True), chunks=None, consolidated=True)
        try:
            names = ("status", "status_source", "geometry_error", "basis_size")
            checked = dataset[list(names)].load()
        except (RuntimeError, ValueError, KeyError, OSError) as error:
            if not damaged:
                yield Finding("status", f"cannot be read: {error}", FROM_JOURNALS)
            return
        yield from check_status(checked)
        run = location.run_folder if run_folder is None else run_folder
    if (journals := run / "journals").is_dir():
        yield from check_journals(journals, layout_of(arrays), checked)
    elif bool(np.isin(checked["status"].values, [0, 6]).all()) is False:
        yield Finding(str(run), "no journals there: a lost store could not be made again", weight=Weight.note)
    yield from check_artefacts(run / "artefacts" if artefacts is None else artefacts)
