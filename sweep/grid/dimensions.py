"""The dimensions that a grid may have, and an axis along one of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TypeAlias

AxisValue: TypeAlias = str | int | float

#: Every dimension a grid may have in the store's order, with its unit (UDUNITS spelling) and its long name.
DIMENSIONS: dict[str, tuple[str, str]] = {
    "dislocation": ("1", "dislocation"),
    "simulation_radius": ("angstrom", "radius of the free part of the simulated cylinder"),
    "degree": ("1", "total polynomial degree of the ACE basis"),
    "domain_radius": ("angstrom", "radius within which core training configurations are observed"),
    "n_train": ("1", "number of training configurations of each kind"),
    "replica": ("1", "index of the independent training set"),
    "order": ("1", "correlation order of the ACE basis"),
    "cutoff": ("angstrom", "cutoff of the ACE basis"),
    "bulk_strain": ("1", "standard deviation of the strain components of bulk training cells"),
    "regularisation": ("1", "factor of the smoothness prior in the loss"),
    "weight_energy": ("1", "weight of the energies in the loss"),
    "weight_forces": ("1", "weight of the forces in the loss"),
    "weight_virial": ("1", "weight of the virials in the loss"),
    "weight_force_constants": ("1", "weight of the core's force constants in the loss"),
}
#: Those that a grid has only where the study names them.
OPTIONAL_DIMENSIONS = frozenset(
    {"order", "cutoff", "bulk_strain", "regularisation", "weight_force_constants"}
)
CYLINDER_DIMENSIONS = ("dislocation", "simulation_radius")
#: Those whose labels name a block; the others number the fits within it.
BLOCK_DIMENSIONS = tuple(DIMENSIONS)[:9]
WEIGHTING_DIMENSIONS = tuple(DIMENSIONS)[9:]
#: Labels that are whole numbers; the dislocation's is a word, and all others are lengths or plain numbers.
WHOLE_DIMENSIONS = frozenset({"degree", "n_train", "replica", "order"})


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
