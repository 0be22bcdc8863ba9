"""A crystal with one straight dislocation: its lattice, its elastic field, its sites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from kernels.dislocations import OrientedCell, oriented_cell
from kernels.elastic_fields import ElasticField, Flags, Floats, shears, stroh_field
from kernels.environments import cell_environments
from kernels.lattices import Structure, conventional_crystal, structure_named

# Coordinates are rounded to this many decimals, Å, to order the sites.
ORDERING_DECIMALS = 5
# Partials start so many Burgers vectors apart, or a third of the simulation radius where that is less: they then
# find their own distance.
DISSOCIATED = 2.0


@dataclass(frozen=True)
class DislocatedCrystal:
    """What there is to know of a dislocation in a crystal before a size is chosen.

    Attributes
    ----------
    name : str
        For messages: kind, structure and element.
    lattice : Structure
        The perfect crystal.
    lattice_constant : float
        Å.
    cell : OrientedCell
        The perfect crystal in the dislocation's axes.
    field : ElasticField
        Its elastic displacement.
    partials : tuple of ElasticField
        Those of the two that it dissociates into, that to the left first; empty where it does not.
    internal_shift : float
        By which the two sublattices of diamond shift against one another along x under a shear γ_yz, Å.
    """

    name: str
    lattice: Structure
    lattice_constant: float
    cell: OrientedCell
    field: ElasticField
    partials: tuple[ElasticField, ...]
    internal_shift: float

    @classmethod
    def of(cls, kind: str, material: Mapping[str, Any]) -> DislocatedCrystal:
        """Look up a kind of dislocation in a material (see `kernels.cylinders.clamped_cylinder`)."""
        structure, element = str(material["structure"]), str(material["element"])
        lattice_constant = float(material["lattice_constant"])
        constants = tuple(float(material[name]) for name in ("C11", "C12", "C44"))
        cell = oriented_cell(kind, structure, element)
        return cls(
            name=f"the {kind} dislocation of {structure} {element}",
            lattice=structure_named(structure),
            lattice_constant=lattice_constant,
            cell=cell,
            field=stroh_field(cell.axes, lattice_constant * cell.burgers, *constants),
            partials=tuple(stroh_field(cell.axes, lattice_constant * b, *constants) for b in cell.partials),
            internal_shift=float(material.get("internal_shift", 0.0)),
        )

    @property
    def period(self) -> float:
        """Repeat along the line, Å."""
        return self.lattice_constant * float(self.cell.edges[2])

    @property
    def nearest(self) -> float:
        """Distance of nearest neighbours, Å."""
        return self.lattice_constant * self.lattice.shells[0]

    @property
    def burgers_length(self) -> float:
        """Length of the Burgers vector, Å."""
        return float(np.linalg.norm(self.field.burgers))

    @property
    def nearest_bonds(self) -> Floats:
        """Vectors to nearest neighbours, (k, 3), in the cylinder's frame, Å; of both kinds of site in diamond."""
        positions, cell = conventional_crystal(self.lattice.name, self.lattice_constant)
        around = cell_environments(positions, cell, self.lattice.nearest_reach * self.lattice_constant)
        bonds = around.vectors(positions)[around.mask]
        _, kept = np.unique(np.round(bonds, ORDERING_DECIMALS), axis=0, return_index=True)
        return np.asarray(bonds[kept] @ self.cell.rotation.T)

    def strain_at(self, radius: float) -> float:
        """About the largest strain at a distance from the line, Å: a lattice constant over its circumference."""
        return self.lattice_constant / (2 * np.pi * radius)

    def above(self, sites: Floats) -> Flags:
        """Whether sites lie above the cut's plane: that half of the crystal slips by the Burgers vector."""
        return np.asarray(sites[:, 1] >= 0.0)

    def displacement(self, sites: Floats) -> Floats:
        """Far-field displacement u0 of lattice sites (n, 3), Å: self-consistent, with the shift of sublattices.

        Without that shift the forces of the displaced crystal would decay like the strain, not like its gradient's
        gradient (D. Olson, C. Ortner, Y. Wang, L. Zhang, arXiv:1910.12269).
        """
        displacement = self.field.self_consistent(sites)
        if self.internal_shift == 0.0:
            return displacement
        points = sites + displacement
        shift = self.internal_shift * shears(self.field.gradient(points), self.cell.rotation)
        # at the line it would be infinite
        squares = np.sum(points[:, :2] ** 2, axis=1)
        damped = shift * (squares / (squares + self.burgers_length**2))[:, None]
        return np.asarray(displacement + 0.5 * self.sublattices(sites)[:, None] * damped)

    def opening(self, sites: Floats, displacement: Floats, radius: float) -> Floats:
        """Corrector (n, 3) with which relaxing begins, Å: zero, or the dislocation a little dissociated.

        An undissociated screw of fcc may dissociate into either of two planes: begun in one, it stays there.
        """
        if not self.partials:
            return np.zeros_like(sites)
        half = 0.5 * min(DISSOCIATED * self.burgers_length, radius / 3)
        points, above = sites + displacement, self.above(sites)
        apart = sum(
            field(points + np.array([side * half, 0.0, 0.0]), above)
            for field, side in zip(self.partials, (1.0, -1.0), strict=True)
        )
        opened = apart - self.field(points, above)
        return np.where(np.hypot(sites[:, 0], sites[:, 1])[:, None] < radius, opened, 0.0)

    def sublattices(self, sites: Floats) -> Floats:
        """Tell the two sublattices of diamond apart, -1 and +1, at (n, 3) sites (see `OrientedCell`)."""
        edges = self.cell.edges
        # a hair above a multiple of an edge counts as that multiple, and stays within the box
        inside = np.mod(
            np.vstack([self.cell.positions, sites / self.lattice_constant + self.cell.core]) + 1e-6, edges
        )
        count = len(self.cell.positions)
        own = cKDTree(np.minimum(inside[:count], edges * (1 - 1e-12)), boxsize=edges).query(inside[count:])[1]
        return np.asarray(self.cell.sublattices[own], dtype=float)

    def sites_within(self, radius: float) -> Floats:
        """Lattice sites of one period nearer to the line than `radius`, (n, 3), Å.

        Ordered by distance: the sites of a smaller radius are the first of a larger one's.
        """
        edges = self.lattice_constant * self.cell.edges
        in_cell = self.lattice_constant * (self.cell.positions - self.cell.core)
        reach = np.ceil(radius / edges[:2]).astype(int) + 1
        across = np.arange(-reach[0], reach[0] + 1) * edges[0]
        upward = np.arange(-reach[1], reach[1] + 1) * edges[1]
        corners = np.stack(
            [*np.meshgrid(across, upward, indexing="ij"), np.zeros((len(across), len(upward)))], axis=-1
        )
        sites = (corners.reshape(-1, 1, 3) + in_cell[None, :, :]).reshape(-1, 3)
        sites = sites[np.hypot(sites[:, 0], sites[:, 1]) < radius]
        # a hair above a multiple of the period counts as that multiple
        sites[:, 2] -= self.period * np.floor(sites[:, 2] / self.period + 1e-6)
        x, y, z = np.round(sites, ORDERING_DECIMALS).T + 0.0
        order = np.lexsort((z, np.round(np.arctan2(y, x), ORDERING_DECIMALS), np.round(np.hypot(x, y), 4)))
        return np.asarray(sites[order])
