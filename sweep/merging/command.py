"""What `sweep merge` does: make the store, say what is in it and where the others disagreed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from sweep.grid import GridError
from sweep.identity import StudyChangedError
from sweep.journal import JournalError
from sweep.location import LocationError, StoreLike
from sweep.merging.errors import MergeRefusedError
from sweep.merging.merge import merged
from sweep.store import StoreError, open_store
from sweep.study import StudyError
from sweep.summary import status_counts

DONE, CONFLICTS, REFUSED = 0, 1, 2
#: So many conflicts are named.
SHOWN = 5
_REFUSALS = (
    MergeRefusedError,
    StudyChangedError,
    StudyError,
    StoreError,
    JournalError,
    GridError,
    LocationError,
    OSError,
)


def merge_stores(stores: Sequence[StoreLike], output: StoreLike, *, accept_versions: bool = False) -> int:
    """Make one store of several of one study, and say what came of it.

    Parameters
    ----------
    stores, output, accept_versions
        As in `sweep.merging.merged`.

    Returns
    -------
    int
        Exit status: 0; 1 where results of a point differ; 2 for what cannot be merged, after one message on stderr.
    """
    console = Console(soft_wrap=True, highlight=False)
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        with errors.status("merging"):
            done = merged(
                stores,
                output,
                accept_versions=accept_versions,
                tell=lambda line: errors.print(line, markup=False),
            )
    except _REFUSALS as refusal:
        errors.print(f"sweep: {refusal}", markup=False)
        return REFUSED
    counts = status_counts(open_store(done.store))
    points = ", ".join(f"{count} {status}" for status, count in counts.items())
    console.print(f"{sum(counts.values())} points of {len(stores)} stores: {points}", markup=False)
    for line in _described(done.conflicts):
        console.print(line, markup=False)
    console.print(
        "artefacts are not merged: to go on, give `sweep run` the folder of a store's with --artefacts, or what is "
        "lacking is made again"
    )
    console.print(f"store: {done.store}", markup=False)
    return CONFLICTS if done.conflicts else DONE


def _described(conflicts: Sequence[dict[str, object]]) -> list[str]:
    if not conflicts:
        return []
    lines = [f"{len(conflicts)} points have results that differ; those of the store named first are kept:"]
    lines += [
        "  " + ", ".join(f"{name}={label}" for name, label in labels.items()) for labels in conflicts[:SHOWN]
    ]
    return lines + [f"  and {len(conflicts) - SHOWN} more"] * (len(conflicts) > SHOWN)
