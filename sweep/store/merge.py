"""How records become values: what a block and its points hold once a record is taken in.

A point's state follows from the last record of its block and the last of its own, in whichever order these
came. Values of source *block* are the block record's. Those of source *point*, and the status, are the
point's own record's where it has one, and else its block's. A failure never replaces a result. A point that is not
asked for takes nothing from its block's record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from sweep.records import Record
from sweep.trust import trust_of
from sweep.variables import VARIABLES, Source, Status, StatusSource, Variable

_NUMBERS = {status.name: int(status) for status in Status}
#: Variables that `derive` reads.
COMPARED = frozenset({"geometry_estimate", "geometry_error", "trust_ratio", "stiffness_estimate"})


def apply_records(
    cells: Mapping[str, np.ndarray],
    records: Mapping[int, Sequence[Record]],
    n_weightings: int,
    variables: Sequence[Variable] = VARIABLES,
) -> None:
    """Take records of several blocks into their values, in place; `derive` then completes them.

    A block's own records are applied first, then those of its points, each kind in the order given.

    Parameters
    ----------
    cells
        Every variable's values over the blocks, one behind the other: shape (n_blocks n_weightings, ...), further
        dimensions as the variable has.
    records
        By the block's place among them: its records, whose values fit the store (`sweep.store.placing`).
    n_weightings
        How many points a block has.
    variables
        What records give, and what follows from it.
    """
    of_points: list[tuple[int, Record]] = []
    for place, of_block in records.items():
        first = place * n_weightings
        for record in of_block:
            if record.weighting_index is None:
                own = {name: values[first : first + n_weightings] for name, values in cells.items()}
                _apply_block_record(own, record, variables)
            else:
                of_points.append((first + record.weighting_index, record))
    if of_points:
        _apply_point_records(cells, of_points, variables)


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


def _apply_block_record(
    cells: Mapping[str, np.ndarray], record: Record, variables: Sequence[Variable]
) -> None:
    status, source = cells["status"], cells["status_source"]
    new = np.broadcast_to(_numbers_of(record.statuses), status.shape)
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
            given = record.values[variable.name]
            values[where] = (given if given.shape == values.shape else np.broadcast_to(given, values.shape))[
                where
            ]
        else:
            values[where] = variable.fill
    status[unowned] = new[unowned]
    source[unowned] = StatusSource.block


@lru_cache(maxsize=128)
def _numbers_of(words: tuple[str, ...]) -> np.ndarray:
    """Give the numbers of statuses; most blocks of a study end the same way."""
    return np.array([_NUMBERS[word] for word in words], dtype=np.uint8)


def _apply_point_records(
    cells: Mapping[str, np.ndarray], records: Sequence[tuple[int, Record]], variables: Sequence[Variable]
) -> None:
    """Take in records of points, each with its place, all at once: a store takes tens of thousands a second."""
    status, source = cells["status"], cells["status_source"]
    has_result = (source == StatusSource.point) & (status != Status.pending) & (status != Status.failed)
    counting: dict[int, Record] = {}
    for place, record in records:
        known = counting.get(place)
        if not record.failed or not (has_result[place] if known is None else not known.failed):
            counting[place] = record
    where, taken = np.array(list(counting), dtype=int), list(counting.values())
    given = {name for record in taken for name in record.values}
    for variable in variables:
        name = variable.name
        if variable.source is Source.point and name in cells:
            values = cells[name]
            values[where] = variable.fill
            if name in given:
                having = [name in record.values for record in taken]
                values[where[having]] = np.array(
                    [record.values[name] for record in taken if name in record.values]
                )
    cells["wall_time"][where] = [record.wall_time_s for record in taken]
    status[where] = [_NUMBERS[record.statuses[0]] for record in taken]
    source[where] = StatusSource.point
