"""Journals: append-only files of records, each on the disk before its worker answers."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from sweep.durable import make_folder, sync_path
from sweep.journal_frames import Damage, JournalError, frame_of, header, read_frames
from sweep.records import Record, RecordError
from sweep.truncations import PREFIX, TruncationRecord

SUFFIX = ".journal"
# Records that are not waited for are on the disk at the latest with the first one after so long, s: a disk takes 1 to
# 10 ms to confirm one, which is much beside points of 10 ms and nothing beside longer ones.
LONGEST_WAIT_S = 0.1
# Journals are read in parts of about so many bytes of memory, which does not grow with what was recorded before, ...
PART_BYTES = 8 * 2**20
# ... of which a record takes so many beside its bytes in the file: a point's half a thousand become two and a half, ...
RECORD_BYTES = 2_000
# ... and a journal in steps that are small beside a part.
STEPS = 4

#: What a journal may hold.
AnyRecord: TypeAlias = Record | TruncationRecord

__all__ = ["SUFFIX", "AnyRecord", "Damage", "Journal", "JournalError", "JournalReader"]


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
    >>> from sweep.grid import Block
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

    @property
    def size(self) -> int:
        """How much of the file a disk has confirmed (bytes)."""
        return self._confirmed_size

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
            try:
                self._write(frame)
            except OSError:
                self._cut()
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
        self._confirmed_size = self._size

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
        self._size = end
        os.ftruncate(self._descriptor, end)
        if end == 0:
            self._write(header())
        for frame in beginning:
            self._write(frame)
        os.fsync(self._descriptor)
        self._confirmed_size = self._size
        sync_path(self.path.parent)

    def _write(self, data: bytes) -> None:
        written = os.write(self._descriptor, data)
        if written != len(data):
            raise OSError(errno.ENOSPC, f"{written} of {len(data)} bytes written", str(self.path))
        # nobody else writes here
        self._size += written

    def _cut(self) -> None:
        """Cut off what stands behind the last whole record."""
        try:
            os.ftruncate(self._descriptor, self._size)
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
    whole
        Whether values are read too of points that did not fail, or only how they ended.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        but: Callable[[Path], bool] = lambda _: False,
        *,
        whole: bool = True,
    ) -> None:
        self.folder = Path(folder)
        self._but = but
        self._read = Record.from_payload if whole else Record.brief
        self._offsets: dict[Path, int] = {}
        self._damage: dict[Path, Damage] = {}

    @property
    def damage(self) -> tuple[Damage, ...]:
        """Journals that had to be given up part-way, and where."""
        return tuple(self._damage[path] for path in sorted(self._damage))

    def behind(self, sizes: Mapping[str, int]) -> tuple[str, ...]:
        """Say, of journals by name and size (bytes), which have not been read so far; damaged ones never will be."""
        damaged = {path.name for path in self._damage}
        read = {path.name: offset for path, offset in self._offsets.items()}
        return tuple(name for name, size in sizes.items() if name not in damaged and read.get(name, 0) < size)

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
        """Read what is new as `refresh` does, about `PART_BYTES` at a time.

        What could not be handed over, because another journal cannot be read, is read again the next time.
        """
        part = _Part()
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            more = path not in self._damage and not self._but(path)
            while more:
                before = part.ends.get(path, self._offsets.get(path, 0))
                payloads, end, damage = read_frames(path, before, PART_BYTES // STEPS)
                for offset, payload in payloads:
                    try:
                        part.records.append(self._record_of(payload))
                    except RecordError as error:
                        damage = Damage(path, offset, str(error))
                        break
                part.ends[path] = end
                part.size += end - before + RECORD_BYTES * len(payloads)
                if damage is not None:
                    part.damage[path] = damage
                more = bool(payloads) and damage is None
                if part.size >= PART_BYTES:
                    yield from self._handed_over(part)
                    part = _Part()
        yield from self._handed_over(part)

    def _record_of(self, payload: bytes) -> AnyRecord:
        return (TruncationRecord.from_payload if payload.startswith(PREFIX) else self._read)(payload)

    def _handed_over(self, part: _Part) -> Iterator[list[AnyRecord]]:
        self._offsets |= part.ends
        self._damage |= part.damage
        if part.records:
            yield part.records


@dataclass
class _Part:
    """What has been read of journals: workers take turns at a chunk's points, so records of several go together."""

    records: list[AnyRecord] = field(default_factory=list)
    ends: dict[Path, int] = field(default_factory=dict)
    damage: dict[Path, Damage] = field(default_factory=dict)
    size: int = 0
