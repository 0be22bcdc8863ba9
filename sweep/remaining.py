"""What is left of each block and cylinder: everything that neither the store nor a journal has a result for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sweep.grid import Block, Cylinder, Grid, GridError
from sweep.journal import AnyRecord, JournalReader
from sweep.location import StoreLike, location_of
from sweep.plan import BlockWork
from sweep.record_index import RecordIndex
from sweep.records import Record
from sweep.selection import ESTIMATES, Choice, Estimates
from sweep.store import read_on_grid
from sweep.truncations import TruncationRecord
from sweep.variables import Status, StatusSource

# Records at the start that the store lacks, kept for it; if there are more, the journals are read again.
MOST_FOUND = 10_000
# Plain numbers: NumPy compares an enumeration's members slowly, and a plan has tens of thousands of blocks.
_PENDING, _ESTIMATED, _FAILED = int(Status.pending), int(Status.estimated), int(Status.failed)


class Remaining:
    """Answers what a block still needs, from the store's status and from the journals.

    Parameters
    ----------
    grid
        The study's grid.
    store
        The store; it need not exist yet.
    journals
        Folder of the journals; it need not exist yet.
    relaxing
        Whether points are to be relaxed; otherwise a block is finished once it is estimated.
    choice
        Which of a block's estimated points are relaxed; None for all. The others stay estimated.
    retry_failed
        Take what is recorded as failed for not yet done.
    asking
        Whether the grid says which points are asked for; otherwise the store does.

    Raises
    ------
    StoreError
        If the store cannot be read.
    JournalError
        If a journal was written by a newer version.
    """

    def __init__(
        self,
        grid: Grid,
        store: StoreLike,
        journals: Path,
        *,
        relaxing: bool,
        choice: Choice | None = None,
        retry_failed: bool = False,
        asking: bool = True,
    ) -> None:
        self._grid, self._relaxing, self._retry_failed = grid, relaxing, retry_failed
        self._choice = choice
        self._shared: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._fits = grid.fits
        self._status = np.full(grid.shape, Status.pending, dtype=np.uint8)
        self._source = np.full(grid.shape, StatusSource.none, dtype=np.uint8)
        self._truncation = np.full(grid.shape[:2], Status.pending, dtype=np.uint8)
        self._journals = journals
        names = ESTIMATES if relaxing and choice is not None else ()
        self._estimates = {name: np.full(grid.shape, np.nan) for name in names}
        if location_of(store).exists():
            self._status = read_on_grid(store, "status", grid, Status.pending)
            if asking:
                # what the grid does not ask for either is not looked at
                self._status[self._status == Status.not_asked] = Status.pending
            self._source = read_on_grid(store, "status_source", grid, StatusSource.none)
            self._truncation = read_on_grid(store, "truncation_status", grid, Status.pending)
            self._estimates = {name: read_on_grid(store, name, grid, np.nan) for name in names}
        self._stored = self._status.copy(), self._source.copy()
        self.index = RecordIndex(JournalReader(journals), keeping=names)
        self._found: dict[object, AnyRecord] = {}
        self._more_found = False
        for part in self.index.parts():
            self._take_all(part)
            # what comes next is not read beside it
            del part

    def __call__(self, block: Block) -> BlockWork:
        """Say what is left of a block."""
        wanted = self._fits & self._grid.asked(block)
        status, source = (array[wanted] for array in self._of(block))
        # a block's record may be lost where those of its points are not: a damaged journal, a store moved away
        pending = bool((status == _PENDING).any())
        lost = bool((status == _FAILED).all()) and bool((source == StatusSource.block).all())
        if pending or (lost and self._retry_failed):
            open_points = lost | (status == _PENDING) | (status == _ESTIMATED)
            return BlockWork(block, recorded=False, weightings=self._where(wanted, open_points))
        if self._unchecked(block)[wanted].any():
            return BlockWork(block, recorded=False, weightings=self._where(wanted, status == _ESTIMATED))
        unfinished = status == _ESTIMATED
        if self._retry_failed:
            unfinished |= (status == _FAILED) & (source == StatusSource.point)
        if self._relaxing and self._choice is not None and unfinished.any():
            unfinished &= self._choice(block, self._estimated(block))[wanted]
        return BlockWork(block, recorded=True, weightings=self._where(wanted, unfinished))

    def cylinders(self) -> tuple[Cylinder, ...]:
        """Give the cylinders without truncation errors, where the store has a place for them."""
        return tuple(
            cylinder
            for cylinder, stored in zip(self._grid.cylinders(), self._truncation.flat, strict=True)
            if self._untruncated(self.index.truncation(cylinder), Status(int(stored)))
        )

    def take_found(self) -> Iterator[list[AnyRecord]]:
        """Hand over what the journals held at the start and the store did not, a part at a time, once."""
        if self._more_found:
            for part in JournalReader(self._journals).parts():
                yield [record for record in part if self.index.counts(record)]
        elif self._found:
            yield list(self._found.values())
        self._found = {}

    def _take_all(self, part: Sequence[tuple[AnyRecord, bool]]) -> None:
        """Take in the records of a part that count."""
        for record in (record for record, counts in part if counts):
            self._find(record)
            if isinstance(record, Record):
                self._take(record)

    def _find(self, record: AnyRecord) -> None:
        """Note a record that the store lacks; a driver that was killed leaves few, a store that was lost all."""
        if self._more_found:
            return
        place = (
            (record.block, record.weighting_index) if isinstance(record, Record) else (record.cylinder, None)
        )
        # the last record counts: an earlier one is not to come after what the store has
        earlier = self._found.pop(place, None)
        if earlier is not None or self._lacks(record):
            self._found[place] = record
        if len(self._found) > MOST_FOUND:
            self._found, self._more_found = {}, True

    def _lacks(self, record: AnyRecord) -> bool:
        """Whether a record may not be in the store as far as its status tells, which is written last.

        Those of failures are always handed over: why they failed is written later still.
        """
        if not isinstance(record, Record) or Status.failed.name in record.statuses:
            return True
        self._check(record)
        place = self._grid.index(record.block)
        status, source = (array[place].reshape(-1) for array in self._stored)
        if record.weighting_index is not None:
            held = int(status[record.weighting_index]), int(source[record.weighting_index])
            return held != (Status[record.statuses[0]], StatusSource.point)
        words = record.statuses if len(record.statuses) > 1 else record.statuses * len(status)
        own = source != StatusSource.point
        return bool((status[own] != np.array([Status[word] for word in words], dtype=np.uint8)[own]).any())

    @property
    def status(self) -> np.ndarray:
        """Every point's status, store and journals taken together: numbers of `Status` over the grid's dimensions."""
        return self._status

    @property
    def failed(self) -> int:
        """How many points are recorded as failed."""
        return int((self._status == Status.failed).sum())

    def left_of(self, block: Block, weightings: tuple[int, ...]) -> tuple[int, ...]:
        """Of some points of a block, those that no journal has a result of (as last refreshed)."""
        return tuple(w for w in weightings if not self._has(block, w))

    def _has(self, block: Block, weighting: int) -> bool:
        record = self.index.get(block, weighting)
        return record is not None and not (record.failed and self._retry_failed)

    def _untruncated(self, record: TruncationRecord | None, stored: Status) -> bool:
        """Whether a cylinder has no truncation errors yet, or is to be tried again."""
        known = (
            stored
            if record is None or stored not in (Status.pending, Status.failed)
            else Status[record.status]
        )
        return known is Status.pending or (known is Status.failed and self._retry_failed)

    def _estimated(self, block: Block) -> Estimates:
        """Give what is known of a block's points before any is relaxed."""
        place = self._grid.index(block)
        return Estimates.of(
            {name: array[place].reshape(-1) for name, array in self._estimates.items()}, len(self._fits)
        )

    def _unchecked(self, block: Block) -> np.ndarray:
        """Points that a screen estimated and did not check, where what is relaxed depends on that."""
        if not self._relaxing or self._choice is None or not self._choice.by_trust:
            return np.zeros(len(self._fits), dtype=bool)
        return self._estimated(block).unchecked

    def _where(self, wanted: np.ndarray, chosen: np.ndarray) -> tuple[int, ...]:
        """Weightings of those chosen among the wanted ones; none where nothing is relaxed."""
        if not self._relaxing:
            return ()
        # most blocks of a large study have the same points open: they share one tuple
        found = tuple(np.flatnonzero(wanted)[chosen].tolist())
        return self._shared.setdefault(found, found)

    def _of(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """Give views of a block's statuses and of where they come from, by weighting."""
        place = self._grid.index(block)
        return self._status[place].reshape(-1), self._source[place].reshape(-1)

    def _check(self, record: Record) -> None:
        """Refuse a record that speaks of other weightings than a block of the grid has."""
        weightings = len(self._fits)
        index, n_words = record.weighting_index, len(record.statuses)
        if (index is not None and index >= weightings) or n_words not in (1, weightings):
            raise GridError(
                f"{record.name} is off the grid, whose blocks have {weightings} weightings: the journals are of "
                "another study. Move the run folder away, or name another store"
            )

    def _take(self, record: Record) -> None:
        """Take in a record that the store may not have yet."""
        self._check(record)
        status, source = self._of(record.block)
        if record.weighting_index is not None:
            status[record.weighting_index] = Status[record.statuses[0]]
            source[record.weighting_index] = StatusSource.point
            return
        words = record.statuses if len(record.statuses) > 1 else record.statuses * len(status)
        open_to_it = (source != StatusSource.point) & (status != Status.not_asked)
        if record.failed:
            open_to_it &= np.isin(status, [Status.pending, Status.failed])
        status[open_to_it] = np.array([Status[word] for word in words], dtype=np.uint8)[open_to_it]
        source[open_to_it] = StatusSource.block
        if not record.failed:
            place = self._grid.index(record.block)
            for name, array in self._estimates.items():
                values = record.values.get(name, np.array(np.nan))
                array[place] = np.broadcast_to(values, len(status)).reshape(array[place].shape)
