"""Forces of fits in a clamped cylinder, its sites shared over the ranks: what every relaxation asks for."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from kernels.compiled import SlowForcesWarning, kernel_on_every_rank
from kernels.inputs import load_arrays
from kernels.linear_basis import LinearBasis
from kernels.sectors import Sector, sector_of, sites_reaching
from kernels.table_choice import TableChoice
from kernels.tabulated import TabulatedFit

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Neighbour lists reach this far beyond the cutoff, Å: rebuilding costs less than the slots of a wide skin.
SKIN = 0.2
# Sites this far beyond the cutoff of every free atom are left out, Å. Atoms at the clamped boundary move by
# hundredths of this.
REACH_MARGIN = 1.0
CYLINDERS_KEPT = 4
# Sites whose neighbour vectors exist at a time where XLA evaluates.
SITES_AT_A_TIME = 1024


class SharedForces:
    """Forces of any fit on the free atoms of a clamped cylinder, its sites shared over the ranks.

    Every rank calls every method with the same arguments, and has the same answer. Sites are dealt in sectors
    around the line; a rank holds and evaluates its own only.

    Forces and site energies come from ace-jax's C++ kernel with tabulated radial functions, wherever a table is
    found that is good enough for the fit (`kernels.table_choice`); otherwise, and for second derivatives, from the
    exact model through XLA.

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
    exact : bool
        Whether to leave the kernel aside: its forces are good to some 1e-10 eV/Å, and no relaxation ends below.

    Attributes
    ----------
    needed : (m,) int
        Sites whose energy depends on a free atom, ascending. It grows where a free atom comes nearer to the
        boundary than foreseen.
    evaluations : int
        Evaluations so far: forces, energies or products.
    sites_evaluated : int
        Sites that this rank evaluated in them.

    Warns
    -----
    SlowForcesWarning
        Once, where the kernel cannot be had, and where no table is good enough for a fit.

    Notes
    -----
    theory.md, "Geometry". All methods raise `NeighbourError` where a position is not finite.
    """

    def __init__(
        self,
        comm: Any,
        basis: LinearBasis,
        positions: Floats,
        period: float,
        free: NDArray[np.bool_],
        *,
        exact: bool = False,
    ) -> None:
        self.comm, self.basis = comm, basis
        self._period, self._free = float(period), np.asarray(free, dtype=bool)
        self._free_atoms = np.flatnonzero(self._free)
        self.evaluations = self.sites_evaluated = 0
        self.needed: Integers = self._reached(positions, basis.cutoff + REACH_MARGIN)
        self._list(positions)
        compiled = not exact and kernel_on_every_rank(comm)
        self._choice = TableChoice(basis, positions, period, self._free) if compiled else None
        self._fit: _Fit | None = None

    @staticmethod
    def of(comm: Any, basis: LinearBasis, equilibrium: str, *, exact: bool = False) -> SharedForces:
        """Make one for an equilibrium artefact, from the lists this process has already where it has.

        Parameters
        ----------
        comm : mpi4py communicator
            Shares the sites from now on.
        basis : LinearBasis
            As given by `basis_of`.
        equilibrium : str
            Path of the artefact.
        exact : bool
            Whether to leave the kernel aside.

        Returns
        -------
        SharedForces
            About the reference equilibrium.
        """
        key = (equilibrium, basis, comm.size, comm.rank, exact)
        if key not in _kept:
            if len(_kept) >= CYLINDERS_KEPT:
                _kept.pop(next(iter(_kept)))
            state = load_arrays(equilibrium)
            positions = state["sites"] + state["predictor"] + state["corrector"]
            period, free = float(state["period"]), state["free"]
            _kept[key] = SharedForces(comm, basis, positions, period, free, exact=exact)
        # a copy of what was made at the equilibrium: sums must not depend on the points relaxed before. Lists are
        # replaced, never changed in place, so the copy may share them
        shared = copy.copy(_kept[key])
        shared.comm = comm
        return shared

    def _reached(self, positions: Floats, distance: float) -> Integers:
        return sites_reaching(positions, self._period, self._free, distance)

    def _list(self, positions: Floats) -> None:
        """Deal the needed sites and list the neighbours of this rank's."""
        self.needed = np.union1d(self.needed, self._reached(positions, self.basis.cutoff + SKIN))
        x, y = positions[self.needed, 0], positions[self.needed, 1]
        around_line = self.needed[np.argsort(np.arctan2(y, x), kind="stable")]
        # in the order of memory: the kernel walks through it
        own = np.sort(np.array_split(around_line, self.comm.size)[self.comm.rank])
        self._own: Sector = sector_of(positions, self._period, self.basis.cutoff + SKIN, own)
        self._onto_free = self._own.onto(self._free_atoms, len(self._free))
        self._listed_at = np.array(positions, dtype=float)

    def _images(self, positions: Floats) -> Floats:
        """Images near this rank's sites; where atoms moved too far for the list, of a new one."""
        moved = positions - self._listed_at
        # not <=: a NaN must reach the search, which names its atom
        if not float(np.einsum("ia,ia->i", moved, moved).max()) <= (SKIN / 2.0) ** 2:
            self._list(positions)
        self.evaluations += 1
        self.sites_evaluated += len(self._own.sites)
        return self._own.images(positions)

    def _fitted(self, coefficients: Floats) -> _Fit:
        """Give the fit the form in which it is evaluated, decided when it is first asked for."""
        fitted = self.basis.checked(coefficients)
        # a NaN is no reason to decide again
        if self._fit is None or not np.array_equal(self._fit.coefficients, fitted, equal_nan=True):
            self._fit = self._decided(fitted.copy())
        return self._fit

    def intervals_of(self, coefficients: Floats) -> int:
        """Say how many intervals the table has that serves a (L,) fit; 0 where the exact model does."""
        served = self._fitted(coefficients).tabulated
        return served.table.intervals if served else 0

    def _decided(self, coefficients: Floats) -> _Fit:
        if self._choice is None or not np.isfinite(coefficients).all():
            return _Fit(coefficients, None)
        if self.comm.rank == 0:
            tabulated = self._choice.chosen(coefficients)
            self.comm.bcast(tabulated.table.intervals if tabulated else None, root=0)
            if tabulated is None:
                message = "no radial table is good enough for a fit: its forces come from plain XLA"
                warnings.warn(message, SlowForcesWarning, stacklevel=2)
            return _Fit(coefficients, tabulated)
        intervals = self.comm.bcast(None, root=0)
        if intervals is None:
            return _Fit(coefficients, None)
        return _Fit(coefficients, TabulatedFit.of(self.basis, intervals, coefficients))

    def _summed(self, on_images: Floats) -> Floats:
        """Sum what every rank's images carry into the free atoms."""
        total: Floats = self._onto_free @ on_images
        self.comm.Allreduce(MPI.IN_PLACE, total, op=MPI.SUM)
        return total

    def _chunks(self) -> Iterator[tuple[slice, NDArray[np.int32], NDArray[np.bool_]]]:
        """Yield a few of the own sites at a time: (s, K) images in their slots, and which are filled."""
        neighbours = np.asarray(self._own.neighbours)
        for start in range(0, len(self._own.sites), SITES_AT_A_TIME):
            rows = slice(start, min(start + SITES_AT_A_TIME, len(self._own.sites)))
            index = neighbours[:, rows].T
            yield rows, np.maximum(index, 0), index >= 0

    def _exactly(self, coefficients: Floats, images: Floats) -> tuple[Floats, Floats]:
        """Site energies (S,) and forces on the images (M, 3), by XLA."""
        energies, forces = np.empty(len(self._own.sites)), np.zeros_like(images)
        for rows, index, mask in self._chunks():
            vectors = images[index] - images[rows, None]
            found = self.basis.energies_and_gradients(coefficients, vectors, mask)
            energies[rows] = found[0]
            _scatter(forces, rows, index, found[1])
        return energies, forces

    def _evaluated(self, coefficients: Floats, positions: Floats) -> tuple[Floats, Floats]:
        fit, images = self._fitted(coefficients), self._images(positions)
        if fit.tabulated is None:
            return self._exactly(fit.coefficients, images)
        return fit.tabulated.evaluate(self._own, images)

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
        return self._summed(self._evaluated(coefficients, positions)[1])

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
        own = self._evaluated(coefficients, positions)[0]
        energies = np.zeros(len(self._free))
        energies[self._own.sites] = own
        self.comm.Allreduce(MPI.IN_PLACE, energies, op=MPI.SUM)
        return np.asarray(energies[self.needed], dtype=float)

    def hessian_product(self, coefficients: Floats, positions: Floats, direction: Floats) -> Floats:
        """Apply the fit's Hessian on the free atoms to a direction: minus the change of the forces, exactly.

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
        images = self._images(positions)
        displacement = np.zeros_like(self._listed_at)
        displacement[self._free_atoms] = direction
        displaced = displacement[self._own.owners]
        changes = np.zeros_like(images)
        for rows, index, mask in self._chunks():
            vectors, change = (each[index] - each[rows, None] for each in (images, displaced))
            bent = self.basis.gradient_changes(coefficients, vectors, mask, change)
            _scatter(changes, rows, index, bent)
        return -self._summed(changes)


@dataclass(frozen=True, eq=False)
class _Fit:
    """A fit, tabulated where a table is good enough for it."""

    coefficients: Floats
    tabulated: TabulatedFit | None


def _scatter(forces: Floats, rows: slice, index: NDArray[np.int32], gradients: Floats) -> None:
    """Add to the forces on images what derivatives (s, K, 3) with respect to neighbour vectors say of them."""
    forces[rows] += gradients.sum(axis=1)
    slots = index.ravel()
    for axis in range(3):
        forces[:, axis] -= np.bincount(slots, weights=gradients[..., axis].ravel(), minlength=len(forces))


# Kept across calls, though each brings its own communicator: finding neighbours costs several evaluations.
_kept: dict[tuple[str, LinearBasis, int, int, bool], SharedForces] = {}
