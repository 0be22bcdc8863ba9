"""What `sweep rates` does: open the store, fit, print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from sweep.location import StoreLike
from sweep.printing import print_found
from sweep.rates.errors import RateError
from sweep.rates.of_store import rate_of
from sweep.rates.table import rates_json, rates_lines, rates_table
from sweep.store import StoreError, open_store

DONE, REFUSED = 0, 2


def show_rates(
    store: StoreLike,
    error: str,
    along: str,
    *,
    over: Sequence[str] = (),
    select: Sequence[str] = (),
    as_json: bool = False,
    **options: Any,
) -> int:
    """Print the rates of one of a store's errors.

    A table on a terminal, tab-separated lines where the output is piped, JSON where asked for.

    Parameters
    ----------
    store
        The store.
    error, along, over
        As in `sweep.rates.of_store.rate_of`.
    select
        Each NAME=LABEL, to fit only that one.
    as_json
        Whether to print JSON.
    **options
        Of `sweep.fit_rate`.

    Returns
    -------
    int
        Exit status: 0, or 2 for bad input, after one message on stderr.
    """
    try:
        fit = rate_of(open_store(store), error, along, over=over, select=_labels(select), **options)
    except (RateError, StoreError, OSError) as refusal:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"sweep: {refusal}", markup=False)
        return REFUSED
    print_found(fit, as_json=as_json, json_of=rates_json, tables_of=rates_table, lines_of=rates_lines)
    return DONE


def _labels(select: Sequence[str]) -> dict[str, str]:
    labels = {}
    for text in select:
        name, found, label = text.partition("=")
        if not (name and found and label):
            raise RateError(f"select {text!r}: give NAME=LABEL, such as dislocation=screw")
        labels[name] = label
    return labels
