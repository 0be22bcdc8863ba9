"""What `sweep advise` does: open the store, advise, print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from sweep.advice.advice import advise
from sweep.advice.errors import AdviceError
from sweep.advice.labels import labels_in, part_of
from sweep.advice.table import advice_json, advice_lines, advice_tables
from sweep.location import StoreLike
from sweep.printing import print_found
from sweep.store import StoreError, open_store

DONE, REFUSED = 0, 2


def show_advice(
    store: StoreLike, tolerance: float, *, select: Sequence[str] = (), as_json: bool = False, **options: Any
) -> int:
    """Print what a store says of how to reach a tolerance.

    Tables on a terminal, tab-separated lines where the output is piped, JSON where asked for.

    Parameters
    ----------
    store
        The store.
    tolerance
        As `sweep.advice.advise` takes it.
    select
        Each NAME=LABEL, to advise on that part of the store alone.
    as_json
        Whether to print JSON.
    **options
        Further options of `sweep.advice.advise`.

    Returns
    -------
    int
        Exit status: 0, or 2 for bad input, after one message on stderr.
    """
    try:
        advice = advise(part_of(open_store(store), labels_in(select)), tolerance, **options)
    except (AdviceError, StoreError, OSError) as refusal:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"sweep: {refusal}", markup=False)
        return REFUSED
    print_found(advice, as_json=as_json, json_of=advice_json, tables_of=advice_tables, lines_of=advice_lines)
    return DONE
