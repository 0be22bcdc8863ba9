"""The reference potential: what a study's truth is computed with, whichever program evaluates it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from ase.data import atomic_numbers
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
    """

    site_energies: Floats
    forces: Floats
    virial: Floats


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


def open_reference(comm: Any, potential: Mapping[str, Any]) -> Reference:
    """Open a reference potential on a communicator.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        Every rank calls this, and every method of what it returns, with the same arguments.
    potential : mapping
        ``kind`` (``"lammps"``), ``element`` (a chemical symbol), ``pair_style`` (its arguments included) and
        ``pair_coeff`` (a list of such lines without the command, absolute paths inside).

    Returns
    -------
    Reference
        A context manager: leaving it frees the potential.

    Raises
    ------
    PotentialError
        If an entry is missing or wrong, or LAMMPS refuses the potential; it quotes what LAMMPS said.

    Examples
    --------
    >>> from mpi4py import MPI
    >>> lj = {"kind": "lammps", "element": "Ar", "pair_style": "lj/cut 8.5", "pair_coeff": ["* * 0.0104 3.4"]}
    >>> with open_reference(MPI.COMM_SELF, lj) as reference:
    ...     reference.cutoff
    8.5
    """
    kind = potential.get("kind")
    if kind != "lammps":
        raise PotentialError(f"reference potential: kind is {kind!r}; it must be 'lammps'")
    if potential.get("element") not in atomic_numbers:
        raise PotentialError(
            f"reference potential: element is {potential.get('element')!r}; it must be a chemical symbol"
        )
    if not isinstance(potential.get("pair_style"), str) or not potential["pair_style"].strip():
        raise PotentialError("reference potential: pair_style is missing; name a LAMMPS pair style")
    lines = potential.get("pair_coeff")
    if not isinstance(lines, list | tuple) or not lines or not all(isinstance(line, str) for line in lines):
        raise PotentialError("reference potential: pair_coeff must be a list of at least one line of text")
    # imported here: LAMMPS is loaded by those who use it, after MPI
    from kernels.lammps_system import LammpsReference

    return LammpsReference(comm, potential["element"], potential["pair_style"], tuple(lines))
