"""How far a study is, and how good its estimates are: what `sweep status` prints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console

from sweep.effectivity import effectivities, effectivity_table, warnings_of
from sweep.store import StoreError, open_store
from sweep.summary import saddles, status_counts
from sweep.variables import Trust

FINE, REFUSED = 0, 2


def show_status(store: Path, output: Console | None = None, errors: Console | None = None) -> int:
    """Print the points of a store by status, and estimates against relaxed errors.

    Parameters
    ----------
    store
        The store.
    output, errors
        Where: standard output and standard error.

    Returns
    -------
    int
        Exit status: 0, or 2 where there is no such store.
    """
    output = output or Console(highlight=False)
    errors = errors or Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        dataset = open_store(store)
        counts = status_counts(dataset)
    except StoreError as error:
        errors.print(f"sweep: {error}", markup=False)
        return REFUSED
    total = sum(counts.values())
    for status, count in counts.items():
        output.print(f"{count:>9} {status:<14} {100.0 * count / total:5.1f} %", markup=False)
    output.print(f"{total:>9} points", markup=False)
    estimated = np.isfinite(dataset["geometry_estimate"].values)
    if not estimated.any():
        return FINE
    flags = dataset["estimate_trusted"].values[estimated]
    words = ", ".join(f"{int((flags == flag).sum())} {flag.name}" for flag in Trust)
    output.print(f"estimates: {words}", markup=False, soft_wrap=True)
    found = effectivities(dataset)
    if not found:
        output.print("no point is relaxed: nothing to compare the estimates with", soft_wrap=True)
        return FINE
    output.print(effectivity_table(found))
    for line in warnings_of(found):
        output.print(line, markup=False, soft_wrap=True)
    relaxed, unstable = saddles(dataset)
    if unstable:
        output.print(
            f"under {unstable} of {relaxed} relaxed fits the reference's core is a saddle: estimates are of that core, "
            "errors of the minimum below it",
            soft_wrap=True,
        )
    return FINE
