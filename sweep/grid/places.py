"""Where things are known: of the reference alone on a cylinder, of its fits in a block."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import Any, TypeVar

from sweep.grid.dimensions import CYLINDER_DIMENSIONS, WHOLE_DIMENSIONS, GridError

# Places kept as read from their keys: journals name the same few again and again, one record after another.
KEPT_PLACES = 4_096


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
        return _key(self, CYLINDER_DIMENSIONS)

    @classmethod
    def from_key(cls, key: str) -> Cylinder:
        """Read a cylinder back from its `key`.

        Raises
        ------
        GridError
            If `key` is not one that `Cylinder.key` writes.
        """
        return _read(cls, "cylinder", key)


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
    order, cutoff, bulk_strain
        Correlation order and cutoff (Å) of the basis, and strain of the bulk training cells, where they are axes;
        None where the study has one for all.

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
    >>> Block("screw", 25, 6, 8, 4, 0, cutoff=5).key
    'dislocation=screw,simulation_radius=25.0,degree=6,domain_radius=8.0,n_train=4,replica=0,cutoff=5.0'
    """

    dislocation: str
    simulation_radius: float
    degree: int
    domain_radius: float
    n_train: int
    replica: int
    order: int | None = None
    cutoff: float | None = None
    bulk_strain: float | None = None

    def __post_init__(self) -> None:
        _plain("block", self.dislocation)
        for name in ("simulation_radius", "domain_radius", "cutoff", "bulk_strain"):
            # 25 and 25.0 are one radius: they must give one key.
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, _positive("block", name, value))
        for name, least in (("degree", 1), ("n_train", 1), ("replica", 0), ("order", 1)):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, _whole(name, value, least))

    def __hash__(self) -> int:
        # a word's hash is kept, that of nine fields is not
        return hash(self.key)

    @cached_property
    def key(self) -> str:
        """Canonical one-line name: equal blocks have equal keys, in every process and version."""
        return _key(self, _BLOCK_FIELDS)

    @classmethod
    def from_key(cls, key: str) -> Block:
        """Read a block back from its `key`.

        Raises
        ------
        GridError
            If `key` is not one that `Block.key` writes.
        """
        return _block(key)


_BLOCK_FIELDS = tuple(field.name for field in fields(Block))
Place = TypeVar("Place", Cylinder, Block)


def _key(place: Cylinder | Block, names: Iterable[str]) -> str:
    values = [(name, getattr(place, name)) for name in names]
    return ",".join([f"{name}={value}" for name, value in values if value is not None])


@lru_cache(maxsize=KEPT_PLACES)
def _block(key: str) -> Block:
    return _read(Block, "block", key)


def _read(kind: type[Place], what: str, key: str) -> Place:
    """Read a place back from its key, refusing whatever is not exactly one."""
    words = dict(item.partition("=")[::2] for item in key.split(","))
    try:
        place = kind(**{name: _label(name, word) for name, word in words.items()})
    except (TypeError, ValueError) as error:
        raise GridError(f"{key!r} is not a {what}'s key: {error}") from error
    if place.key != key:
        raise GridError(f"{key!r} is not a {what}'s key; the nearest is {place.key!r}")
    return place


def _label(name: str, word: str) -> Any:
    if name == "dislocation":
        return word
    return int(word) if name in WHOLE_DIMENSIONS else float(word)


def _plain(what: str, dislocation: str) -> None:
    """Refuse a dislocation's name that a key could not hold."""
    if not dislocation or set(dislocation) & set(",= \t\r\n"):
        raise GridError(f"{what}: dislocation {dislocation!r} is not a plain name")


def _positive(what: str, name: str, value: float) -> float:
    """Return a finite number above zero as a float."""
    if isinstance(value, bool) or not (math.isfinite(value) and value > 0):
        raise GridError(f"{what}: {name} is {value!r}; give a finite number above 0")
    return float(value)


def _whole(name: str, value: int, least: int) -> int:
    """Return a whole number of at least `least` as an int."""
    if isinstance(value, bool) or int(value) != value or value < least:
        raise GridError(f"block: {name} is {value!r}; give a whole number of at least {least}")
    return int(value)
