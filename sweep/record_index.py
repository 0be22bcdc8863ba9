"""What has been recorded, by block, point and cylinder: of several records of one the one that counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from sweep.grid import Block, Cylinder
from sweep.journal import AnyRecord, JournalReader
from sweep.journal_frames import Damage
from sweep.record_numbers import Numbers
from sweep.records import Record
from sweep.truncations import TruncationRecord
from sweep.variables import Status

# By the number that is kept: none, or one more than the status'.
_NAMES = ("", *(status.name for status in sorted(Status)))
#: Names of `Status`: one, or one a weighting.
Words: TypeAlias = str | tuple[str, ...]


@dataclass(slots=True)
class _Results:
    """How a block and its points ended, where nothing else is kept of them: some hundred bytes a block."""

    of_block: Words = ""
    # by weighting, one more than the status: 0 stands for nothing
    of_points: bytearray = field(default_factory=bytearray)

    def __len__(self) -> int:
        return bool(self.of_block) + len(self.of_points) - self.of_points.count(0)

    def of(self, weighting: int | None) -> Words:
        """Give what was taken of a point, or of the block; nothing where nothing was."""
        if weighting is None:
            return self.of_block
        number = self.of_points[weighting] if weighting < len(self.of_points) else 0
        return _NAMES[number]

    def take(self, weighting: int | None, words: Words) -> None:
        """Keep how a point ended, or the block; without words nothing."""
        if weighting is None:
            self.of_block = words
            return
        assert isinstance(words, str)
        if words:
            self.of_points.extend(bytes(max(0, weighting + 1 - len(self.of_points))))
        if weighting < len(self.of_points):
            self.of_points[weighting] = _NAMES.index(words)


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
        record only its status is kept then, in a byte, and of a block's that has none of these values its statuses,
        unless they failed. None for everything. What `refresh` returns is whole.
    """

    def __init__(self, reader: JournalReader, *, keeping: Collection[str] | None = None) -> None:
        self._reader, self._keeping = reader, keeping
        self._records: dict[tuple[str, int | None], Record] = {}
        # by key: a block itself takes five times as much
        self._results: dict[str, _Results] = {}
        self._words: dict[Words, Words] = {}
        self._truncations: dict[Cylinder, TruncationRecord] = {}

    def __len__(self) -> int:
        return len(self._records) + len(self._truncations) + sum(map(len, self._results.values()))

    @property
    def damage(self) -> tuple[Damage, ...]:
        """As `JournalReader.damage`."""
        return self._reader.damage

    def behind(self, sizes: Mapping[str, int]) -> tuple[str, ...]:
        """As `JournalReader.behind`."""
        return self._reader.behind(sizes)

    @property
    def records(self) -> tuple[Record, ...]:
        """The record that counts of each block and point, but for those of which only the status is kept."""
        return tuple(self._records.values())

    def each(self) -> Iterator[Record]:
        """Go through the record that counts of each block and point; where only its status is kept, that alone."""
        yield from self._records.values()
        for key, results in self._results.items():
            block = Block.from_key(key)
            for weighting in (None, *range(len(results.of_points))):
                words = results.of(weighting)
                if words:
                    yield Record(block, weighting, words, Numbers())

    @property
    def truncations(self) -> tuple[TruncationRecord, ...]:
        """The record that counts of each cylinder."""
        return tuple(self._truncations.values())

    def refresh(self) -> list[AnyRecord]:
        """Take in what is new; returns and raises as `JournalReader.refresh`."""
        return [record for part in self.parts() for record, _ in part]

    def parts(self) -> Iterator[list[tuple[AnyRecord, bool]]]:
        """Take in what is new, a part of a journal at a time, each record with whether it counts."""
        # no part stays beside the next one in memory
        return map(self._taken, self._reader.parts())

    def _taken(self, part: Iterable[AnyRecord]) -> list[tuple[AnyRecord, bool]]:
        return [(record, self.take(record)) for record in part]

    def take(self, record: AnyRecord) -> bool:
        """Take in a record, read or just journaled; whether it counts."""
        if isinstance(record, TruncationRecord):
            counts = _counts(record, self._truncations.get(record.cylinder))
            if counts:
                self._truncations[record.cylinder] = record
            return counts
        key, weighting = record.block.key, record.weighting_index
        results = self._results.get(key)
        if results is not None and results.of(weighting):
            counts = not record.failed
        else:
            counts = _counts(record, self._records.get((key, weighting)))
        if counts:
            self._keep(record)
        return counts

    def _keep(self, record: Record) -> None:
        key, weighting = record.block.key, record.weighting_index
        if self._keeping is None:
            self._records[key, weighting] = record
            return
        words = self._words.setdefault(record.status, record.status)
        if (results := self._results.get(key)) is None:
            results = self._results[key] = _Results()
        if record.failed or (weighting is None and not record.values.keys().isdisjoint(self._keeping)):
            self._records[key, weighting] = replace(record.with_only(self._keeping), status=words)
            results.take(weighting, "")
        else:
            self._records.pop((key, weighting), None)
            results.take(weighting, words)

    def get(self, block: Block, weighting_index: int | None) -> Record | None:
        """Give the record of a point, or of a block where the index is None; None where there is none."""
        results = self._results.get(block.key)
        if results is not None and (words := results.of(weighting_index)):
            return Record(block, weighting_index, words, Numbers())
        return self._records.get((block.key, weighting_index))

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
