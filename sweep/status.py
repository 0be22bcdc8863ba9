"""How far a study is, what failed, and how good its estimates are: what `sweep status` prints."""

from __future__ import annotations

import numpy as np
import xarray as xr
from rich.console import Console

from sweep.effectivity import effectivities, effectivity_table, warnings_of
from sweep.failure_groups import by_cause, described
from sweep.grid import GridError
from sweep.journal import JournalError
from sweep.location import StoreLike
from sweep.running import running
from sweep.store import StoreError, open_store
from sweep.summary import saddles
from sweep.transfers.effectivity import transfer_effectivities, transfer_table
from sweep.variables import Trust

FINE, REFUSED = 0, 2


def show_status(
    store: StoreLike,
    output: Console | None = None,
    errors: Console | None = None,
    *,
    failures: bool = False,
) -> int:
    """Print the points of a store by status, and estimates against relaxed errors; or what failed, by cause.

    A driver may be at work meanwhile: what is journaled and not in the store yet is counted too.

    Parameters
    ----------
    store
        The store.
    failures
        Print what failed.
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
        now, dataset = running(store), open_store(store)
    except (StoreError, JournalError, GridError, OSError) as error:
        errors.print(f"sweep: {error}", markup=False)
        return REFUSED
    if now.driver is not None:
        who = f"process {now.driver.pid} on {now.driver.host} since {now.driver.started}"
        output.print(f"at work: {who} ({now.driver.command})", markup=False, soft_wrap=True)
    if failures:
        lines = described(by_cause(now.failed), now.grid)
        for line in lines if now.failed else ("nothing is failed",):
            output.print(line, markup=False, soft_wrap=True)
        return FINE
    total = sum(now.counts.values())
    for status, count in now.counts.items():
        output.print(f"{count:>9} {status:<14} {100.0 * count / total:5.1f} %", markup=False)
    waiting = f", {now.waiting} of them journaled and not in the store yet" if now.waiting else ""
    output.print(f"{total:>9} points{waiting}", markup=False, soft_wrap=True)
    if now.failed:
        output.print("why they failed: sweep status --failures", markup=False)
    return _show_estimates(dataset, output)


def _show_estimates(dataset: xr.Dataset, output: Console) -> int:
    """Say how good estimates were, where there are any."""
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
    if transfers := transfer_effectivities(dataset):
        output.print(transfer_table(transfers))
    return FINE
