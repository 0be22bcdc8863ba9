"""Which radial table is fine enough for a fit: none is used before its error is known."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from kernels.environments import cylinder_environments
from kernels.linear_basis import LinearBasis
from kernels.rows import Configuration, DesignRows, design_rows
from kernels.sectors import Sector, sector_of, sites_reaching
from kernels.tabulated import TabulatedFit

Floats = NDArray[np.float64]

# Numbers of intervals tried, in this order. Rounding in the table stops finer ones from being better.
INTERVALS = (24_000, 48_000)
# What a table may be off by, over the largest force: forces, and site energies in Å. Rounding makes those differ by
# 1e-12 Å: the limit is for what would be wrong.
FORCE_ERROR, ENERGY_ERROR = 1e-8, 1e-10
# The sample: this many free atoms nearest the line, displaced by this standard deviation, Å, as in training.
OBSERVED, PERTURBATION = 16, 0.02


class _Sample(NamedTuple):
    """Displaced atoms near the line, and what the exact model says of them by function."""

    exact: DesignRows
    sector: Sector
    images: Floats
    onto_observed: csr_matrix


class TableChoice:
    """Chooses the table for each fit in a basis, near one dislocation line.

    Table and exact model are compared by their predictions for the fit at hand: the exact model's design rows are made
    once, so that a fit costs one kernel call on some fifty sites. The choice depends on the fit alone, never on the
    fits before it.

    Parameters
    ----------
    basis : LinearBasis
        L functions.
    positions : (n, 3)
        Of a cylinder's atoms, Å.
    period : float
        Repeat along the line, Å.
    free : (n,) bool
        Atoms that move.
    """

    def __init__(self, basis: LinearBasis, positions: Floats, period: float, free: NDArray[np.bool_]) -> None:
        self.basis, self._period = basis, period
        away = np.hypot(positions[:, 0], positions[:, 1])
        observed = np.flatnonzero(free)[np.argsort(away[free], kind="stable")[:OBSERVED]]
        # neighbours of every site that pulls on an observed atom
        reach = away[observed].max(initial=0.0) + 2.0 * (basis.cutoff + 1.0)
        near = away < reach
        steps = np.random.default_rng(0).normal(scale=PERTURBATION, size=(int(near.sum()), 3))
        self._positions = positions[near] + steps
        self._observed = np.isin(np.flatnonzero(near), observed)

    @cached_property
    def _sample(self) -> _Sample:
        positions, period, cutoff = self._positions, self._period, self.basis.cutoff
        sites = sites_reaching(positions, period, self._observed, cutoff)
        observed = np.flatnonzero(self._observed)
        around = cylinder_environments(positions, period, cutoff, sites)
        [exact] = design_rows(self.basis, [Configuration(positions, around, observed)])
        sector = sector_of(positions, period, cutoff, sites)
        return _Sample(exact, sector, sector.images(positions), sector.onto(observed, len(positions)))

    def errors(self, coefficients: Floats, fit: TabulatedFit) -> tuple[float, float]:
        """Compare a tabulated fit with the exact model.

        Parameters
        ----------
        coefficients : (L,)
            The fit, eV.
        fit : TabulatedFit
            The same fit, tabulated.

        Returns
        -------
        force_error : float
            Largest difference of a force component on the sample's observed atoms, over the largest component.
        energy_error : float
            Largest difference of a site energy, over the largest force component, Å.
        """
        energies, forces = fit.evaluate(self._sample.sector, self._sample.images)
        exact = self._sample.exact.forces @ coefficients
        largest = float(np.abs(exact).max())
        on_observed = np.asarray(self._sample.onto_observed @ forces).ravel()
        return (
            _over(largest, on_observed - exact),
            _over(largest, energies - self._sample.exact.sites @ coefficients),
        )

    def chosen(self, coefficients: Floats) -> TabulatedFit | None:
        """Tabulate a fit as coarsely as is good enough for it.

        Parameters
        ----------
        coefficients : (L,)
            The fit, eV.

        Returns
        -------
        TabulatedFit or None
            None where no table is good enough.
        """
        for intervals in INTERVALS:
            fit = TabulatedFit.of(self.basis, intervals, coefficients)
            force, energy = self.errors(coefficients, fit)
            if force <= FORCE_ERROR and energy <= ENERGY_ERROR:
                return fit
        return None


def _over(largest: float, differences: Floats) -> float:
    off = float(np.abs(differences).max())
    if off == 0.0:
        return 0.0
    # not a number stays not a number, which no limit admits
    return off / largest if largest != 0.0 else np.inf
