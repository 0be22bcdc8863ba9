"""How fast the error of a potential's dislocation grows with the simulated domain, from its elastic moduli."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kernels.dislocations import OrientedCell, oriented_cell
from kernels.elastic_fields import Floats, is_stable, shears
from kernels.elasticity import NODES, internal_shift, relaxed_moduli
from kernels.environments import cell_environments
from kernels.lattices import conventional_crystal, structure_named
from kernels.sextic import Complexes, circular_products, sextic_solutions

# Fits whose sextic problems are solved at a time: some tens of kB each.
FITS_AT_A_TIME = 2000


def far_field_mismatch(
    rows: Mapping[str, Any], coefficients: Floats, material: Mapping[str, Any], dislocation: str
) -> Floats:
    """How fast the squared geometry error grows with ln R because of a fit's elastic moduli.

    s = Σ_{bonds, r < |ℓ| < 2r} |D(u0^δ - u0)|² / ln 2 for large r, where D(u0^δ - u0) over a bond ρ is
    (∇u0^δ - ∇u0) ρ, and from one sublattice to the other also the difference of their shifts; it decays like 1/|ℓ|.
    The sum over the lattice is then an integral over the angle around the line, and independent of r; it is known in
    closed form (`kernels.sextic`), to some 1e-15 Å².

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
    moduli, internal = (
        np.einsum("ml,wl->wm", np.asarray(rows[name])[NODES // 2], coefficients)
        for name in ("moduli", "internal")
    )
    relaxed, shifts = relaxed_moduli(moduli, internal), internal_shift(internal)
    # A1111, A1122 + A1221 - A1212, A1212: what the bulk's equilibrium sees
    constants = np.stack(
        [relaxed[:, 0], relaxed[:, 1] + relaxed[:, 3] - relaxed[:, 2], relaxed[:, 2]], axis=1
    )
    reference = np.array([[float(material[name]) for name in ("C11", "C12", "C44")]])
    own_shift = np.array([float(material.get("internal_shift", 0.0))])
    squares, nearest = _bond_squares(structure, length), structure_named(structure).nearest_count
    # a third: the bonds of a cubic crystal's shells spread evenly over directions; nearest neighbours alone are on the
    # other sublattice, and their bonds add to zero
    scales = np.sqrt(squares / 3.0), np.sqrt(nearest)
    roots, amplitudes = _circled(cell, length, reference, own_shift, scales)
    mismatch = np.full(len(coefficients), np.nan)
    stable = np.flatnonzero(is_stable(*constants.T) & np.isfinite(shifts))
    for some in np.array_split(stable, max(1, len(stable) // FITS_AT_A_TIME)):
        fitted, sizes = _circled(cell, length, constants[some], shifts[some], scales)
        both = np.concatenate([fitted, np.broadcast_to(roots, fitted.shape)], axis=1)
        apart = np.concatenate([sizes, np.broadcast_to(-amplitudes, sizes.shape)], axis=1)
        # half: each bond once. Where the fields agree, rounding may leave less than nothing
        mismatch[some] = density * 0.5 * 2.0 * np.pi * np.maximum(circular_products(both, apart), 0.0)
    return mismatch


def _bond_squares(structure: str, lattice_constant: float) -> float:
    """Sum of the squared lengths of a site's bonds to its first and second neighbours, Å²."""
    reach = structure_named(structure).bond_reach * lattice_constant
    positions, cell = conventional_crystal(structure, lattice_constant, (1, 1, 1))
    around = cell_environments(positions, cell, reach, np.array([0]))
    return float(np.sum(around.vectors(positions)[around.mask] ** 2))


def _circled(
    cell: OrientedCell,
    lattice_constant: float,
    constants: Floats,
    shifts: Floats,
    scales: tuple[float, float],
) -> tuple[Complexes, Complexes]:
    """Solve for |ℓ| ∇u0 and |ℓ| times the sublattices' shift around the line, scaled: roots, (n, 6, 12) amplitudes."""
    burgers = cell.rotation @ (lattice_constant * cell.burgers)
    roots, gradients = sextic_solutions(cell.rotation, burgers, constants)
    flat = gradients.reshape(-1, 3, 3)
    moved = shears(flat.real, cell.rotation) + 1j * shears(flat.imag, cell.rotation)
    shifted = shifts[:, None, None] * moved.reshape(*roots.shape, 3)
    return roots, np.concatenate(
        [scales[0] * gradients.reshape(*roots.shape, 9), scales[1] * shifted], axis=2
    )
