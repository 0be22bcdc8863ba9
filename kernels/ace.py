"""Linear ACE potentials: site energies, forces and Hessian products, on one rank or shared over several."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from kernels.environments import Environments, cylinder_environments
from kernels.inputs import load_arrays
from kernels.linear_basis import BasisError, LinearBasis, basis_of

__all__ = ["AcePotential", "BasisError", "LinearBasis", "SharedForces", "basis_of", "scattered"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Neighbour lists reach this far beyond the cutoff, Å: rebuilding costs less than the slots of a wide skin.
SKIN = 0.2
# Sites this far beyond the cutoff of every free atom are left out, Å. Atoms at the clamped boundary move by
# hundredths of this.
REACH_MARGIN = 1.0
CYLINDERS_KEPT = 4


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


class SharedForces:
    """Forces of any fit on the free atoms of a clamped cylinder, its sites shared over the ranks.

    Every rank calls every method with the same arguments, and has the same answer. Sites are dealt in sectors
    around the line; a rank evaluates its own only.

    Parameters
    ----------
    comm : mpi4py communicator
        May be replaced between calls by one of the same size.
    basis : LinearBasis
        Functions of the fits.
    positions : (n, 3)
        Of all atoms, near those that will be asked for, Å.
    period : float
        Repeat along the line, Å.
    free : (n,) bool
        Atoms that move.

    Attributes
    ----------
    needed : (m,) int
        Sites whose energy depends on a free atom, ascending. It grows where a free atom comes nearer to the
        boundary than foreseen.
    evaluations : int
        Evaluations so far: forces, energies or products.
    sites_evaluated : int
        Sites that this rank evaluated in them.

    Notes
    -----
    theory.md, "Geometry". All methods raise `NeighbourError` where a position is not finite.
    """

    def __init__(
        self, comm: Any, basis: LinearBasis, positions: Floats, period: float, free: NDArray[np.bool_]
    ) -> None:
        self.comm, self.basis = comm, basis
        self._period, self._free = float(period), np.asarray(free, dtype=bool)
        self.evaluations = self.sites_evaluated = 0
        self.needed: Integers = self._reached(positions, basis.cutoff + REACH_MARGIN)
        self._list(positions)

    @staticmethod
    def of(comm: Any, basis: LinearBasis, equilibrium: str) -> SharedForces:
        """Make one for an equilibrium artefact, from the lists this process has already where it has.

        Parameters
        ----------
        comm : mpi4py communicator
            Shares the sites from now on.
        basis : LinearBasis
            As given by `basis_of`.
        equilibrium : str
            Path of the artefact.

        Returns
        -------
        SharedForces
            About the reference equilibrium.
        """
        key = (equilibrium, basis, comm.size, comm.rank)
        if key not in _kept:
            if len(_kept) >= CYLINDERS_KEPT:
                _kept.pop(next(iter(_kept)))
            state = load_arrays(equilibrium)
            positions = state["sites"] + state["predictor"] + state["corrector"]
            _kept[key] = SharedForces(comm, basis, positions, float(state["period"]), state["free"])
        # a copy of what was made at the equilibrium: sums must not depend on the points relaxed before. Lists are
        # replaced, never changed in place, so the copy may share them
        shared = copy.copy(_kept[key])
        shared.comm = comm
        return shared

    def _reached(self, positions: Floats, distance: float) -> Integers:
        """Sites nearer than a distance to a free atom, and the free ones."""
        around = cylinder_environments(positions, self._period, distance, np.flatnonzero(self._free))
        reached = self._free.copy()
        reached[around.index[around.mask]] = True
        return np.flatnonzero(reached)

    def _list(self, positions: Floats) -> None:
        """Deal the needed sites and list the neighbours of this rank's."""
        self.needed = np.union1d(self.needed, self._reached(positions, self.basis.cutoff + SKIN))
        x, y = positions[self.needed, 0], positions[self.needed, 1]
        around_line = self.needed[np.argsort(np.arctan2(y, x), kind="stable")]
        own = np.array_split(around_line, self.comm.size)[self.comm.rank]
        self._own = cylinder_environments(positions, self._period, self.basis.cutoff + SKIN, own)
        self._listed_at = np.array(positions, dtype=float)

    def _vectors(self, positions: Floats) -> Floats:
        """Neighbour vectors of this rank's sites; where atoms moved too far for the list, from a new one."""
        moved = np.linalg.norm(positions - self._listed_at, axis=1)
        # not <=: a NaN must reach the search, which names its atom
        if not float(moved.max()) <= SKIN / 2.0:
            self._list(positions)
        self.evaluations += 1
        self.sites_evaluated += len(self._own.centres)
        return self._own.vectors(positions)

    def _summed(self, gradients: Floats) -> Floats:
        """Sum the gradients of every rank's sites into forces on the free atoms."""
        own = scattered(self._own, gradients, len(self._free))[self._free]
        total: Floats = np.empty_like(own)
        self.comm.Allreduce(np.ascontiguousarray(own), total, op=MPI.SUM)
        return total

    def forces(self, coefficients: Floats, positions: Floats) -> Floats:
        """Evaluate the forces on the free atoms.

        Parameters
        ----------
        coefficients : (L,)
            The fit, without E0, eV.
        positions : (n, 3)
            Å.

        Returns
        -------
        (n_free, 3) ndarray
            eV/Å, in the order of the free atoms.
        """
        vectors = self._vectors(positions)
        return self._summed(self.basis.energies_and_gradients(coefficients, vectors, self._own.mask)[1])

    def site_energies(self, coefficients: Floats, positions: Floats) -> Floats:
        """Evaluate the energies of the sites `needed` (as it stands after the call), without E0.

        Parameters
        ----------
        coefficients, positions
            As in `forces`.

        Returns
        -------
        (m,) ndarray
            eV.
        """
        vectors = self._vectors(positions)
        own = self.basis.energies_and_gradients(coefficients, vectors, self._own.mask)[0]
        parts = self.comm.allgather((self._own.centres, own))
        energies = np.empty(len(self._free))
        for centres, values in parts:
            energies[centres] = values
        return np.asarray(energies[self.needed], dtype=float)

    def hessian_product(self, coefficients: Floats, positions: Floats, direction: Floats) -> Floats:
        """Apply the fit's Hessian on the free atoms to a direction: minus the change of the forces.

        Parameters
        ----------
        coefficients, positions
            As in `forces`.
        direction : (n_free, 3)
            Displacement of the free atoms, Å.

        Returns
        -------
        (n_free, 3) ndarray
            eV/Å.
        """
        vectors = self._vectors(positions)
        displacement = np.zeros_like(self._listed_at)
        displacement[self._free] = direction
        own = self._own
        change = displacement[own.index] - displacement[own.centres][:, None]
        return -self._summed(self.basis.gradient_changes(coefficients, vectors, own.mask, change))


# Kept across calls, though each brings its own communicator: finding neighbours costs several evaluations.
_kept: dict[tuple[str, LinearBasis, int, int], SharedForces] = {}
