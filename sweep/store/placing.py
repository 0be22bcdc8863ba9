"""Where records belong in a store, and whether they fit there: all of them are checked before anything is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sweep.records import Record
from sweep.store.errors import UnstorableRecordError
from sweep.store.layout import Layout
from sweep.variables import RECORDED, VARIABLE_OF, Source, Variable

#: Position along each block dimension, or of a chunk along each dimension of the grid.
Index = tuple[int, ...]


def placed_by_chunk(
    layout: Layout, measured: Sequence[Variable], records: Iterable[Record]
) -> dict[Index, dict[Index, list[Record]]]:
    """Sort records by chunk, then by block, in the order given.

    Parameters
    ----------
    layout
        The store's.
    measured
        The user's own measures that the store holds.
    records
        Records of any blocks and points.

    Raises
    ------
    UnstorableRecordError
        If a record is off the grid, names an unknown variable, or has a value of the wrong shape; the message
        names the block, the chunk and the variable.
    """
    measures = {variable.name: variable for variable in measured}
    found: dict[Index, dict[Index, list[Record]]] = defaultdict(dict)
    of_block: dict[str, tuple[Index, list[Record]]] = {}
    fitting: dict[bool, dict[str, tuple[Index, ...]]] = {False: {}, True: {}}
    for record in records:
        key = record.block.key
        if key not in of_block:
            index = _index(layout, record)
            of_block[key] = layout.chunk_of(index), found[layout.chunk_of(index)].setdefault(index, [])
        chunk, placed = of_block[key]
        _check_weightings(layout, chunk, record)
        # Shapes follow from the variable and the kind of record: they are looked up once a call, not once a record.
        known = fitting[record.weighting_index is None]
        for name, value in record.values.items():
            if name not in known:
                known[name] = _shapes(layout, chunk, record, name, measures)
            if value.shape not in known[name]:
                raise UnstorableRecordError(
                    f"{_where(record, chunk)}: {name} has shape {value.shape}; it may have "
                    f"{' or '.join(map(str, known[name]))}"
                )
        placed.append(record)
    return found


def _where(record: Record, chunk: Index) -> str:
    return f"{record.name}, chunk {chunk}"


def _index(layout: Layout, record: Record) -> Index:
    """Find a record's block."""
    try:
        return layout.index(record.block)
    except LookupError as error:
        raise UnstorableRecordError(f"{record.name} is off the store's grid: {error.args[0]}") from None


def _check_weightings(layout: Layout, chunk: Index, record: Record) -> None:
    """Refuse a record that speaks of other weightings than the store's."""
    n_weightings, weighting = layout.n_weightings, record.weighting_index
    if weighting is not None and weighting >= n_weightings:
        raise UnstorableRecordError(
            f"{record.name} is off the store's grid: a block has {n_weightings} weightings, from 0"
        )
    if not isinstance(record.status, str) and len(record.status) != n_weightings:
        raise UnstorableRecordError(
            f"{_where(record, chunk)}: status has {len(record.status)} words; give one, or one for each of "
            f"{n_weightings} weightings"
        )


def _shapes(
    layout: Layout, chunk: Index, record: Record, name: str, measures: Mapping[str, Variable]
) -> tuple[Index, ...]:
    """Give the shapes of a value in a record: one for all that it speaks of; for a block also one a weighting."""
    if name not in RECORDED and name not in measures:
        raise UnstorableRecordError(
            f"{_where(record, chunk)}: {name} is not a variable that records give; give some of "
            f"{', '.join(sorted(RECORDED | measures.keys()))}"
        )
    variable = measures.get(name) or VARIABLE_OF[name]
    extra = layout.extra_shape(variable)
    if record.weighting_index is None:
        return extra, (layout.n_weightings, *extra)
    if variable.source is Source.block:
        raise UnstorableRecordError(
            f"{_where(record, chunk)}: {name} is known for a block at once; give it in the block's record"
        )
    return (extra,)
