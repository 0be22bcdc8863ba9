"""The scalar neighbour Laplacian: what stands in for a Hessian that is too large to factorise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase.units import GPa
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csc_matrix
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from kernels.lattices import structure_named

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


class NeighbourLaplacian:
    """Solves k L u = f, L the graph Laplacian of the free sites, for x, y and z alike.

    Its energy is ½ k Σ |u(m) − u(ℓ)|² over bonds, fixed sites held at 0. One scalar matrix serves all three
    components, so its factor is a small fraction of the Hessian's; far from the core it differs from the Hessian
    by a bounded factor whatever the radius, so an iteration that it preconditions does not slow down with size.

    Parameters
    ----------
    free : (n,) bool
        Sites that move.
    bonds : (m, 2) int
        Pairs of neighbours, each once, at least one end free.
    stiffness : float
        k, of every bond, eV/Å². Conjugate gradients do not feel it; fixed-point iterations do.

    Attributes
    ----------
    matrix : csc_matrix, (n_free, n_free)
        k L, eV/Å².

    Raises
    ------
    ValueError
        If the stiffness is not positive, or some free site is not held, through bonds, by a fixed one.

    Notes
    -----
    theory.md, "Relaxing with the reference's Hessian".

    Examples
    --------
    A chain of three free sites between two fixed ones, pulled at its middle:

    >>> chain = np.array([[0, 1], [1, 2], [2, 3], [3, 4]])
    >>> laplacian = NeighbourLaplacian(np.array([False, True, True, True, False]), chain, 0.5)
    >>> laplacian.solve(np.array([[0.0, 0, 0], [1, 0, 0], [0, 0, 0]]))[:, 0]
    array([1., 2., 1.])
    """

    def __init__(self, free: Flags, bonds: Integers, stiffness: float) -> None:
        if not stiffness > 0.0:
            raise ValueError(f"the stiffness of a bond is {stiffness} eV/Å²; it must be positive")
        graph = graph_laplacian(free, bonds)
        if loose := _loose_sites(graph):
            raise ValueError(
                f"{loose} free sites are bonded to no fixed one, not even through others, so nothing holds them; "
                "check the bonds"
            )
        self.matrix = stiffness * graph
        # definite and symmetric: diagonal pivots, in an order that keeps the fill low
        self._factor: Any = splu(
            self.matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
        )

    @classmethod
    def of(cls, cylinder: Mapping[str, NDArray[Any]], material: Mapping[str, Any]) -> NeighbourLaplacian:
        """Make the Laplacian of a clamped cylinder, as stiff as its material.

        Parameters
        ----------
        cylinder : mapping
            The arrays of `kernels.cylinders.ClampedCylinder`, or more. All its bonds count: first and second
            neighbours.
        material : mapping
            ``structure``, ``lattice_constant`` (Å), ``C11`` and ``C44`` (GPa).

        Returns
        -------
        NeighbourLaplacian
        """
        return cls(cylinder["free"], cylinder["bonds"], bond_stiffness(material))

    def solve(self, forces: Floats) -> Floats:
        """Apply (k L)⁻¹ to forces, eV/Å, of shape (n_free, 3) or any other with its elements; Å, in that shape."""
        columns = np.ascontiguousarray(forces, dtype=float).reshape(self.matrix.shape[0], 3)
        return np.asarray(self._factor.solve(columns), dtype=float).reshape(forces.shape)

    def product(self, displacement: Floats) -> Floats:
        """Apply k L to displacements, Å, of any such shape; eV/Å, in that shape."""
        return np.asarray(self.matrix @ displacement.reshape(-1, 3)).reshape(displacement.shape)


def graph_laplacian(free: Flags, bonds: Integers) -> csc_matrix:
    """Laplacian of a graph on its free nodes: the number of bonds on the diagonal, −1 for each bond between two.

    Parameters
    ----------
    free : (n,) bool
        Nodes that remain; the others are held at 0.
    bonds : (m, 2) int
        Each once; the same pair may be bonded more than once.

    Returns
    -------
    csc_matrix, (n_free, n_free)
    """
    unknown = np.where(free, np.cumsum(free) - 1, -1)
    first, second = unknown[bonds[:, 0]], unknown[bonds[:, 1]]
    count = int(np.sum(free))
    inside = (first >= 0) & (second >= 0)
    degree = np.bincount(first[first >= 0], minlength=count) + np.bincount(
        second[second >= 0], minlength=count
    )
    rows = np.concatenate([first[inside], second[inside], np.arange(count)])
    columns = np.concatenate([second[inside], first[inside], np.arange(count)])
    values = np.concatenate([-np.ones(2 * int(inside.sum())), degree.astype(float)])
    return csc_matrix(coo_matrix((values, (rows, columns)), shape=(count, count)))


def _loose_sites(graph: csc_matrix) -> int:
    """Count the sites in parts of the graph that no bond ties to a fixed site."""
    parts, part_of = connected_components(graph, directed=False)
    # a row sums to its site's bonds with fixed sites
    held = np.bincount(part_of, weights=np.asarray(graph.sum(axis=1)).ravel(), minlength=parts)
    return int(np.sum(held[part_of] < 0.5))


def bond_stiffness(material: Mapping[str, Any]) -> float:
    """Stiffness of the bonds of a Laplacian that is on the average as stiff as a cubic crystal.

    Parameters
    ----------
    material : mapping
        ``structure``, ``lattice_constant`` (Å), ``C11`` and ``C44`` (GPa).

    Returns
    -------
    float
        k, eV/Å²: a long wave of any direction has (C11 + 2 C44)/3, the mean of its three polarisations, where a
        Laplacian has k Σ r² / (3 V), the sum over half of an atom's bonds, V its volume.

    Examples
    --------
    >>> tungsten = {"structure": "bcc", "lattice_constant": 3.165, "C11": 522.0, "C44": 161.0}
    >>> round(bond_stiffness(tungsten), 2)
    1.39
    """
    structure, lattice_constant = (
        structure_named(str(material["structure"])),
        float(material["lattice_constant"]),
    )
    sites = np.array(structure.sites)
    corners = np.array(list(np.ndindex(5, 5, 5))) - 2.0
    squares = np.sum((corners[:, None, :] + sites - sites[0]) ** 2, axis=-1).ravel()
    bonded = (squares > 0.0) & (squares < structure.bond_reach**2)
    spread = 0.5 * lattice_constant**2 * float(squares[bonded].sum())
    volume = lattice_constant**3 / len(sites)
    return float((material["C11"] + 2.0 * material["C44"]) * GPa * volume / spread)
