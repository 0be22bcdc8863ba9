"""Transfers of one store enter another: estimates where it has none, and what was relaxed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from sweep.grid import BLOCK_DIMENSIONS, Block, Grid
from sweep.location import StoreLike
from sweep.store.layout import layout_of
from sweep.store.root import open_root
from sweep.store.transfers import read_transfer_status, write_relaxed_transfer, write_transfers
from sweep.transfers.variables import GIVEN, PREFIX, RELAXED, STATUS, TARGET
from sweep.variables import Status

#: What relaxing may have come to.
ENDED = (Status.relaxed, Status.unconverged, Status.other_minimum, Status.failed)


def take_transfers(target: StoreLike, source: StoreLike, grid: Grid) -> None:
    """Write a store's transfers to another that has its points already; what that one knows stays.

    Parameters
    ----------
    target, source
        The stores; nothing is done where the source has no transfers.
    grid
        The target's.

    Raises
    ------
    StoreError, OSError
        As `sweep.store.transfers.write_transfers`.
    """
    arrays: dict[str, Any] = dict(open_root(source, "r").arrays())
    if STATUS not in arrays:
        return
    write_transfers(target, _Known(arrays))
    here, there = read_transfer_status(target, grid), read_transfer_status(source, grid)
    if here is None or there is None:
        return
    layout, targets = layout_of(arrays), arrays[TARGET][:].tolist()
    named, shape = len(grid.block_axes), grid.shape[len(grid.block_axes) :]
    for place in np.argwhere(np.isin(there, ENDED) & (here == Status.estimated)):
        labels = [axis.values[at] for axis, at in zip(grid.axes[:named], place, strict=False)]
        block = Block(**dict(zip(grid.dims, labels, strict=False)))
        on = str(grid.axis("dislocation").values[place[-1]])
        if on == block.dislocation:
            continue
        weights = tuple(int(at) for at in place[named:-1])
        at = (*layout.index(block), *weights, targets.index(on))
        values = {name: float(arrays[PREFIX + name][at]) for name in RELAXED}
        status = Status(int(there[tuple(place)]))
        write_relaxed_transfer(target, block, int(np.ravel_multi_index(weights, shape)), on, status, values)


class _Known:
    """Answers what a store knows of a block's fits on another dislocation, as `write_transfers` asks.

    Parameters
    ----------
    arrays
        The store's, by name.
    """

    def __init__(self, arrays: dict[str, Any]) -> None:
        self._arrays, self._layout = arrays, layout_of(arrays)
        self._targets = arrays[TARGET][:].tolist()
        # a chunk has many blocks, which are asked about one after another
        self._chunk = lru_cache(maxsize=1)(self._read)

    def __call__(self, block: Block, target: str) -> dict[str, np.ndarray] | None:
        labels = {name: getattr(block, name) for name in BLOCK_DIMENSIONS if name in self._layout.labels}
        if target not in self._targets or any(
            label not in self._layout.labels[name] for name, label in labels.items()
        ):
            return None
        index, place = self._layout.index(block), self._targets.index(target)
        chunk, within = self._chunk(self._layout.chunk_of(index)), self._layout.within(index)
        cells = {}
        for name, values in chunk.items():
            one = values[within]
            weightings = one.reshape(
                self._layout.n_weightings, *one.shape[len(self._layout.shape) - len(within) :]
            )
            cells[name] = weightings[:, place]
        status = cells.pop("status")
        return None if np.isin(status, [Status.pending, Status.not_asked]).all() else cells

    def _read(self, chunk: tuple[int, ...]) -> dict[str, np.ndarray]:
        region = self._layout.region(chunk)
        return {name: np.asarray(self._arrays[PREFIX + name][region]) for name in (*GIVEN, "status")}
