"""What `sweep report` does: open the store, write the page, print its path."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from sweep.location import StoreLike, location_of
from sweep.report.page import write_report
from sweep.store import StoreError

DONE, REFUSED = 0, 2


def make_report(store: StoreLike, target: Path | None = None, *, tolerance: float | None = None) -> int:
    """Write the report of a store, and print its path.

    Parameters
    ----------
    store
        The store.
    target
        The file; beside the store, with ``.html`` for ``.zarr``, unless given.
    tolerance
        An error that would do: the page then says what is the cheapest way to it.

    Returns
    -------
    int
        Exit status: 0, or 2 for bad input, after one message on stderr.
    """
    try:
        target = target if target is not None else location_of(store).beside(".html")
        written = write_report(store, target, tolerance=tolerance)
    # what a damaged chunk raises is the codec's affair
    except (StoreError, OSError, RuntimeError, ValueError) as refusal:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"sweep: {refusal}", markup=False)
        return REFUSED
    sys.stdout.write(f"{written}\n")
    return DONE
