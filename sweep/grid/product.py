"""The grid of a study: labelled axes, the cylinders, blocks and weightings they span, and where a block lies."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from sweep.study import Study

AxisValue: TypeAlias = str | int | float

#: Every dimension of the grid in the store's order, with its unit (UDUNITS spelling) and its long name.
DIMENSIONS: dict[str, tuple[str, str]] = {
    "dislocation": ("1", "dislocation"),
    "simulation_radius": ("angstrom", "radius of the free part of the simulated cylinder"),
    "degree": ("1", "total polynomial degree of the ACE basis"),
    "domain_radius": ("angstrom", "radius within which core training configurations are observed"),
    "n_train": ("1", "number of training configurations of each kind"),
    "replica": ("1", "index of the independent training set"),
    "weight_energy": ("1", "weight of the energies in the loss"),
    "weight_forces": ("1", "weight of the forces in the loss"),
    "weight_virial": ("1", "weight of the virials in the loss"),
}
CYLINDER_DIMENSIONS = tuple(DIMENSIONS)[:2]
BLOCK_DIMENSIONS = tuple(DIMENSIONS)[:6]
WEIGHT_DIMENSIONS = tuple(DIMENSIONS)[6:]


class GridError(ValueError):
    """An axis, block or weighting that cannot be part of a grid, or is not on this one."""


@dataclass(frozen=True)
class Axis:
    """One labelled axis of a grid.

    Parameters
    ----------
    name
        Dimension name, as in the store.
    values
        Labels along the axis, in the study's order: at least one, none repeated.
    units
        Unit of the values; ``"1"`` where they have none.
    long_name
        What the axis is, for people.

    Raises
    ------
    GridError
        If there is no value, or one is repeated.
    """

    name: str
    values: tuple[AxisValue, ...]
    units: str
    long_name: str

    def __post_init__(self) -> None:
        if not self.values:
            raise GridError(f"axis {self.name} has no value; give it at least one")
        value, count = Counter(self.values).most_common(1)[0]
        if count > 1:
            raise GridError(f"axis {self.name} names {value!r} {count} times; name each value once")

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Cylinder:
    """One dislocation at one simulated radius: the unit of what is known of the reference alone.

    Parameters
    ----------
    dislocation
        Name of the dislocation as the study writes it.
    simulation_radius
        Radius of the free part of the simulated cylinder (Å).

    Raises
    ------
    GridError
        If a value is of the wrong kind or out of range.

    Examples
    --------
    >>> cylinder = Cylinder("screw", 25)
    >>> cylinder.key
    'dislocation=screw,simulation_radius=25.0'
    >>> Cylinder.from_key(cylinder.key) == cylinder
    True
    """

    dislocation: str
    simulation_radius: float

    def __post_init__(self) -> None:
        _plain("cylinder", self.dislocation)
        radius = _positive("cylinder", "simulation_radius", self.simulation_radius)
        object.__setattr__(self, "simulation_radius", radius)

    @property
    def key(self) -> str:
        """Canonical one-line name: equal cylinders have equal keys, in every process and version."""
        return ",".join(f"{name}={getattr(self, name)}" for name in CYLINDER_DIMENSIONS)

    @classmethod
    def from_key(cls, key: str) -> Cylinder:
        """Read a cylinder back from its `key`.

        Raises
        ------
        GridError
            If `key` is not one that `Cylinder.key` writes.
        """
        words = dict(item.partition("=")[::2] for item in key.split(","))
        try:
            cylinder = cls(words["dislocation"], float(words["simulation_radius"]))
        except (KeyError, ValueError) as error:
            raise GridError(f"{key!r} is not a cylinder's key: {error}") from error
        if cylinder.key != key:
            raise GridError(f"{key!r} is not a cylinder's key; the nearest is {cylinder.key!r}")
        return cylinder


@dataclass(frozen=True)
class Block:
    """Every weighting at one place of the outer axes: the unit of fitting.

    Parameters
    ----------
    dislocation
        Name of the dislocation as the study writes it.
    simulation_radius
        Radius of the free part of the simulated cylinder (Å).
    degree
        Total polynomial degree of the basis.
    domain_radius
        Radius within which core training configurations are perturbed and observed (Å).
    n_train
        Number of training configurations of each kind.
    replica
        Index of the independent training set, from 0.

    Raises
    ------
    GridError
        If a value is of the wrong kind or out of range.

    Examples
    --------
    >>> block = Block("screw", 25, 6, 8, 4, 0)
    >>> block.key
    'dislocation=screw,simulation_radius=25.0,degree=6,domain_radius=8.0,n_train=4,replica=0'
    >>> Block.from_key(block.key) == block
    True
    """

    dislocation: str
    simulation_radius: float
    degree: int
    domain_radius: float
    n_train: int
    replica: int

    def __post_init__(self) -> None:
        _plain("block", self.dislocation)
        for name in ("simulation_radius", "domain_radius"):
            # 25 and 25.0 are one radius: they must give one key.
            object.__setattr__(self, name, _positive("block", name, getattr(self, name)))
        for name, least in (("degree", 1), ("n_train", 1), ("replica", 0)):
            object.__setattr__(self, name, _whole(name, getattr(self, name), least))

    @property
    def key(self) -> str:
        """Canonical one-line name: equal blocks have equal keys, in every process and version."""
        return ",".join(f"{name}={getattr(self, name)}" for name in BLOCK_DIMENSIONS)

    @classmethod
    def from_key(cls, key: str) -> Block:
        """Read a block back from its `key`.

        Raises
        ------
        GridError
            If `key` is not one that `Block.key` writes.
        """
        words = dict(item.partition("=")[::2] for item in key.split(","))
        try:
            block = cls(
                words["dislocation"],
                float(words["simulation_radius"]),
                int(words["degree"]),
                float(words["domain_radius"]),
                int(words["n_train"]),
                int(words["replica"]),
            )
        except (KeyError, ValueError) as error:
            raise GridError(f"{key!r} is not a block's key: {error}") from error
        if block.key != key:
            raise GridError(f"{key!r} is not a block's key; the nearest is {block.key!r}")
        return block


@dataclass(frozen=True)
class Weighting:
    """Weights w of the observations in the loss Σ w²·mean(residual²); only their ratios matter.

    Raises
    ------
    GridError
        If a weight is negative or not finite.

    Examples
    --------
    >>> Weighting(1.0, 1.0, 0.0).excluded, Weighting(0.0, 0.0, 0.0).excluded
    (False, True)
    """

    energy: float
    forces: float
    virial: float

    def __post_init__(self) -> None:
        for field in fields(self):
            weight = float(getattr(self, field.name))
            if not (math.isfinite(weight) and weight >= 0):
                raise GridError(f"weighting: {field.name} is {weight}; a weight is finite and not negative")
            object.__setattr__(self, field.name, weight)

    @property
    def excluded(self) -> bool:
        """Whether every weight is zero, which is no fit."""
        return self.energy == self.forces == self.virial == 0


@dataclass(frozen=True)
class Grid:
    """The points of a study: the product of its axes.

    Parameters
    ----------
    axes
        One axis for each of `DIMENSIONS`, in that order.

    Raises
    ------
    GridError
        If the axes are others or stand in another order, a label is invalid, or every weighting is zero.
    """

    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        if self.dims != tuple(DIMENSIONS):
            raise GridError(f"a grid has the axes {', '.join(DIMENSIONS)} in this order, not {self.dims}")
        if all(weighting.excluded for weighting in self.weightings()):
            raise GridError("every weighting is zero; give weight_energy, _forces or _virial a value above 0")

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
        return math.prod(self.shape[: len(BLOCK_DIMENSIONS)])

    @property
    def n_points(self) -> int:
        """Number of points, excluded ones included."""
        return math.prod(self.shape)

    @property
    def n_excluded(self) -> int:
        """Number of points whose weighting is no fit."""
        return self.n_blocks * sum(weighting.excluded for weighting in self.weightings())

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
        """Go through the blocks in C order: the last block dimension, replica, runs fastest."""
        values = (axis.values for axis in self.axes[: len(BLOCK_DIMENSIONS)])
        # Block checks its own fields, so a label of the wrong kind is refused there.
        return (Block(*labels) for labels in itertools.product(*values))  # type: ignore[arg-type]

    def weightings(self) -> tuple[Weighting, ...]:
        """Every weighting of a block in C order over (energy, forces, virial): virial runs fastest."""
        values = (axis.values for axis in self.axes[len(BLOCK_DIMENSIONS) :])
        return tuple(Weighting(*weights) for weights in itertools.product(*values))  # type: ignore[arg-type]

    def index(self, block: Block) -> tuple[int, int, int, int, int, int]:
        """Find where a block lies: its position along each of the six block dimensions.

        Raises
        ------
        GridError
            If a label of the block is not on its axis.
        """
        positions = []
        for axis in self.axes[: len(BLOCK_DIMENSIONS)]:
            label = getattr(block, axis.name)
            if label not in axis.values:
                raise GridError(
                    f"block {block.key} is off the grid: {axis.name} has {axis.values}, not {label}"
                )
            positions.append(axis.values.index(label))
        first, second, third, fourth, fifth, sixth = positions
        return first, second, third, fourth, fifth, sixth


def grid_of(study: Study) -> Grid:
    """Lay out a study's grid: one axis a dimension, labels in the study's order, replicas from 0."""
    axes = study.axes
    labels: dict[str, tuple[AxisValue, ...]] = {
        "dislocation": study.dislocations,
        "replica": tuple(range(axes.replica)),
    }
    return Grid(
        tuple(
            Axis(name, labels[name] if name in labels else tuple(getattr(axes, name)), units, long_name)
            for name, (units, long_name) in DIMENSIONS.items()
        )
    )


def _plain(what: str, dislocation: str) -> None:
    """Refuse a dislocation's name that a key could not hold."""
    if not dislocation or set(dislocation) & set(",= \t\r\n"):
        raise GridError(f"{what}: dislocation {dislocation!r} is not a plain name")


def _positive(what: str, name: str, value: float) -> float:
    """Return a finite length above zero as a float."""
    if isinstance(value, bool) or not (math.isfinite(value) and value > 0):
        raise GridError(f"{what}: {name} is {value!r}; give a finite length above 0 (Å)")
    return float(value)


def _whole(name: str, value: int, least: int) -> int:
    """Return a whole number of at least `least` as an int."""
    if isinstance(value, bool) or int(value) != value or value < least:
        raise GridError(f"block: {name} is {value!r}; give a whole number of at least {least}")
    return int(value)
