"""What `sweep hypotheses` does: open the store, test, print."""

from __future__ import annotations

from rich.console import Console

from sweep.hypotheses import examine
from sweep.hypotheses.table import hypotheses_json, hypotheses_lines, hypotheses_tables
from sweep.location import StoreLike
from sweep.needed import VariableMissingError
from sweep.printing import print_found
from sweep.store import StoreError, open_store

DONE, REFUSED = 0, 2


def show_hypotheses(store: StoreLike, *, as_json: bool = False) -> int:
    """Print what a store says of each hypothesis.

    A table on a terminal, tab-separated lines where the output is piped, JSON where asked for.

    Parameters
    ----------
    store
        The store.
    as_json
        Whether to print JSON.

    Returns
    -------
    int
        Exit status: 0 whichever way the tests come out, or 2 for bad input, after one message on stderr.
    """
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        found = examine(open_store(store))
    except (StoreError, VariableMissingError, OSError) as refusal:
        errors.print(f"sweep: {refusal}", markup=False)
        return REFUSED
    # what a damaged chunk raises is the codec's affair
    except (RuntimeError, ValueError) as failure:
        errors.print(f"sweep: {store} cannot be read: {failure}", markup=False)
        return REFUSED
    print_found(
        found,
        as_json=as_json,
        json_of=hypotheses_json,
        tables_of=hypotheses_tables,
        lines_of=hypotheses_lines,
    )
    return DONE
