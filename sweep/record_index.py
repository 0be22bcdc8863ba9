"""What has been recorded, by block, point and cylinder: of several records of one the one that counts."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np

from sweep.grid import Block, Cylinder
from sweep.journal import AnyRecord, JournalReader
from sweep.journal_frames import Damage
from sweep.records import Record
from sweep.truncations import TruncationRecord
from sweep.variables import Status


class RecordIndex:
    """Answers what has been recorded, from all journals of a folder.

    Of several records of one block, point or cylinder the last read counts, but a failure never hides a result, nor
    estimates of which few were checked those of which more were: journals are read in the order of their names, which
    says nothing of what came first.

    Parameters
    ----------
    reader
        Reads those journals; the index is empty until its first `refresh`.
    keeping
        Names of the values that are kept of records of blocks, which hold millions in large studies; of a point's
        record only its status is kept then, in a byte, unless it failed. None for everything. What `refresh` returns
        is whole.
    """

    def __init__(self, reader: JournalReader, *, keeping: Collection[str] | None = None) -> None:
        self._reader, self._keeping = reader, keeping
        self._records: dict[tuple[Block, int | None], Record] = {}
        self._results: dict[Block, bytearray] = {}
        self._words: dict[str | tuple[str, ...], str | tuple[str, ...]] = {}
        self._truncations: dict[Cylinder, TruncationRecord] = {}

    def __len__(self) -> int:
        results = sum(len(found) - found.count(0) for found in self._results.values())
        return len(self._records) + len(self._truncations) + results

    @property
    def damage(self) -> tuple[Damage, ...]:
        """As `JournalReader.damage`."""
        return self._reader.damage

    @property
    def records(self) -> tuple[Record, ...]:
        """The record that counts of each block and point, but for points of which only the status is kept."""
        return tuple(self._records.values())

    def each(self) -> Iterator[Record]:
        """Go through the record that counts of each block and point; where only its status is kept, that alone."""
        yield from self._records.values()
        for block, found in self._results.items():
            for weighting in range(len(found)):
                result = self._result_of(block, weighting)
                if result is not None:
                    yield Record(block, weighting, result.name)

    @property
    def truncations(self) -> tuple[TruncationRecord, ...]:
        """The record that counts of each cylinder."""
        return tuple(self._truncations.values())

    def refresh(self) -> list[AnyRecord]:
        """Take in what is new; returns and raises as `JournalReader.refresh`."""
        return [record for part in self.parts() for record, _ in part]

    def parts(self) -> Iterator[list[tuple[AnyRecord, bool]]]:
        """Take in what is new, a part of a journal at a time, each record with whether it counts."""
        for part in self._reader.parts():
            yield [(record, self.take(record)) for record in part]

    def take(self, record: AnyRecord) -> bool:
        """Take in a record, read or just journaled; whether it counts."""
        if isinstance(record, TruncationRecord):
            counts = _counts(record, self._truncations.get(record.cylinder))
            if counts:
                self._truncations[record.cylinder] = record
            return counts
        place = record.block, record.weighting_index
        known = self._result_of(*place)
        counts = _counts(record, self._records.get(place)) if known is None else not record.failed
        if counts:
            self._keep(record)
        return counts

    def _keep(self, record: Record) -> None:
        place, weighting = (record.block, record.weighting_index), record.weighting_index
        if self._keeping is None:
            self._records[place] = record
        elif weighting is None or record.failed:
            words = self._words.setdefault(record.status, record.status)
            self._records[place] = replace(record.with_only(self._keeping), status=words)
        else:
            self._records.pop(place, None)
            found = self._results.setdefault(record.block, bytearray())
            found.extend(bytes(max(0, weighting + 1 - len(found))))
            # 0 stands for nothing
            found[weighting] = Status[record.statuses[0]] + 1

    def _result_of(self, block: Block, weighting: int | None) -> Status | None:
        """Give the status of a point of which nothing else is kept."""
        found = self._results.get(block, b"")
        if weighting is None or weighting >= len(found) or not found[weighting]:
            return None
        return Status(found[weighting] - 1)

    def get(self, block: Block, weighting_index: int | None) -> Record | None:
        """Give the record of a point, or of a block where the index is None; None where there is none."""
        result = self._result_of(block, weighting_index)
        if result is not None:
            return Record(block, weighting_index, result.name)
        return self._records.get((block, weighting_index))

    def like(self, record: AnyRecord) -> AnyRecord | None:
        """Give the record of the same block, point or cylinder; None where there is none."""
        if isinstance(record, TruncationRecord):
            return self.truncation(record.cylinder)
        return self.get(record.block, record.weighting_index)

    def counts(self, record: AnyRecord) -> bool:
        """Whether a record that has been taken in is one that counts, or as good as that."""
        return _counts(record, self.like(record))

    def truncation(self, cylinder: Cylinder) -> TruncationRecord | None:
        """Give the truncation record of a cylinder; None where there is none."""
        return self._truncations.get(cylinder)


def _counts(record: AnyRecord, known: AnyRecord | None) -> bool:
    """Whether a record takes the place of the one that is known."""
    return known is None or known.failed or not (record.failed or _checked(record) < _checked(known))


def _checked(record: AnyRecord) -> int:
    """How many of a block's estimates were checked."""
    if isinstance(record, TruncationRecord) or record.weighting_index is not None:
        return 0
    return int(np.count_nonzero(~np.isnan(record.values.get("trust_ratio", np.array(np.nan)))))
