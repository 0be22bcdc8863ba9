"""Where things lie in a store: its axes, which chunk a block is in, and where within it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sweep.grid import BLOCK_DIMENSIONS, DIMENSIONS, WEIGHTING_DIMENSIONS, Block
from sweep.variables import VARIABLES, Variable

#: A chunk that the grid fills has at least this many points, ...
LEAST_POINTS = 1_000
#: ... and aims for this many.
USUAL_POINTS = 10_000


def chunk_shape(shape: tuple[int, ...], n_outer: int) -> tuple[int, ...]:
    """Choose the shape of a store's chunks over the grid's dimensions.

    A chunk holds whole blocks. It has at least `LEAST_POINTS` points where the grid has as many, and as near to
    `USUAL_POINTS` as whole labels allow, unless one block alone has more: each chunk of each variable is a file, and
    takes milliseconds to be written, whatever it holds.

    Parameters
    ----------
    shape
        Number of values along each dimension of the grid.
    n_outer
        How many of these name a block.

    Examples
    --------
    >>> chunk_shape((1, 1, 2, 3, 2, 2, 1, 1, 3), 6)
    (1, 1, 2, 3, 2, 2, 1, 1, 3)
    >>> chunk_shape((2, 4, 5, 10, 8, 20, 5, 5, 5), 6)
    (1, 1, 1, 1, 4, 20, 5, 5, 5)
    """
    chunk = [1] * n_outer + list(shape[n_outer:])
    for axis in reversed(range(n_outer)):
        points = math.prod(chunk)
        room = USUAL_POINTS // points if points >= LEAST_POINTS else math.ceil(USUAL_POINTS / points)
        chunk[axis] = min(shape[axis], max(1, room))
        if chunk[axis] < shape[axis]:
            break
    return tuple(chunk)


@dataclass(frozen=True)
class Layout:
    """The axes and chunks of one store.

    Parameters
    ----------
    labels
        Labels along each dimension of the grid, in the store's order.
    extra_sizes
        Lengths of the dimensions after the grid's.
    chunk
        Shape of the chunks over the grid's dimensions; whole along the weights.
    """

    labels: Mapping[str, tuple[Any, ...]]
    extra_sizes: Mapping[str, int]
    chunk: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values along each dimension of the grid."""
        return tuple(len(labels) for labels in self.labels.values())

    @cached_property
    def n_weightings(self) -> int:
        """Number of weightings of a block."""
        return math.prod(len(self.labels[name]) for name in self._named(WEIGHTING_DIMENSIONS))

    def extra_shape(self, variable: Variable) -> tuple[int, ...]:
        """Lengths of a variable's dimensions after the grid's."""
        return tuple(self.extra_sizes[name] for name in variable.extra_dims)

    def index(self, block: Block) -> tuple[int, ...]:
        """Find a block's position along each block dimension.

        Raises
        ------
        LookupError
            If a label is not on its axis; it names the axis and its labels.
        """
        positions = []
        for name in BLOCK_DIMENSIONS:
            label = getattr(block, name)
            if name not in self.labels:
                if label is not None:
                    raise LookupError(f"the store has no axis {name}")
                continue
            position = self._positions[name].get(label)
            if position is None:
                raise LookupError(f"{name} has no {label!r}; it has {shortened(self.labels[name])}")
            positions.append(position)
        return tuple(positions)

    @property
    def n_outer(self) -> int:
        """How many dimensions name a block."""
        return len(self._named(BLOCK_DIMENSIONS))

    def _named(self, dimensions: tuple[str, ...]) -> tuple[str, ...]:
        """Of some dimensions, those that this store has."""
        return tuple(name for name in dimensions if name in self.labels)

    def chunk_of(self, index: tuple[int, ...]) -> tuple[int, ...]:
        """Give the chunk, by its place along every dimension of the grid, that holds a block."""
        outer = tuple(position // size for position, size in zip(index, self.chunk, strict=False))
        return outer + (0,) * len(self._named(WEIGHTING_DIMENSIONS))

    def region(self, chunk: tuple[int, ...]) -> tuple[slice, ...]:
        """Give the part of the grid that a chunk covers."""
        return tuple(
            slice(place * size, min((place + 1) * size, length))
            for place, size, length in zip(chunk, self.chunk, self.shape, strict=True)
        )

    def within(self, index: tuple[int, ...]) -> tuple[int, ...]:
        """Give a block's position within its chunk."""
        return tuple(position % size for position, size in zip(index, self.chunk, strict=False))

    @cached_property
    def _positions(self) -> dict[str, dict[Any, int]]:
        return {name: {label: i for i, label in enumerate(labels)} for name, labels in self.labels.items()}


def layout_of(arrays: Mapping[str, Any]) -> Layout:
    """Read a store's layout from its arrays (Zarr's, or what slices alike), by name."""
    dims = tuple(name for name in DIMENSIONS if name in arrays)
    extra_dims = {name for variable in VARIABLES for name in variable.extra_dims}
    return Layout(
        labels={name: _labels(arrays[name][:]) for name in dims},
        extra_sizes={name: arrays[name].shape[0] for name in sorted(extra_dims)},
        chunk=tuple(arrays["status"].chunks),
    )


def shortened(labels: Iterable[Any]) -> str:
    """Write labels in one short line."""
    words = [repr(label) for label in labels]
    return ", ".join(words if len(words) <= 12 else [*words[:5], "...", *words[-5:]])


def _labels(values: np.ndarray) -> tuple[Any, ...]:
    return tuple(values.tolist())
