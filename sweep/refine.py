"""Relax next what would change a store's conclusion most: what `sweep refine` does."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from sweep.clusters import ClusterChoice
from sweep.location import StoreLike
from sweep.refinement import NEEDED, Refinement, points_to_refine
from sweep.refusals import RefusedError
from sweep.run import LOCAL, run_study
from sweep.store import StoreError, open_store
from sweep.study.sections import Fidelity

# Points that a budget of time alone may reach: each takes a tenth of a second at the least.
POINTS_A_MINUTE = 600


def refine_store(
    store: StoreLike,
    *,
    points: int | None = None,
    minutes: float | None = None,
    where: ClusterChoice = LOCAL,
    artefacts: Path | None = None,
    run_folder: Path | None = None,
    output: Console | None = None,
    progress: Console | None = None,
) -> int:
    """Relax the points of a store that would change its conclusion most easily, until a budget is spent.

    Parameters
    ----------
    store
        The store. The study is the one it keeps; files that this names are looked for beside the store.
    points, minutes
        The budget: one of them, or both. What is running when the time is over ends first.
    where, artefacts, run_folder, output, progress
        As `sweep.run.run_study`.

    Returns
    -------
    int
        Exit status, as `sweep.run.run_study`.

    Raises
    ------
    RefusedError
        If there is no budget, no such store, or its study cannot be run.
    """
    if points is None and minutes is None:
        raise RefusedError("refine: no budget; give --points, --minutes or both")
    count = points if points is not None else max(1, round(POINTS_A_MINUTE * (minutes or 0.0)))
    try:
        found = points_to_refine(open_store(store)[list(NEEDED)].load(), count)
    except StoreError as error:
        raise RefusedError(str(error)) from error
    if not found:
        (output or Console(soft_wrap=True)).print("every estimated point is relaxed: nothing to refine")
        return 0
    return run_study(
        store,
        store=store,
        where=where,
        artefacts=artefacts,
        run_folder=run_folder,
        fidelity=Fidelity(relax="all"),
        refinement=Refinement(frozenset(found), None if minutes is None else 60.0 * minutes),
        output=output,
        progress=progress,
    )
