"""Differences between two equilibria of one clamped cylinder (theory.md, "Geometry")."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def difference_from(equilibrium: Mapping[str, NDArray[Any]], corrector: Floats) -> Floats:
    """Displacement of every site of a clamped cylinder relative to an equilibrium in it.

    Parameters
    ----------
    equilibrium : mapping
        Its ``corrector`` (n, 3), Å, and which sites are ``free`` (n,).
    corrector : (m, 3)
        Of the other core, on the free sites, Å.

    Returns
    -------
    (n, 3) ndarray
        Å; zero at clamped sites.
    """
    difference = np.zeros_like(equilibrium["corrector"])
    free = equilibrium["free"]
    difference[free] = corrector - equilibrium["corrector"][free]
    return difference


def bond_differences(bonds: Integers, displacement: Floats) -> Floats:
    """Finite differences D u of a displacement over bonds.

    Parameters
    ----------
    bonds : (m, 2) int
        Pairs of sites, each bond once. Displacements are periodic along the line, so images need no mark.
    displacement : (n, 3)
        Å.

    Returns
    -------
    (m, 3) ndarray
        ``displacement[second] - displacement[first]``, Å.
    """
    return np.asarray(displacement[bonds[:, 1]] - displacement[bonds[:, 0]], dtype=float)


def strain_norm(bonds: Integers, displacement: Floats) -> float:
    """‖Du‖, the norm in which geometry errors are measured, per line period (theory.md, "Geometry").

    Parameters
    ----------
    bonds : (m, 2) int
        First and second neighbours of the perfect crystal, each bond once.
    displacement : (n, 3)
        Å.

    Returns
    -------
    float
        sqrt(Σ_bonds |D u|²), Å.

    Examples
    --------
    >>> import numpy as np
    >>> strain_norm(np.array([[0, 1], [1, 2]]), np.array([[0.0, 0, 0], [3, 0, 0], [3, 4, 0]]))
    5.0
    """
    return float(np.sqrt(np.sum(bond_differences(bonds, displacement) ** 2)))


def strain_profile(bonds: Integers, displacement: Floats, sites: Floats, edges: Floats) -> Floats:
    """Split ‖Du‖ by the distance from the dislocation line.

    Parameters
    ----------
    bonds : (m, 2) int
        As in `strain_norm`.
    displacement : (n, 3)
        Å.
    sites : (n, 3)
        Reference lattice positions, the line along z through the origin, Å.
    edges : (k + 1,)
        Bin edges in |ℓ|, Å; a bond belongs where the mean |ℓ| of its two ends lies.

    Returns
    -------
    (k,) ndarray
        sqrt of each bin's sum of |D u|², Å: the squares of all bins add to the squared norm
        when the edges span every bond.
    """
    binned = bins_of_bonds(bonds, sites, edges)
    squares = np.sum(bond_differences(bonds, displacement) ** 2, axis=1)
    inside = binned >= 0
    sums = np.bincount(binned[inside], weights=squares[inside], minlength=len(edges) - 1)
    return np.asarray(np.sqrt(sums), dtype=float)


def bins_of_bonds(bonds: Integers, sites: Floats, edges: Floats) -> Integers:
    """Find the bin of distance from the dislocation line that each bond belongs to.

    Parameters
    ----------
    bonds, sites, edges
        As in `strain_profile`.

    Returns
    -------
    (m,) ndarray of int
        From 0; -1 where a bond lies in no bin.

    Examples
    --------
    >>> sites = np.array([[0.0, 0, 0], [2, 0, 0], [6, 0, 0]])
    >>> bins_of_bonds(np.array([[0, 1], [1, 2]]), sites, np.array([0.0, 2.0, 3.0])).tolist()
    [0, -1]
    """
    where = np.hypot(sites[:, 0], sites[:, 1])[bonds].mean(axis=1)
    binned = np.searchsorted(edges, where, side="right") - 1
    return np.where(binned < len(edges) - 1, binned, -1)


def energy_difference(site_energies: Floats, reference_site_energies: Floats) -> float:
    """Σ_ℓ (V_ℓ - V'_ℓ) with exact summation, eV: two totals of 1e5 atoms would lose the digits a rate needs.

    Parameters
    ----------
    site_energies, reference_site_energies : (n,)
        Energies of the same sites in two configurations, eV.

    Returns
    -------
    float
        eV per line period.

    Examples
    --------
    >>> import numpy as np
    >>> energy_difference(np.array([1e16, 1.0]), np.array([1e16, 0.0]))
    1.0
    """
    return math.fsum(np.asarray(site_energies) - np.asarray(reference_site_energies))
