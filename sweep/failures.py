"""What is failed now: failures come with records, and go with the results that later records bring."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sweep.causes import Cause
from sweep.journal import AnyRecord
from sweep.record_index import RecordIndex
from sweep.store import Failed
from sweep.truncations import TruncationRecord
from sweep.variables import Status

_FAILED = Status.failed.name
#: Why a point failed whose fit was made with its block's, and is no potential.
NO_FIT = "the fit is not finite: its observations determine no potential"


def failure_changes(records: Iterable[AnyRecord], index: RecordIndex) -> dict[Failed, Cause | None]:
    """Say what records change about what is failed.

    Parameters
    ----------
    records
        Records, in the order in which they were read.
    index
        Of all journals, these records among them: a failure never hides a result.

    Returns
    -------
    dict
        By block, cylinder or point: why it failed, or None where it is not failed.
    """
    changes: dict[Failed, Cause | None] = {}
    for record in records:
        changes |= _changes(record, index)
    return changes


def _changes(record: AnyRecord, index: RecordIndex) -> Iterator[tuple[Failed, Cause | None]]:
    lost = record.failed and ((latest := index.like(record)) is None or latest.failed)
    yield _what(record), _cause(record) if lost else None
    if isinstance(record, TruncationRecord) or record.weighting_index is not None or record.failed:
        return
    if _FAILED in record.statuses:
        for weighting, word in enumerate(record.statuses):
            if word == _FAILED:
                yield (record.block, weighting), Cause("fits", NO_FIT, record.worker, when=record.when)


def _what(record: AnyRecord) -> Failed:
    if isinstance(record, TruncationRecord):
        return record.cylinder, None
    return record.block, record.weighting_index


def _cause(record: AnyRecord) -> Cause:
    return Cause(record.stage, record.message, record.worker, record.attempts, record.log_tail, record.when)
