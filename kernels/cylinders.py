"""Clamped cylinders: the sites around a dislocation line, and which of them may move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from kernels.circuits import check_burgers_vector
from kernels.dislocated import DislocatedCrystal
from kernels.elastic_fields import Flags, Floats, GeometryError
from kernels.environments import cylinder_environments
from kernels.neighbourhoods import check_bonds, check_coordination, check_distances
from kernels.pairs import pairs_within

Integers = NDArray[np.int64]

# Sites nearer to the elastic solution's cut (y = 0, x < 0) belong to neither side of it, Å.
CUT_CLEARANCE = 1e-6


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
    opening : (n, 3) ndarray
        Corrector with which relaxing begins, Å: zero, but in fcc the dislocation a little dissociated in y = 0.
    """

    sites: Floats
    predictor: Floats
    free: Flags
    period: Floats
    burgers: Floats
    bonds: Integers
    bond_length: Floats
    core: Floats
    opening: Floats

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
        See `kernels.dislocations.oriented_cell`.
    material : mapping
        ``element``, ``structure``, ``lattice_constant`` (Å), ``C11``, ``C12``, ``C44`` (one unit).
    simulation_radius : float
        Sites nearer to the line than this are free, Å.
    shell_width : float
        Thickness of the fixed shell around them, Å: at least twice the cutoff, and that much more as the crystal may
        be compressed there. The shell of an edge dislocation is made wider by its Burgers vector, by which atoms
        come together across the cut.

    Returns
    -------
    ClampedCylinder

    Raises
    ------
    GeometryError
        If the dislocation is not known for the structure, a length is not positive, or a check of the result
        fails: the neighbours of every free site in the lattice and in the displaced crystal, the closest approach
        of atoms, the Burgers vector by circuits around the free sites, the fixed shell's width once displaced.

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
    crystal = DislocatedCrystal.of(kind, material)
    # neighbours across the cut stood that much further apart before the crystal slipped
    slipped = float(np.hypot(*crystal.field.burgers[:2]))
    sites = crystal.sites_within(simulation_radius + shell_width + slipped)
    if np.any((np.abs(sites[:, 1]) < CUT_CLEARANCE) & (sites[:, 0] < 0.0)):
        raise GeometryError(f"{crystal.name}: a site lies on the cut of the elastic solution; move the core")
    free = np.hypot(sites[:, 0], sites[:, 1]) < simulation_radius
    if not free.any():
        raise GeometryError(
            f"no site lies within {simulation_radius} Å of the line; enlarge the simulation radius"
        )
    predictor = crystal.displacement(sites)
    neighbours = pairs_within(sites, crystal.period, crystal.lattice.bond_reach * crystal.lattice_constant)
    check_coordination(neighbours, free, crystal.lattice)
    displaced = sites + predictor
    close = cylinder_environments(displaced, crystal.period, 0.5 * crystal.nearest)
    check_distances(close, displaced, f"the predictor of {crystal.name}")
    check_bonds(crystal, sites, predictor, free, neighbours)
    check_burgers_vector(crystal, sites, predictor, simulation_radius)
    _check_shell(crystal, displaced, free, simulation_radius, shell_width)
    kept = (neighbours.first < neighbours.second) & (free[neighbours.first] | free[neighbours.second])
    return ClampedCylinder(
        sites=sites,
        predictor=predictor,
        free=free,
        period=np.array(crystal.period),
        burgers=crystal.field.burgers,
        bonds=np.stack([neighbours.first[kept], neighbours.second[kept]], axis=1),
        bond_length=neighbours.distance[kept],
        core=np.zeros(2),
        opening=crystal.opening(sites, predictor, simulation_radius),
    )


def _check_shell(
    crystal: DislocatedCrystal, displaced: Floats, free: Flags, radius: float, shell_width: float
) -> None:
    """No site that was left out may come nearer to a free one than the shell is wide, strain apart."""
    allowed = shell_width / (1 + crystal.strain_at(radius))
    inside = len(displaced)
    outside = crystal.sites_within(
        radius + shell_width + 2 * crystal.burgers_length + crystal.lattice_constant
    )
    outside = outside[inside:]
    outside = outside + crystal.displacement(outside)
    # distances in the plane: never more than those between any two images
    distance = cKDTree(displaced[free, :2]).query(outside[:, :2], distance_upper_bound=allowed)[0]
    if (short := np.flatnonzero(np.isfinite(distance))).size:
        raise GeometryError(
            f"{crystal.name}: once displaced, a site beyond the fixed shell stands {distance[short].min():.2f} Å from "
            f"a free one, where {allowed:.2f} Å are needed; enlarge the simulation radius"
        )
