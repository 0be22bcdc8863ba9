"""Linear ACE potentials: site energies and forces by the exact model, of any listed sites."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.environments import Environments
from kernels.linear_basis import BasisError, LinearBasis, basis_of
from kernels.shared_forces import SharedForces

__all__ = ["AcePotential", "BasisError", "LinearBasis", "SharedForces", "basis_of", "scattered"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AcePotential:
    """A fitted linear ACE.

    Parameters
    ----------
    basis : LinearBasis
        Its functions.
    coefficients : (L,) ndarray
        eV.
    e0 : float
        Energy of every site besides, eV.

    Raises
    ------
    BasisError
        If the coefficients do not belong to the basis.
    """

    basis: LinearBasis
    coefficients: Floats
    e0: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "coefficients", self.basis.checked(self.coefficients))

    def site_energies(self, environments: Environments, positions: Floats) -> Floats:
        """Energies of the listed sites, (S,), eV."""
        return self.energies_and_gradients(environments, positions)[0]

    def energies_and_gradients(self, environments: Environments, positions: Floats) -> tuple[Floats, Floats]:
        """Energies (S,), eV, and their derivatives with respect to the neighbour vectors (S, K, 3), eV/Å."""
        energies, gradients = self.basis.energies_and_gradients(
            self.coefficients, environments.vectors(positions), environments.mask
        )
        return energies + self.e0, gradients

    def forces(self, environments: Environments, positions: Floats) -> Floats:
        """Sum the forces of the listed sites' energies on every atom, (n, 3), eV/Å."""
        return scattered(
            environments, self.energies_and_gradients(environments, positions)[1], len(positions)
        )


def scattered(environments: Environments, gradients: Floats, atoms: int) -> Floats:
    """Sum derivatives with respect to neighbour vectors into forces on atoms.

    Parameters
    ----------
    environments : Environments
        S sites, K slots.
    gradients : (S, K, 3)
        dE/d(vector), eV/Å, zero in empty slots.
    atoms : int
        Number of atoms, n.

    Returns
    -------
    (n, 3) ndarray
        -dE/d(position), eV/Å.
    """
    forces = np.zeros((atoms, 3))
    forces[environments.centres] = gradients.sum(axis=1)
    slots = environments.index.ravel()
    for axis in range(3):
        forces[:, axis] -= np.bincount(slots, weights=gradients[..., axis].ravel(), minlength=atoms)
    return forces
