"""What a reference potential says of a configuration, whichever program evaluates it."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

# Six components of a symmetric tensor in ace-jax's order.
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


class PotentialError(ValueError):
    """A reference potential that cannot be used, or that failed on a system."""


@dataclass(frozen=True)
class Evaluation:
    """What a potential says about one configuration.

    Attributes
    ----------
    site_energies : (n,) ndarray
        eV.
    forces : (n, 3) ndarray
        eV/Å.
    virial : (6,) ndarray
        −dE/d(strain) in the order of `VOIGT`, eV. It means something for a crystal only.
    per_site : bool
        Whether the site energies are the potential's own. Otherwise only their sum means something.
    """

    site_energies: Floats
    forces: Floats
    virial: Floats
    per_site: bool = True


@dataclass(frozen=True)
class Minimum:
    """How a minimisation ended.

    Attributes
    ----------
    positions : (n, 3) ndarray
        Å, not wrapped into the cell.
    residual_force : float
        Largest force component on the free atoms, eV/Å.
    force_evaluations : int
        Evaluations of all forces.
    converged : bool
        Whether the tolerance was met.
    """

    positions: Floats
    residual_force: float
    force_evaluations: int
    converged: bool


class System(Protocol):
    """Atoms in a fixed cell, evaluated at any positions near those they were made at.

    Every rank of the communicator calls each method with the same arguments and receives the same answer.
    """

    def forces(self, positions: Floats) -> Floats:
        """Evaluate the forces at (n, 3) positions, eV/Å: the quick path."""
        ...

    def evaluate(self, positions: Floats) -> Evaluation:
        """Evaluate site energies, forces and virial at (n, 3) positions."""
        ...

    def minimise(
        self, positions: Floats, free: Flags, force_tolerance: float, most_evaluations: int
    ) -> Minimum:
        """Move the free atoms until no force component on them exceeds the tolerance, eV/Å."""
        ...


class Reference(Protocol):
    """A potential on a communicator. It holds one system at a time: making another ends the one before."""

    @property
    def named(self) -> str:
        """What messages call it."""
        ...

    @property
    def cutoff(self) -> float:
        """Distance beyond which an atom does not change another's site energy, Å."""
        ...

    def cylinder(self, positions: Floats, period: float, bystanders: Flags | None = None) -> System:
        """Atoms in vacuum, periodic along z.

        `bystanders` marks atoms whose own site energies are not wanted: pairs of bystanders are left out, so
        that only derivatives of the other atoms' site energies are right. It saves their cost.
        """
        ...

    def crystal(self, positions: Floats, cell: Floats) -> System:
        """Atoms in a periodic cell whose rows are its vectors, of any orientation."""
        ...

    def close(self) -> None:
        """Free what the potential holds."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
