"""What `sweep core` does: relax a point again, keep its core in the store, print the group."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from sweep.cores.keeping import keep_core
from sweep.exporting.choice import labels_in
from sweep.exporting.errors import ExportError
from sweep.location import StoreLike
from sweep.store import StoreError

DONE, REFUSED = 0, 2


def keep(store: StoreLike, at: Sequence[str] = (), artefacts: Path | None = None) -> int:
    """Keep a potential's core in the store, and print its group.

    Parameters
    ----------
    store, artefacts
        As in `sweep.cores.keep_core`.
    at
        Each NAME=LABEL,...: the point.

    Returns
    -------
    int
        Exit status: 0, or 2 for bad input, after one message on stderr.
    """
    try:
        groups = keep_core(store, labels_in(at) if at else None, artefacts=artefacts)
    except (ExportError, StoreError, OSError) as refusal:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"sweep: {refusal}", markup=False)
        return REFUSED
    sys.stdout.writelines(f"{store}/{group}\n" for group in groups)
    return DONE
