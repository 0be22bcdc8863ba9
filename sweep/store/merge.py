"""How records become values: what a block and its points hold once a record is taken in.

A point's state follows from the last record of its block and the last of its own, in whichever order these
came. Values of source *block* are the block record's. Those of source *point*, and the status, are the
point's own record's where it has one, and else its block's. A failure never replaces a result. A point that is not
asked for takes nothing from its block's record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sweep.records import Record
from sweep.trust import trust_of
from sweep.variables import VARIABLES, Source, Status, StatusSource, Variable


def apply_record(
    cells: Mapping[str, np.ndarray], record: Record, variables: Sequence[Variable] = VARIABLES
) -> None:
    """Take a record into its block's values, in place; `derive` then completes them.

    Parameters
    ----------
    cells
        Every variable's values over one block: shape (n_weightings, ...), further dimensions as the
        variable has.
    record
        A record of that block whose values have the shapes that `expected_shapes` gives.
    variables
        What records give, and what follows from it.
    """
    if record.weighting_index is None:
        _apply_block_record(cells, record, variables)
    else:
        _apply_point_record(cells, record, variables)


def derive(values: Mapping[str, np.ndarray]) -> None:
    """Compute the variables that follow from others, in place.

    Parameters
    ----------
    values
        Every variable's values, over a block or any other part of the grid.
    """
    estimate, error = values["geometry_estimate"], values["geometry_error"]
    known = np.isfinite(estimate) & np.isfinite(error) & (error > 0)
    with np.errstate(over="ignore"):
        values["effectivity"][...] = np.divide(estimate, error, out=np.full_like(error, np.nan), where=known)
    values["estimate_trusted"][...] = trust_of(values["trust_ratio"], values["stiffness_estimate"])


def expected_shapes(extra: tuple[int, ...], record: Record, n_weightings: int) -> tuple[tuple[int, ...], ...]:
    """Give the shapes a record may hold a variable in.

    Parameters
    ----------
    extra
        Lengths of the variable's dimensions after the grid's.
    record
        The record.
    n_weightings
        Number of weightings of a block.

    Returns
    -------
    tuple of shapes
        One value for all that the record speaks of; for a block also one a weighting.
    """
    return (extra,) if record.weighting_index is not None else (extra, (n_weightings, *extra))


def _apply_block_record(
    cells: Mapping[str, np.ndarray], record: Record, variables: Sequence[Variable]
) -> None:
    status, source = cells["status"], cells["status_source"]
    new = np.broadcast_to([Status[word] for word in record.statuses], status.shape)
    # The source is written before the status, so a pending point may already name a source: it has no
    # record yet.
    own = (source == StatusSource.point) & (status != Status.pending)
    has_result = (status != Status.pending) & (own | (status != Status.failed))
    taken = (status != Status.not_asked) & ((new != Status.failed) | ~has_result)
    unowned = taken & ~own
    n_weightings = len(status)
    for variable in variables:
        if variable.source is Source.derived or variable.name not in cells:
            continue
        values = cells[variable.name]
        where = taken if variable.source is Source.block else unowned
        if variable.name == "wall_time":
            values[where] = record.wall_time_s / n_weightings
        elif variable.name in record.values:
            values[where] = np.broadcast_to(record.values[variable.name], values.shape)[where]
        else:
            values[where] = variable.fill
    status[unowned] = new[unowned]
    source[unowned] = StatusSource.block


def _apply_point_record(
    cells: Mapping[str, np.ndarray], record: Record, variables: Sequence[Variable]
) -> None:
    index = record.weighting_index
    status, source = cells["status"], cells["status_source"]
    new = Status[record.statuses[0]]
    has_result = source[index] == StatusSource.point and status[index] not in (Status.pending, Status.failed)
    if new is Status.failed and has_result:
        return
    for variable in variables:
        if variable.source is Source.point and variable.name in cells:
            cells[variable.name][index] = record.values.get(variable.name, variable.fill)
    cells["wall_time"][index] = record.wall_time_s
    status[index] = new
    source[index] = StatusSource.point
