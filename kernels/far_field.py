"""How fast the error of a potential's dislocation grows with the simulated domain, from its elastic moduli."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kernels.dislocations import OrientedCell, oriented_cell
from kernels.elastic_fields import Floats, shears, stroh_field
from kernels.elasticity import NODES, internal_shift, relaxed_moduli
from kernels.environments import cell_environments
from kernels.lattices import conventional_crystal, structure_named

# Angles at which the far field is integrated around the line: periodic and smooth, so the rule is exact to rounding.
ANGLES = 512


def far_field_mismatch(
    rows: Mapping[str, Any], coefficients: Floats, material: Mapping[str, Any], dislocation: str
) -> Floats:
    """How fast the squared geometry error grows with ln R because of a fit's elastic moduli.

    s = Σ_{bonds, r < |ℓ| < 2r} |D(u0^δ - u0)|² / ln 2 for large r, where D(u0^δ - u0) over a bond ρ is
    (∇u0^δ - ∇u0) ρ, and from one sublattice to the other also the difference of their shifts; it decays like 1/|ℓ|.
    The sum over the lattice is then an integral over the angle around the line, and independent of r.

    Parameters
    ----------
    rows : mapping
        As returned by `kernels.elasticity.elastic_rows`.
    coefficients : (W, L)
        eV.
    material : mapping
        The reference's structure, element, lattice_constant (Å), C11, C12, C44 (GPa), and internal_shift (Å) where
        it has one.
    dislocation : str
        Kind of dislocation.

    Returns
    -------
    (W,) ndarray
        s in Å² per line period. NaN where the fit's moduli at the reference's lattice constant are not stable.

    Raises
    ------
    GeometryError
        If the dislocation is not known.

    Notes
    -----
    theory.md, "Why virials matter": with A = ∂P/∂F at the reference's lattice constant, the bulk's equilibrium sees
    C11 = A1111, C44 = A1212 and C12 = A1122 + A1221 - A1212 only.
    """
    structure, length = str(material["structure"]), float(material["lattice_constant"])
    cell = oriented_cell(dislocation, structure, str(material["element"]))
    density = float(cell.edges[2]) * length * len(structure_named(structure).sites) / length**3
    squares, nearest = _bond_squares(structure, length), structure_named(structure).nearest_count
    moduli, internal = (
        np.einsum("ml,wl->wm", np.asarray(rows[name])[NODES // 2], coefficients)
        for name in ("moduli", "internal")
    )
    c11, c12, c44 = (float(material[name]) for name in ("C11", "C12", "C44"))
    reference = _circled(cell, length, c11, c12, c44, float(material.get("internal_shift", 0.0)))
    mismatch = np.full(len(coefficients), np.nan)
    relaxed, shifts = relaxed_moduli(moduli, internal), internal_shift(internal)
    for number, (a1111, a1122, a1212, a1221) in enumerate(relaxed):
        c11, c12, c44 = float(a1111), float(a1122 + a1221 - a1212), float(a1212)
        if _stable(c11, c12, c44):
            fitted = _circled(cell, length, c11, c12, c44, float(shifts[number]))
            gradient, shift = (one - other for one, other in zip(fitted, reference, strict=True))
            # half: each bond once; a third: the bonds of a cubic crystal's shells spread evenly over directions;
            # nearest neighbours alone are on the other sublattice, and their bonds add to zero
            squared = squares / 3.0 * np.sum(gradient**2, axis=(1, 2)) + nearest * np.sum(shift**2, axis=1)
            mismatch[number] = density * 0.5 * 2.0 * np.pi * float(np.mean(squared))
    return mismatch


def _stable(c11: float, c12: float, c44: float) -> bool:
    return bool(abs(c12) < c11 and c11 + 2.0 * c12 > 0.0 and c44 > 0.0)


def _bond_squares(structure: str, lattice_constant: float) -> float:
    """Sum of the squared lengths of a site's bonds to its first and second neighbours, Å²."""
    reach = structure_named(structure).bond_reach * lattice_constant
    positions, cell = conventional_crystal(structure, lattice_constant, (1, 1, 1))
    around = cell_environments(positions, cell, reach, np.array([0]))
    return float(np.sum(around.vectors(positions)[around.mask] ** 2))


def _circled(
    cell: OrientedCell, lattice_constant: float, c11: float, c12: float, c44: float, shift: float
) -> tuple[Floats, Floats]:
    """|ℓ| ∇u0 on a circle around the line, (angle, component, direction), Å, and |ℓ| times the sublattices' shift."""
    field = stroh_field(cell.axes, lattice_constant * cell.burgers, c11, c12, c44)
    angles = 2.0 * np.pi * np.arange(ANGLES) / ANGLES
    gradient = field.gradient(np.column_stack([np.cos(angles), np.sin(angles)]))
    return gradient, shift * shears(gradient, cell.rotation)
