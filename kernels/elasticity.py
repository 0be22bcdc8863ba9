"""Elastic and bulk properties of linear potentials: linear in the coefficients, so every fit at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.dislocations import elastic_field, oriented_cell
from kernels.environments import cell_environments
from kernels.lattices import conventional_crystal, structure_named
from kernels.linear_basis import LinearBasis, basis_of

Floats = NDArray[np.float64]

# Lattice constants at which rows are made, about the reference's, and how far they reach to each side.
NODES = 81
REACH = 0.2
# 1 eV/Å³ in GPa (CODATA 2018).
GPA = 160.21766208
# Components of A = ∂P/∂F: A1111, A1122, A1212, A1221.
MODULI = (((0, 0), (0, 0)), ((0, 0), (1, 1)), ((0, 1), (0, 1)), ((0, 1), (1, 0)))
# Angles at which the far field is integrated around the line: periodic and smooth, so the rule is exact to rounding.
ANGLES = 512


class ElasticityError(ValueError):
    """A crystal whose elastic rows cannot be made."""


def elastic_rows(
    comm: Any, *, basis: Mapping[str, Any], material: Mapping[str, Any], structure: str
) -> dict[str, Any]:
    """Make the rows of the perfect crystal: its energy, pressure and moduli under coefficients c are rows times c.

    Parameters
    ----------
    comm : mpi4py communicator
        Rank 0 does it all.
    basis, material : mapping
        ACE basis and reference material as plain data.
    structure : str
        ``bcc`` or ``fcc``.

    Returns
    -------
    dict
        ``lattice_constants`` (81,), Å, the reference's in the middle; ``energy`` (81, L), per atom;
        ``pressure`` (81, L), GPa per eV; ``moduli`` (81, 4, L), A1111, A1122, A1212, A1221 of A = ∂P/∂F at F = I,
        P the first Piola–Kirchhoff stress, GPa per eV. Empty on ranks other than 0.

    Raises
    ------
    ElasticityError
        If atoms of the structure may shift against one another under strain (diamond).

    Notes
    -----
    theory.md, "Why virials matter". By forward differentiation, twice, of one site's functions with respect to F.
    """
    lattice = structure_named(structure)
    if lattice.has_internal_freedom:
        raise ElasticityError(
            f"{structure}: atoms shift against one another under strain, which these rows do not follow; "
            "use bcc or fcc"
        )
    if comm.rank != 0:
        return {}
    functions = basis_of(basis)
    constants = float(material["lattice_constant"]) * np.linspace(1.0 - REACH, 1.0 + REACH, NODES)
    # the middle node is the reference's own lattice constant, to the last bit
    constants[NODES // 2] = float(material["lattice_constant"])
    vectors, mask = _environments(structure, constants, functions.cutoff)
    volumes = constants**3 / len(lattice.sites)
    energy, stress, moduli = _strained(functions, vectors, mask)
    return {
        "lattice_constants": constants,
        "energy": energy,
        "pressure": -GPA * stress / volumes[:, None],
        "moduli": GPA * moduli / volumes[:, None, None],
    }


def _environments(structure: str, constants: Floats, cutoff: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Neighbour vectors of a site of the perfect crystal at each lattice constant: (n, K, 3) and (n, K)."""
    positions, cell = conventional_crystal(structure, 1.0, (1, 1, 1))
    densest = cell_environments(positions, cell, cutoff / float(constants.min()), np.array([0]))
    unit = densest.vectors(positions)
    vectors = constants[:, None, None] * unit
    return vectors, densest.mask & (np.linalg.norm(vectors, axis=2) < cutoff)


def _strained(basis: LinearBasis, vectors: Floats, mask: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Site functions (n, L), their derivatives by F11 (n, L) and second derivatives by F (n, 4, L)."""
    second = []
    for one, other in MODULI:
        functions, first, bent = basis.strain_derivatives(vectors, mask, _unit(one), _unit(other))
        second.append(bent)
        if one == (0, 0):
            energy, stress = functions, first
    return energy, stress, np.stack(second, axis=1)


def _unit(component: tuple[int, int]) -> Floats:
    direction = np.zeros((3, 3))
    direction[component] = 1.0
    return direction


def bulk_properties_grid(
    rows: Mapping[str, Any], coefficients: Floats, material: Mapping[str, Any]
) -> dict[str, Floats]:
    """Bulk properties of fits.

    Parameters
    ----------
    rows : mapping
        As returned by `elastic_rows`.
    coefficients : (W, L)
        eV.
    material : mapping
        The reference's lattice_constant (Å), C11, C12, C44 (GPa).

    Returns
    -------
    dict
        ``pressure`` (W,), GPa, at the reference's lattice constant; ``lattice_error`` (W,), Å, the lattice
        constant at zero pressure less the reference's: of those that are minima of the energy, the nearest to the
        reference's, NaN where there is none within 20 %; ``c11``, ``c12``, ``c44`` (W,), GPa, at that lattice
        constant; and ``elastic_error`` (W,), GPa, the largest of their differences to the reference's.

    Notes
    -----
    Pressures between nodes by piecewise cubic Hermite interpolation with exact slopes; moduli by cubics through
    the four nodes around.
    """
    constants, middle = np.asarray(rows["lattice_constants"]), NODES // 2
    pressure = coefficients @ np.asarray(rows["pressure"]).T
    moduli = np.einsum("aml,wl->wam", np.asarray(rows["moduli"]), coefficients)
    # p = -(dE/ds)/(3 V s²) for a uniform stretch s, and d²E/ds² = V (3 A1111 + 6 A1122)
    slopes = -(moduli[..., 0] + 2.0 * moduli[..., 1] + 2.0 * pressure) / constants
    relaxed = _zero_pressure(constants, pressure, slopes)
    at_rest = _through_four(constants, moduli, relaxed)
    c11, c12, c44 = at_rest[:, 0], at_rest[:, 1], at_rest[:, 2]
    reference = np.array([float(material[name]) for name in ("C11", "C12", "C44")])
    return {
        "pressure": pressure[:, middle],
        "lattice_error": relaxed - constants[middle],
        "c11": c11,
        "c12": c12,
        "c44": c44,
        "elastic_error": np.max(np.abs(at_rest[:, :3] - reference), axis=1),
    }


def _zero_pressure(constants: Floats, pressure: Floats, slopes: Floats) -> Floats:
    """Lattice constants (W,) nearest to the middle node at which the pressure falls through zero, or NaN."""
    crosses = (pressure[:, :-1] > 0.0) & (pressure[:, 1:] <= 0.0)
    fits, intervals = np.nonzero(crosses)
    step = np.diff(constants)[intervals]
    ends = pressure[fits, intervals], pressure[fits, intervals + 1]
    rates = slopes[fits, intervals] * step, slopes[fits, intervals + 1] * step
    low, high = np.zeros(len(fits)), np.ones(len(fits))
    # bisection: as many halvings as there are bits, for all crossings at once
    for _ in range(54):
        half = 0.5 * (low + high)
        positive = _hermite(half, ends, rates) > 0.0
        low, high = np.where(positive, half, low), np.where(positive, high, half)
    roots = constants[intervals] + 0.5 * (low + high) * step
    distance = np.abs(roots - constants[NODES // 2])
    nearest = np.full(len(pressure), np.nan)
    # furthest first, so that the nearest of a fit's roots is written last
    order = np.argsort(-distance, kind="stable")
    nearest[fits[order]] = roots[order]
    return nearest


def _hermite(t: Floats, ends: tuple[Floats, Floats], rates: tuple[Floats, Floats]) -> Floats:
    """Cubic on [0, 1] with given values and derivatives at its ends."""
    rest = 1.0 - t
    return np.asarray(
        rest**2 * ((1.0 + 2.0 * t) * ends[0] + t * rates[0])
        + t**2 * ((1.0 + 2.0 * rest) * ends[1] - rest * rates[1])
    )


def _through_four(nodes: Floats, values: Floats, where: Floats) -> Floats:
    """Cubic through the four nodes around each point: values (W, n, m) at where (W,); NaN where that is NaN."""
    inside = np.isfinite(where)
    points = np.where(inside, where, nodes[0])
    first = np.clip(np.searchsorted(nodes, points) - 2, 0, len(nodes) - 4)
    stencil = first[:, None] + np.arange(4)
    around = nodes[stencil]
    shares = np.ones(stencil.shape)
    for own in range(4):
        for other in range(4):
            if other != own:
                shares[:, own] *= (points - around[:, other]) / (around[:, own] - around[:, other])
    interpolated = np.einsum("ws,wsm->wm", shares, values[np.arange(len(points))[:, None], stencil])
    return np.where(inside[:, None], interpolated, np.nan)


def far_field_mismatch(
    rows: Mapping[str, Any], coefficients: Floats, material: Mapping[str, Any], dislocation: str
) -> Floats:
    """How fast the squared geometry error grows with ln R because of a fit's elastic moduli.

    s = Σ_{bonds, r < |ℓ| < 2r} |D(u0^δ - u0)|² / ln 2 for large r, where D(u0^δ - u0) over a bond ρ is
    (∇u0^δ - ∇u0) ρ and decays like 1/|ℓ|. The sum over the lattice is then an integral over the angle around the
    line, and independent of r.

    Parameters
    ----------
    rows : mapping
        As returned by `elastic_rows`.
    coefficients : (W, L)
        eV.
    material : mapping
        The reference's structure, element, lattice_constant (Å), C11, C12, C44 (GPa).
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
    period = float(oriented_cell(dislocation, structure, str(material["element"])).edges[2]) * length
    squares = _bond_squares(structure, length)
    density = period * len(structure_named(structure).sites) / length**3
    reference = _circled(dislocation, material, *(float(material[name]) for name in ("C11", "C12", "C44")))
    moduli = np.einsum("ml,wl->wm", np.asarray(rows["moduli"])[NODES // 2], coefficients)
    mismatch = np.full(len(coefficients), np.nan)
    for number, (a1111, a1122, a1212, a1221) in enumerate(moduli):
        c11, c12, c44 = float(a1111), float(a1122 + a1221 - a1212), float(a1212)
        if _stable(c11, c12, c44):
            difference = _circled(dislocation, material, c11, c12, c44) - reference
            around = 2.0 * np.pi * np.mean(np.sum(difference**2, axis=(1, 2)))
            # half: each bond once; a third: the bonds of a cubic crystal's shells spread evenly over directions
            mismatch[number] = density * 0.5 * squares / 3.0 * around
    return mismatch


def _stable(c11: float, c12: float, c44: float) -> bool:
    return bool(abs(c12) < c11 and c11 + 2.0 * c12 > 0.0 and c44 > 0.0)


def _bond_squares(structure: str, lattice_constant: float) -> float:
    """Sum of the squared lengths of a site's bonds to its first and second neighbours, Å²."""
    reach = structure_named(structure).bond_reach * lattice_constant
    positions, cell = conventional_crystal(structure, lattice_constant, (1, 1, 1))
    around = cell_environments(positions, cell, reach, np.array([0]))
    return float(np.sum(around.vectors(positions)[around.mask] ** 2))


def _circled(dislocation: str, material: Mapping[str, Any], c11: float, c12: float, c44: float) -> Floats:
    """|ℓ| ∇u0 on a circle around the line: (angle, component, direction in the plane), Å."""
    structure, length = str(material["structure"]), float(material["lattice_constant"])
    field = elastic_field(dislocation, structure, c11, c12, c44, length)
    angles = 2.0 * np.pi * np.arange(ANGLES) / ANGLES
    plane = np.column_stack([np.cos(angles), np.sin(angles)])
    # u = Re Σ c log(d·x) / 2πi has the gradient Re Σ c d / (d·x) / 2πi, d = m + p n
    directions = field.along[:2] + field.roots[:, None] * field.across[:2]
    return np.asarray(
        np.einsum(
            "ca,aj,ta->tcj", field.amplitudes, directions, 1.0 / (plane @ directions.T) / (2j * np.pi)
        ).real
    )
