"""Clamped cylinders: the sites around a dislocation line, and which of them may move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.dislocations import ElasticField, GeometryError, elastic_field, oriented_cell
from kernels.lattices import structure_named
from kernels.pairs import Pairs, pairs_within

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

# Sites nearer to the elastic solution's cut (y = 0, x < 0) would fall on either side of it by rounding, Å.
CUT_CLEARANCE = 1e-6
# Coordinates are rounded to this many decimals, Å, to order the sites.
ORDERING_DECIMALS = 5


@dataclass(frozen=True)
class ClampedCylinder:
    """A cylinder of crystal around a dislocation line; its outer shell is clamped to the elastic predictor.

    Attributes
    ----------
    sites : (n, 3) ndarray
        Reference lattice positions relative to the line, Å, ordered by distance from it: the sites of a
        smaller cylinder are the first of a larger one's.
    predictor : (n, 3) ndarray
        u0, Å.
    free : (n,) ndarray of bool
        |ℓ| < simulation radius.
    period : () ndarray
        Along z, Å.
    burgers : (3,) ndarray
        Å.
    bonds : (m, 2) ndarray of int
        Pairs of first or second neighbours, images along the line included, each bond once, at least one end
        free; a site's bonds with its own images are left out (no displacement stretches them).
    bond_length : (m,) ndarray
        In the reference lattice, Å.
    core : (2,) ndarray
        The line's position: the origin.
    """

    sites: Floats
    predictor: Floats
    free: Flags
    period: Floats
    burgers: Floats
    bonds: Integers
    bond_length: Floats
    core: Floats

    def __post_init__(self) -> None:
        count = len(self.sites)
        if self.predictor.shape != (count, 3) or self.free.shape != (count,):
            raise GeometryError(f"{count} sites need a predictor (n, 3) and free flags (n,)")
        if len(self.bonds) != len(self.bond_length) or not self.free[self.bonds].any(axis=1).all():
            raise GeometryError("every bond needs a length and a free end")

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Name each field, as artefacts hold them."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


def clamped_cylinder(
    kind: str, material: Mapping[str, Any], simulation_radius: float, shell_width: float
) -> ClampedCylinder:
    """Build the cylinder of a dislocation.

    Parameters
    ----------
    kind : str
        ``screw``.
    material : mapping
        ``element``, ``structure``, ``lattice_constant`` (Å), ``C11``, ``C12``, ``C44`` (one unit).
    simulation_radius : float
        Sites nearer to the line than this are free, Å.
    shell_width : float
        Thickness of the fixed shell around them, Å: at least twice the cutoff.

    Returns
    -------
    ClampedCylinder

    Raises
    ------
    GeometryError
        If the dislocation is not known for the structure, a length is not positive, or a check of the result
        fails: neighbour counts of free sites, closest approach of atoms, Burgers vector around the cylinder.

    Notes
    -----
    theory.md, "Geometry". The predictor is self-consistent (evaluated at the displaced positions), converged
    to rounding so that it does not depend on the radius.

    Examples
    --------
    >>> tungsten = {"element": "W", "structure": "bcc", "lattice_constant": 3.16}
    >>> tungsten |= {"C11": 522.0, "C12": 204.0, "C44": 161.0}
    >>> cylinder = clamped_cylinder("screw", tungsten, 8.0, 10.0)
    >>> int(cylinder.free.sum()), round(float(cylinder.period), 3)
    (36, 2.737)
    """
    if not (simulation_radius > 0.0 and shell_width > 0.0):
        raise GeometryError(
            f"simulation radius {simulation_radius} Å and shell width {shell_width} Å must be positive"
        )
    structure, lattice_constant = str(material["structure"]), float(material["lattice_constant"])
    field = elastic_field(
        kind, structure, material["C11"], material["C12"], material["C44"], lattice_constant
    )
    sites, period = _sites_within(kind, material, simulation_radius + shell_width)
    if np.any((np.abs(sites[:, 1]) < CUT_CLEARANCE) & (sites[:, 0] < 0.0)):
        raise GeometryError(
            f"{kind} in {structure}: a site lies on the cut of the elastic solution; move the core"
        )
    free = np.hypot(sites[:, 0], sites[:, 1]) < simulation_radius
    if not free.any():
        raise GeometryError(
            f"no site lies within {simulation_radius} Å of the line; enlarge the simulation radius"
        )
    predictor = field.self_consistent(sites)
    neighbours = pairs_within(sites, period, structure_named(structure).bond_reach * lattice_constant)
    _check_coordination(neighbours, free, structure)
    _check_distances(sites + predictor, period, 0.5 * structure_named(structure).shells[0] * lattice_constant)
    _check_burgers_vector(field, simulation_radius)
    kept = (neighbours.first < neighbours.second) & (free[neighbours.first] | free[neighbours.second])
    return ClampedCylinder(
        sites=sites,
        predictor=predictor,
        free=free,
        period=np.array(period),
        burgers=field.burgers,
        bonds=np.stack([neighbours.first[kept], neighbours.second[kept]], axis=1),
        bond_length=neighbours.distance[kept],
        core=np.zeros(2),
    )


def _sites_within(kind: str, material: Mapping[str, Any], radius: float) -> tuple[Floats, float]:
    """Lattice sites of one period nearer to the line than `radius`, in a fixed order; and the period, Å."""
    lattice_constant = float(material["lattice_constant"])
    cell = oriented_cell(kind, str(material["structure"]), str(material["element"]))
    edges = lattice_constant * cell.edges
    in_cell = lattice_constant * (cell.positions - cell.core)
    reach = np.ceil(radius / edges[:2]).astype(int) + 1
    across = np.arange(-reach[0], reach[0] + 1) * edges[0]
    upward = np.arange(-reach[1], reach[1] + 1) * edges[1]
    corners = np.stack(
        [*np.meshgrid(across, upward, indexing="ij"), np.zeros((len(across), len(upward)))], axis=-1
    )
    sites = (corners.reshape(-1, 1, 3) + in_cell[None, :, :]).reshape(-1, 3)
    sites = sites[np.hypot(sites[:, 0], sites[:, 1]) < radius]
    period = float(edges[2])
    # a hair above a multiple of the period counts as that multiple
    sites[:, 2] -= period * np.floor(sites[:, 2] / period + 1e-6)
    x, y, z = np.round(sites, ORDERING_DECIMALS).T + 0.0
    order = np.lexsort((z, np.round(np.arctan2(y, x), ORDERING_DECIMALS), np.round(np.hypot(x, y), 4)))
    return sites[order], period


def _check_coordination(neighbours: Pairs, free: Flags, structure: str) -> None:
    expected = structure_named(structure).coordination
    counts = np.bincount(neighbours.first, minlength=len(free))
    if (wrong := np.flatnonzero(free & (counts != expected))).size:
        raise GeometryError(
            f"{wrong.size} free sites, the first at index {wrong[0]}, have {counts[wrong[0]]} first and "
            f"second neighbours where {structure} has {expected}; widen the fixed shell"
        )


def _check_distances(positions: Floats, period: float, least: float) -> None:
    close = pairs_within(positions, period, least)
    if close.distance.size:
        worst = int(np.argmin(close.distance))
        raise GeometryError(
            f"the predictor brings atoms {close.first[worst]} and {close.second[worst]} to "
            f"{close.distance[worst]:.2f} Å, below half a bond; check the elastic constants"
        )


def _check_burgers_vector(field: ElasticField, radius: float) -> None:
    """Once around the line, from one side of the cut to the other, the field gains the Burgers vector."""
    ends = radius * np.array([[np.cos(angle), np.sin(angle)] for angle in (-np.pi + 1e-9, np.pi - 1e-9)])
    below, above = field(ends)
    jump = above - below
    if min(np.abs(jump - field.burgers).max(), np.abs(jump + field.burgers).max()) > 1e-6:
        raise GeometryError(
            f"around the line the elastic displacement gains {np.round(jump, 4).tolist()} Å, not the "
            f"Burgers vector {np.round(field.burgers, 4).tolist()} Å; check the elastic constants"
        )
