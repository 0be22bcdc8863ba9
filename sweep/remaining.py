"""What is left of each block: everything that neither the store nor a journal has a result for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sweep.grid import Block, Grid
from sweep.journal import JournalReader, RecordIndex
from sweep.plan import BlockWork
from sweep.store import read_status
from sweep.variables import Status

_UNFINISHED = (Status.pending, Status.estimated)


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
    retry_failed
        Take what is recorded as failed for not yet done.
    """

    def __init__(
        self, grid: Grid, store: Path, journals: Path, *, relaxing: bool, retry_failed: bool = False
    ) -> None:
        self._grid, self._relaxing, self._retry_failed = grid, relaxing, retry_failed
        self._status = read_status(store) if store.exists() else None
        self._relaxable = tuple(
            index for index, weighting in enumerate(grid.weightings()) if not weighting.excluded
        )
        self.index = RecordIndex(JournalReader(journals))
        self.index.refresh()

    def __call__(self, block: Block) -> BlockWork:
        """Say what is left of a block."""
        stored = self._stored(block)
        record = self.index.get(block, None)
        if record is not None and record.failed:
            if not self._retry_failed:
                return BlockWork(block, estimated=True, weightings=())
            record = None
        estimated = record is not None or bool(np.any((stored != Status.pending) & (stored != Status.failed)))
        left = self.left_of(block, self._relaxable) if self._relaxing else ()
        unfinished = (*_UNFINISHED, Status.failed) if self._retry_failed else _UNFINISHED
        return BlockWork(block, estimated, tuple(w for w in left if stored[w] in unfinished))

    def left_of(self, block: Block, weightings: tuple[int, ...]) -> tuple[int, ...]:
        """Of some points of a block, those that no journal has a result of (as last refreshed)."""
        return tuple(w for w in weightings if not self._has(block, w))

    def _has(self, block: Block, weighting: int) -> bool:
        record = self.index.get(block, weighting)
        return record is not None and not (record.failed and self._retry_failed)

    def _stored(self, block: Block) -> np.ndarray:
        if self._status is None:
            return np.full(len(self._grid.weightings()), Status.pending)
        return np.asarray(self._status[self._grid.index(block)]).reshape(-1)
