"""Journals: append-only files of records, each on the disk before its worker answers."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

import numpy as np

from sweep.durable import make_folder, sync_path
from sweep.grid import Block, Cylinder
from sweep.journal_frames import Damage, JournalError, frame_of, header, read_frames
from sweep.records import Record, RecordError
from sweep.truncations import PREFIX, TruncationRecord
from sweep.variables import Status

SUFFIX = ".journal"
# Records that are not waited for are on the disk at the latest with the first one after so long, s: a disk takes 1 to
# 10 ms to confirm one, which is much beside points of 10 ms and nothing beside longer ones.
LONGEST_WAIT_S = 0.1
# Journals are read in parts of about so many bytes: memory does not grow with what was recorded before.
PART_BYTES = 8 * 2**20

#: What a journal may hold.
AnyRecord: TypeAlias = Record | TruncationRecord

__all__ = ["SUFFIX", "AnyRecord", "Damage", "Journal", "JournalError", "JournalReader", "RecordIndex"]


class Journal:
    """One worker's journal, open for appending. Use as a context manager, or `close` it.

    Parameters
    ----------
    path
        The file, this process's alone; `create` names a new one. An existing journal is opened again, and a
        torn frame at its end is cut off.
    beginning
        Frames of a journal that was closed, to begin with.

    Raises
    ------
    JournalError
        If an existing file is no journal, is damaged before its end, or is open in another process.
    OSError
        If the file cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> record = Record(Block("screw", 25.0, 6, 8.0, 4, 0), 2, "relaxed", {"geometry_error": 0.1})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Journal.create(folder) as journal:
    ...         journal.append(record)
    ...     JournalReader(folder).refresh() == [record]
    True
    """

    def __init__(self, path: str | os.PathLike[str], beginning: Sequence[bytes] = ()) -> None:
        self.path = Path(path)
        make_folder(self.path.parent)
        self._one_at_a_time = threading.Lock()
        self._closed_because = ""
        # frames, in their order
        self._unconfirmed: list[bytes] = []
        self._confirmed = time.monotonic()
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            self._take_over(beginning)
        except BaseException:
            os.close(self._descriptor)
            raise

    @classmethod
    def create(cls, folder: str | os.PathLike[str], beginning: Sequence[bytes] = ()) -> Journal:
        """Make a new journal, named by host, process and chance, in a folder that is made where missing."""
        name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        return cls(Path(folder) / (name + SUFFIX), beginning)

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written: it was closed, or its disk failed."""
        return bool(self._closed_because)

    def renewed(self) -> Journal:
        """Open another journal beside a closed one, beginning with the records that no disk has confirmed yet.

        What was confirmed stays where it is. What was not may be read from both: it is the same.

        Raises
        ------
        OSError
            If that cannot be written either; this journal still has what it had, so that it may be tried again.
        """
        return Journal.create(self.path.parent, self._unconfirmed)

    def append(self, record: AnyRecord, *, wait: bool = True) -> None:
        """Write a record; on return it is on the disk, or on its way there.

        Parameters
        ----------
        record
            The record.
        wait
            Wait until it is on the disk. Without, it survives the end of this process, however that comes, but not
            yet that of the machine: nobody may be told of it before `sync`.

        Raises
        ------
        OSError
            If it could not be written (a full disk); the journal is as before, and may be tried again.
        JournalError
            If the journal is closed, or could not be brought back to its last whole record.
        """
        frame = frame_of(record.payload)
        with self._one_at_a_time:
            if self._closed_because:
                raise JournalError(f"{self.path}: {self._closed_because}; open another journal")
            size = os.fstat(self._descriptor).st_size
            try:
                self._write(frame)
            except OSError:
                self._cut(size)
                raise
            self._unconfirmed.append(frame)
            if wait or time.monotonic() - self._confirmed >= LONGEST_WAIT_S:
                self._sync()

    def sync(self) -> None:
        """Wait until every record is on the disk; raises as `append`."""
        with self._one_at_a_time:
            if self._unconfirmed:
                self._sync()

    def _sync(self) -> None:
        if self._closed_because:
            raise JournalError(f"{self.path}: {self._closed_because}; open another journal")
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            # After a failed fsync the kernel may forget the pages: no later one could vouch for them.
            self.close(f"the disk did not confirm a record ({error})")
            raise
        self._unconfirmed, self._confirmed = [], time.monotonic()

    def close(self, because: str = "it is closed") -> None:
        """Close the journal; closing it twice is no error."""
        if not self._closed_because:
            self._closed_because = because
            os.close(self._descriptor)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take_over(self, beginning: Sequence[bytes]) -> None:
        """Become the file's one owner, and leave it ending in a whole frame, on the disk."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JournalError(f"{self.path} is open in another process; give each its own name") from None
        _, end, damage = read_frames(self.path, 0)
        if damage is not None:
            raise JournalError(f"{self.path}: {damage.reason} at byte {damage.offset}; open another journal")
        os.ftruncate(self._descriptor, end)
        if end == 0:
            self._write(header())
        for frame in beginning:
            self._write(frame)
        os.fsync(self._descriptor)
        sync_path(self.path.parent)

    def _write(self, data: bytes) -> None:
        written = os.write(self._descriptor, data)
        if written != len(data):
            raise OSError(errno.ENOSPC, f"{written} of {len(data)} bytes written", str(self.path))

    def _cut(self, size: int) -> None:
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            self.close("its last record is torn and could not be cut off")
            raise JournalError(
                f"{self.path}: a record was written in part and could not be cut off ({error}); what stands "
                "before it is whole: open another journal"
            ) from error


class JournalReader:
    """Reads every journal of a folder, each from where it left off; workers may be writing meanwhile.

    Parameters
    ----------
    folder
        Where the journals are. It need not exist yet.
    but
        Says of a journal whether to pass it over.
    """

    def __init__(self, folder: str | os.PathLike[str], but: Callable[[Path], bool] = lambda _: False) -> None:
        self.folder = Path(folder)
        self._but = but
        self._offsets: dict[Path, int] = {}
        self._damage: dict[Path, Damage] = {}

    @property
    def damage(self) -> tuple[Damage, ...]:
        """Journals that had to be given up part-way, and where."""
        return tuple(self._damage[path] for path in sorted(self._damage))

    def refresh(self) -> list[AnyRecord]:
        """Read what is new since the last time.

        A frame that is not yet whole is left for the next time. A damaged one ends the reading of its
        journal, for good, and is told in `damage`.

        Returns
        -------
        list of Record and TruncationRecord
            New records, journal by journal in the order of their names, each in the order written.

        Raises
        ------
        JournalError
            If a journal was written by a newer version.
        OSError
            If a journal cannot be read.
        """
        return [record for part in self.parts() for record in part]

    def parts(self) -> Iterator[list[AnyRecord]]:
        """Read what is new as `refresh` does, a part of a journal at a time."""
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            more = path not in self._damage and not self._but(path)
            while more:
                before = self._offsets.get(path, 0)
                payloads, end, damage = read_frames(path, before, PART_BYTES)
                records: list[AnyRecord] = []
                for offset, payload in payloads:
                    try:
                        records.append(_record_of(payload))
                    except RecordError as error:
                        damage = Damage(path, offset, str(error))
                        break
                self._offsets[path] = end
                if damage is not None:
                    self._damage[path] = damage
                if records:
                    yield records
                more = bool(payloads) and damage is None


def _record_of(payload: bytes) -> AnyRecord:
    kind = TruncationRecord if payload.startswith(PREFIX) else Record
    return kind.from_payload(payload)


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
