"""The product of a study's axes."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sweep.grid.dimensions import (
    BLOCK_DIMENSIONS,
    CYLINDER_DIMENSIONS,
    DIMENSIONS,
    OPTIONAL_DIMENSIONS,
    WEIGHTING_DIMENSIONS,
    Axis,
    AxisValue,
    GridError,
)
from sweep.grid.places import Block, Cylinder
from sweep.grid.point_list import PointList
from sweep.grid.weighting import Weighting

if TYPE_CHECKING:
    from sweep.study import Study

# Names of a weighting's fields by their dimensions.
_WEIGHTS = {name: name.removeprefix("weight_") for name in WEIGHTING_DIMENSIONS}


@dataclass(frozen=True)
class Grid:
    """The points of a study: the product of its axes.

    Parameters
    ----------
    axes
        One axis for each of `DIMENSIONS`, in that order; those of `OPTIONAL_DIMENSIONS` may be left out.
    listed
        The points of the product that are asked for; None for all.

    Raises
    ------
    GridError
        If the axes are others or stand in another order, a label is invalid, or every weighting is zero.
    """

    axes: tuple[Axis, ...]
    listed: PointList | None = None

    def __post_init__(self) -> None:
        wanted = tuple(name for name in DIMENSIONS if name in self.dims or name not in OPTIONAL_DIMENSIONS)
        if self.dims != wanted:
            raise GridError(f"a grid has the axes {', '.join(wanted)} in this order, not {self.dims}")
        if all(weighting.excluded for weighting in self.weightings()):
            raise GridError("every weighting is zero; give weight_energy, _forces or _virial a value above 0")
        if self.listed is not None and not self._masks:
            raise GridError("every point that is listed has all weights zero; list one that is a fit")

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dimensions, as in the store."""
        return tuple(axis.name for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values along each dimension."""
        return tuple(len(axis) for axis in self.axes)

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return math.prod(len(axis) for axis in self.block_axes)

    @property
    def n_points(self) -> int:
        """Number of points, excluded ones included."""
        return math.prod(self.shape)

    @property
    def n_asked(self) -> int:
        """Number of points that are asked for, excluded ones included."""
        return self.n_points if self.listed is None else sum(int(mask.sum()) for mask in self._asked_masks())

    @property
    def n_excluded(self) -> int:
        """Number of points that are asked for and whose weighting is no fit."""
        if self.listed is None:
            return self.n_blocks * int((~self.fits).sum())
        return sum(int((mask & ~self.fits).sum()) for mask in self._asked_masks())

    @cached_property
    def fits(self) -> NDArray[np.bool_]:
        """Which weightings of a block are fits: shape (weightings,)."""
        return np.array([not weighting.excluded for weighting in self.weightings()])

    @cached_property
    def block_axes(self) -> tuple[Axis, ...]:
        """The axes whose labels name a block."""
        return tuple(axis for axis in self.axes if axis.name in BLOCK_DIMENSIONS)

    @cached_property
    def weighting_axes(self) -> tuple[Axis, ...]:
        """The axes that number the fits of a block."""
        return tuple(axis for axis in self.axes if axis.name in WEIGHTING_DIMENSIONS)

    def axis(self, name: str) -> Axis:
        """Give the axis of this name.

        Raises
        ------
        GridError
            If the grid has no such axis.
        """
        for axis in self.axes:
            if axis.name == name:
                return axis
        raise GridError(f"the grid has no axis {name!r}; its axes are {', '.join(self.dims)}")

    def cylinders(self) -> Iterator[Cylinder]:
        """Go through the dislocations at each simulated radius, in C order."""
        values = (axis.values for axis in self.axes[: len(CYLINDER_DIMENSIONS)])
        return (Cylinder(*labels) for labels in itertools.product(*values))  # type: ignore[arg-type]

    def blocks(self) -> Iterator[Block]:
        """Go through the blocks of which a point is asked for, in C order: the last block dimension runs fastest."""
        names = [axis.name for axis in self.block_axes]
        for labels in itertools.product(*(axis.values for axis in self.block_axes)):
            # Block checks its own fields, so a label of the wrong kind is refused there.
            block = Block(**dict(zip(names, labels, strict=True)))  # type: ignore[arg-type]
            if self.listed is None or self._key(block) in self._masks:
                yield block

    def asked(self, block: Block) -> NDArray[np.bool_]:
        """Say which points of a block are asked for: shape (weightings,).

        All are unless points are listed; of a block where only what is no fit is listed, none.
        """
        if self.listed is None:
            return np.ones(len(self.weightings()), dtype=bool)
        mask = self._masks.get(self._key(block))
        return np.zeros(len(self.weightings()), dtype=bool) if mask is None else mask

    def _key(self, block: Block) -> tuple[Any, ...]:
        """Give a block's labels in the list's columns."""
        assert self.listed is not None
        return tuple(getattr(block, name) for name in self.listed.columns if name in BLOCK_DIMENSIONS)

    def _asked_masks(self) -> Iterator[NDArray[np.bool_]]:
        return (self.asked(block) for block in self.blocks())

    @cached_property
    def _masks(self) -> dict[tuple[Any, ...], NDArray[np.bool_]]:
        """Which weightings are asked for, by a block's labels in the list's columns."""
        assert self.listed is not None
        places = [place for place, name in enumerate(self.listed.columns) if name in BLOCK_DIMENSIONS]
        others = [place for place, name in enumerate(self.listed.columns) if name in WEIGHTING_DIMENSIONS]
        weights: dict[tuple[Any, ...], set[tuple[Any, ...]]] = defaultdict(set)
        for row in self.listed.rows:
            weights[tuple(row[place] for place in places)].add(tuple(row[place] for place in others))
        fields = [_WEIGHTS[self.listed.columns[place]] for place in others]
        labels = [tuple(getattr(weighting, field) for field in fields) for weighting in self.weightings()]
        masks = {key: np.array([label in wanted for label in labels]) for key, wanted in weights.items()}
        return {key: mask for key, mask in masks.items() if (mask & self.fits).any()}

    def weightings(self) -> tuple[Weighting, ...]:
        """Give every weighting of a block in C order: the last weight runs fastest, the regularisation slowest."""
        return self._weightings

    @cached_property
    def _weightings(self) -> tuple[Weighting, ...]:
        names = [_WEIGHTS[axis.name] for axis in self.weighting_axes]
        products = itertools.product(*(axis.values for axis in self.weighting_axes))
        return tuple(Weighting(**dict(zip(names, labels, strict=True))) for labels in products)  # type: ignore[arg-type]

    def index(self, block: Block) -> tuple[int, ...]:
        """Find where a block lies: its position along each of the block dimensions.

        Raises
        ------
        GridError
            If a label of the block is not on its axis, or it has one that the grid has no axis for.
        """
        if block not in self._positions:
            self._positions[block] = self._position(block)
        return self._positions[block]

    def _position(self, block: Block) -> tuple[int, ...]:
        positions = []
        for name in BLOCK_DIMENSIONS:
            label = getattr(block, name)
            values = self._labels.get(name)
            if (label is None) != (values is None) or (values is not None and label not in values):
                shown = "no such axis" if values is None else tuple(values)
                raise GridError(f"block {block.key} is off the grid: {name} has {shown}, not {label}")
            if values is not None:
                positions.append(values[label])
        return tuple(positions)

    @cached_property
    def _positions(self) -> dict[Block, tuple[int, ...]]:
        """Positions found so far: journals name a block once for each of its points."""
        return {}

    @cached_property
    def _labels(self) -> dict[str, dict[Any, int]]:
        return {axis.name: {label: i for i, label in enumerate(axis.values)} for axis in self.block_axes}


def grid_of(study: Study) -> Grid:
    """Lay out a study's grid: one axis a dimension, labels in the study's order, replicas from 0."""
    axes = study.axes
    labels: dict[str, tuple[AxisValue, ...] | None] = {
        "dislocation": study.dislocations,
        "replica": tuple(range(axes.replica)),
    }
    named = {name: labels[name] if name in labels else getattr(axes, name) for name in DIMENSIONS}
    return Grid(
        tuple(
            Axis(name, tuple(values), *DIMENSIONS[name])
            for name, values in named.items()
            if values is not None
        ),
        study.listed,
    )
