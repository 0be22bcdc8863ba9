"""What `sweep transfer` does: relax some transfers, and print how good their estimates were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import track

from sweep.exporting.choice import labels_in
from sweep.exporting.errors import ExportError
from sweep.location import StoreLike
from sweep.store import StoreError, open_store
from sweep.transfers.effectivity import transfer_effectivities, transfer_table
from sweep.transfers.relaxing import Target, relax_transfers

DONE, REFUSED = 0, 2


def show_transfers(store: StoreLike, at: Sequence[str] = (), **options: Any) -> int:
    """Relax fits in other dislocations' cylinders, and print estimates over errors of all that are relaxed.

    Parameters
    ----------
    store
        The store.
    at
        Each NAME=LABEL,...: the one point to relax; a sample unless given.
    **options
        Further options of `sweep.transfers.relaxing.relax_transfers`.

    Returns
    -------
    int
        Exit status: 0, or 2 for bad input, after one message on stderr.
    """
    errors = Console(stderr=True, soft_wrap=True, highlight=False)

    def shown(each: Sequence[Target]) -> Iterable[Target]:
        return track(each, "relaxing transfers", console=errors, disable=not errors.is_terminal)

    try:
        ended = relax_transfers(store, labels_in(at) if at else None, track=shown, **options)
    except (ExportError, StoreError, OSError) as refusal:
        errors.print(f"sweep: {refusal}", markup=False)
        return REFUSED
    output = Console(highlight=False)
    counts = Counter(status.name for _, status in ended)
    output.print(", ".join(f"{count} {name}" for name, count in counts.items()), soft_wrap=True)
    output.print(transfer_table(transfer_effectivities(open_store(store))))
    return DONE
