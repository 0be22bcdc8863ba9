"""Elastic and bulk properties of linear potentials: linear in the coefficients, so every fit at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.elastic_fields import is_stable
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
# Stands beside a component of F for the shift w3 of one sublattice of diamond against the other. By symmetry w3
# couples to F12 and F21 alike and to no other component, and is as stiff as w1 and w2.
SHIFT = (2, -1)


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
        ``bcc``, ``fcc`` or ``diamond``.

    Returns
    -------
    dict
        ``lattice_constants`` (81,), Å, the reference's in the middle; ``energy`` (81, L), per atom;
        ``pressure`` (81, L), GPa per eV; ``moduli`` (81, 4, L), A1111, A1122, A1212, A1221 of A = ∂P/∂F at F = I,
        P the first Piola–Kirchhoff stress, GPa per eV, with the atoms moved by F alone; and what
        `relaxed_moduli` needs to let the sublattices shift as well, ``internal`` (81, 2, L): ∂²/∂F12 ∂w3, GPa/Å per
        eV, and ∂²/∂w3², GPa/Å² per eV, w the shift of one sublattice against the other; (81, 0, L) where there is
        one only. Empty on ranks other than 0.

    Raises
    ------
    ValueError
        If the structure is not known.

    Notes
    -----
    theory.md, "Why virials matter". By forward differentiation, twice, of one site's functions as its neighbours
    move. The sites of diamond are images of each other by inversion, which also exchanges the sublattices, so one
    site's energy is the energy per atom whatever the shift.
    """
    lattice = structure_named(structure)
    if comm.rank != 0:
        return {}
    functions = basis_of(basis)
    constants = float(material["lattice_constant"]) * np.linspace(1.0 - REACH, 1.0 + REACH, NODES)
    # the middle node is the reference's own lattice constant, to the last bit
    constants[NODES // 2] = float(material["lattice_constant"])
    around = _Neighbourhood.of(structure, constants, functions.cutoff)
    volumes = constants**3 / len(lattice.sites)
    derivatives = [around.derivatives(functions, one, other) for one, other in MODULI]
    energy, stress, _ = derivatives[0]
    follows = ((0, 1), SHIFT) if lattice.has_internal_freedom else ()
    internal = [around.derivatives(functions, one, SHIFT) for one in follows]
    return {
        "lattice_constants": constants,
        "energy": energy,
        "pressure": -GPA * stress / volumes[:, None],
        "moduli": GPA * np.stack([bent for *_, bent in derivatives], axis=1) / volumes[:, None, None],
        "internal": GPA * _stacked([bent for *_, bent in internal], energy.shape) / volumes[:, None, None],
    }


def _stacked(rows: list[Floats], shape: tuple[int, ...]) -> Floats:
    """(n, k, L) from k times (n, L), k = 0 included."""
    return np.stack(rows, axis=1) if rows else np.zeros((shape[0], 0, shape[1]))


@dataclass(frozen=True)
class _Neighbourhood:
    """A site of the perfect crystal at n lattice constants.

    Attributes
    ----------
    vectors : (n, K, 3) ndarray
        To its neighbours, Å.
    mask : (n, K) ndarray of bool
        Filled slots.
    other : (K,) ndarray of bool
        Whether a neighbour stands on the other sublattice, that at ¼[111].
    """

    vectors: Floats
    mask: NDArray[np.bool_]
    other: NDArray[np.bool_]

    @classmethod
    def of(cls, structure: str, constants: Floats, cutoff: float) -> _Neighbourhood:
        positions, cell = conventional_crystal(structure, 1.0, (1, 1, 1))
        densest = cell_environments(positions, cell, cutoff / float(constants.min()), np.array([0]))
        vectors = constants[:, None, None] * densest.vectors(positions)
        # conventional_crystal lists one sublattice after the other
        other = densest.index[0] >= (len(positions) + 1) // 2
        return cls(vectors, densest.mask & (np.linalg.norm(vectors, axis=2) < cutoff), other)

    def derivatives(
        self, basis: LinearBasis, one: tuple[int, int], other: tuple[int, int]
    ) -> tuple[Floats, Floats, Floats]:
        """Site functions (n, L), their derivative in one direction, and their second in both: by F, or by `SHIFT`."""
        return basis.second_derivatives(self.vectors, self.mask, self._moved(one), self._moved(other))

    def _moved(self, direction: tuple[int, int]) -> Floats:
        moved = np.zeros_like(self.vectors)
        row, column = direction
        moved[..., row] = self.other if direction == SHIFT else self.vectors[..., column]
        return moved


def relaxed_moduli(moduli: Floats, internal: Floats) -> Floats:
    """Moduli with the sublattices shifted to where a deformation drives them.

    Parameters
    ----------
    moduli : (..., 4)
        A1111, A1122, A1212, A1221 with the atoms moved by F alone, as `elastic_rows` times coefficients.
    internal : (..., 2) or (..., 0)
        ∂²/∂F12 ∂w3 and ∂²/∂w3², likewise.

    Returns
    -------
    (..., 4) ndarray
        In the moduli's unit; NaN in the shears where the shift is not driven back.

    Notes
    -----
    The Schur complement over w: A - A_Fw A_ww⁻¹ A_wF. Both shears lose the same, the others nothing.

    Examples
    --------
    >>> relaxed_moduli(np.array([160.0, 80.0, 110.0, 110.0]), np.array([30.0, 18.0])).tolist()
    [160.0, 80.0, 60.0, 60.0]
    """
    if internal.shape[-1] == 0:
        return moduli
    coupling, stiffness = internal[..., 0], internal[..., 1]
    loss = coupling**2 / np.where(stiffness > 0.0, stiffness, np.nan)
    relaxed = moduli.copy()
    relaxed[..., 2:] -= loss[..., None]
    return relaxed


def internal_shift(internal: Floats) -> Floats:
    """Shift of the sublattices along x under a shear γ_yz, Å: (...,) from (..., 2), and 0 from (..., 0)."""
    if internal.shape[-1] == 0:
        return np.zeros(internal.shape[:-1])
    return np.asarray(-internal[..., 0] / np.where(internal[..., 1] > 0.0, internal[..., 1], np.nan))


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
    middle = NODES // 2
    pressure = coefficients @ np.asarray(rows["pressure"]).T
    relaxed, stiffnesses = at_rest_of(rows, coefficients)
    at_rest = relaxed_moduli(stiffnesses[:, :4], stiffnesses[:, 4:])
    c11, c12, c44 = at_rest[:, 0], at_rest[:, 1], at_rest[:, 2]
    reference = np.array([float(material[name]) for name in ("C11", "C12", "C44")])
    return {
        "pressure": pressure[:, middle],
        "lattice_error": relaxed - np.asarray(rows["lattice_constants"])[middle],
        "c11": c11,
        "c12": c12,
        "c44": c44,
        "elastic_error": np.max(np.abs(at_rest[:, :3] - reference), axis=1),
    }


def material_of_fit(
    rows: Mapping[str, Any], coefficients: Floats, material: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Describe the crystal of one fit as `kernels.materials.bulk_properties` describes the reference's.

    Parameters
    ----------
    rows : mapping
        As returned by `elastic_rows`.
    coefficients : (L,)
        eV.
    material : mapping
        The reference's.

    Returns
    -------
    dict or None
        ``element``, ``structure``, ``cutoff`` (Å) of the reference, and the fit's own ``lattice_constant`` (Å) at zero
        pressure and, there, ``C11``, ``C12``, ``C44`` (GPa) and where the structure has one ``internal_shift`` (Å).
        None where it has no stable crystal within 20 % of the reference's.
    """
    relaxed, stiffnesses = at_rest_of(rows, coefficients[None, :])
    c11, c12, c44, _ = relaxed_moduli(stiffnesses[0, :4], stiffnesses[0, 4:]).tolist()
    if not is_stable(c11, c12, c44):
        return None
    kept = {name: material[name] for name in ("element", "structure", "cutoff")}
    shift = {"internal_shift": float(internal_shift(stiffnesses[0, 4:]))} if stiffnesses.shape[1] > 4 else {}
    return {**kept, "lattice_constant": float(relaxed[0]), "C11": c11, "C12": c12, "C44": c44, **shift}


def at_rest_of(rows: Mapping[str, Any], coefficients: Floats) -> tuple[Floats, Floats]:
    """Give the lattice constants of fits at zero pressure, and how stiff they are there.

    Parameters
    ----------
    rows, coefficients
        As in `bulk_properties_grid`.

    Returns
    -------
    (W,) ndarray
        Å; NaN where there is none within 20 % of the reference's.
    (W, 4 or 6) ndarray
        A1111, A1122, A1212, A1221 with the atoms moved by F alone, GPa, and behind them what `relaxed_moduli` takes as
        ``internal``.
    """
    constants = np.asarray(rows["lattice_constants"])
    pressure = coefficients @ np.asarray(rows["pressure"]).T
    moduli, internal = (
        np.einsum("aml,wl->wam", np.asarray(rows[name]), coefficients) for name in ("moduli", "internal")
    )
    # p = -(dE/ds)/(3 V s²) for a uniform stretch s, and d²E/ds² = V (3 A1111 + 6 A1122)
    slopes = -(moduli[..., 0] + 2.0 * moduli[..., 1] + 2.0 * pressure) / constants
    relaxed = _zero_pressure(constants, pressure, slopes)
    return relaxed, _through_four(constants, np.concatenate([moduli, internal], axis=2), relaxed)


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
