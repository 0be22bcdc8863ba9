"""Linear response of the reference to a linear potential: errors estimated without relaxing (theory.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.ace import basis_of
from kernels.errors import bins_of_bonds
from kernels.factorisation import factor_of
from kernels.inputs import load_arrays
from kernels.preconditioners import has_hessian
from kernels.rows import cylinder_rows
from kernels.softness import lowest_stiffness, stiffness_map

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Strains of some bonds under every function, and products of some fits with a factor, exist at a time in about this
# much memory, bytes.
WORKING_BYTES = 2**26
EVERYWHERE = (0.0, np.inf)


def response_map(
    comm: Any, *, basis: Mapping[str, Any], equilibrium: str, radial_edges: Sequence[float] = EVERYWHERE
) -> dict[str, Any]:
    """Make all that the estimates of every fit at one equilibrium need, once (theory.md, "The linear-response …").

    Parameters
    ----------
    comm : mpi4py communicator
        Shares the design rows of the sites.
    basis : mapping
        ACE basis: element, order, degree, cutoff (Å).
    equilibrium : str
        Path of an equilibrium artefact.
    radial_edges : sequence of float
        Edges of B bins of distance from the line, Å.

    Returns
    -------
    dict
        ``geometry_factor`` (L, L): R of the QR of D H⁻¹Φ(ū), so that the estimate is ‖R c‖, Å;
        ``profile_factors`` (B, L, L): the same of the bonds of each bin alone, zero where there are none;
        ``energy_linear`` (L,): ψ, eV; ``energy_quadratic`` (L, L): K = ΦᵀH⁻¹Φ, eV;
        ``reference_energy``: E(ū), eV; ``force_rows`` (3 n_free, L): Φ(ū), so that Φ c is the fit's force on the free
        sites at ū, eV/Å, and H⁻¹Φ c the first step of its relaxation; ``stiffness_rows`` and
        ``stiffness_surroundings`` of `kernels.softness.stiffness_map`. Empty on ranks other than 0. An equilibrium
        without a Hessian has no response: the factors and K are then NaN, there is no stiffness, and estimates are NaN.

    Notes
    -----
    Memory: on every rank the design rows, 24 L bytes for each free site, twice over; on rank 0 besides the
    factorised Hessian (`kernels.factorisation`) and the responses H⁻¹Φ, of the rows' size, twice over. The strains
    D H⁻¹Φ, ten times as large, never exist whole: their triangle grows by some bonds at a time.
    """
    state, known = load_arrays(equilibrium), has_hessian(equilibrium)
    force_rows, energy_row = cylinder_rows(comm, basis_of(basis), state)
    factor = factor_of(equilibrium) if known and comm.rank == 0 else None
    stiffness = stiffness_map(comm, basis_of(basis), state, factor) if known else {}
    if comm.rank != 0:
        return {}
    factors, quadratic = strain_factors(state, equilibrium, force_rows, np.asarray(radial_edges, dtype=float))
    return {
        "geometry_factor": triangle(factors.reshape(-1, factors.shape[-1])),
        "profile_factors": factors[:-1],
        "energy_linear": energy_row,
        "energy_quadratic": quadratic,
        "reference_energy": np.float64(state["energy"]),
        "force_rows": force_rows,
        **stiffness,
    }


def strain_factors(
    state: Mapping[str, NDArray[Any]], equilibrium: str, force_rows: Floats, edges: Floats
) -> tuple[Floats, Floats]:
    """Factorise the strains that forces on the free sites of an equilibrium make.

    Parameters
    ----------
    state, equilibrium : mapping and str
        The equilibrium's arrays, and its path.
    force_rows : (3 n_free, L)
        Φ: forces linear in L numbers.
    edges : (B + 1,)
        Edges of the bins of distance from the line, Å.

    Returns
    -------
    (B + 1, L, L) ndarray
        R of the QR of D H⁻¹Φ over each bin's bonds, those of no bin last. NaN where there is no Hessian.
    (L, L) ndarray
        K = ΦᵀH⁻¹Φ; NaN likewise.
    """
    length = force_rows.shape[1]
    if not has_hessian(equilibrium):
        return np.full((len(edges), length, length), np.nan), np.full((length, length), np.nan)
    response = factor_of(equilibrium).solve(force_rows)
    quadratic = np.asarray(force_rows.T @ response)
    # one row more, of zeros: what the clamped sites do
    field = np.concatenate([response.reshape(-1, 3, length), np.zeros((1, 3, length))])
    row_of = np.where(state["free"], np.cumsum(state["free"]) - 1, -1)
    bonds = state["bonds"]
    binned = bins_of_bonds(bonds, state["sites"], edges)
    factors = [
        _strain_factor(field, row_of[bonds[binned == number]]) for number in [*range(len(edges) - 1), -1]
    ]
    return np.stack(factors), quadratic


def _strain_factor(field: Floats, bonds: Integers) -> Floats:
    """(L, L) triangle of the strains of some bonds, made from a few bonds at a time."""
    length = field.shape[-1]
    upper = np.zeros((length, length))
    # bonds between clamped sites have no strain
    for some in _parts(bonds[(bonds >= 0).any(axis=1)], 3 * 8 * length):
        strain = (field[some[:, 1]] - field[some[:, 0]]).reshape(-1, length)
        upper = triangle(np.vstack([upper, strain]))
    return upper


def _parts(array: NDArray[Any], bytes_each: int) -> Iterator[NDArray[Any]]:
    """Cut an array along its first dimension into parts that ask for no more than the working memory."""
    size = max(1, WORKING_BYTES // bytes_each)
    return (array[start : start + size] for start in range(0, len(array), size))


def triangle(rows: Floats) -> Floats:
    """R of the QR of some rows, (L, L); NaN where they are not finite."""
    if not np.isfinite(rows).all():
        return np.full((rows.shape[1], rows.shape[1]), np.nan)
    return np.asarray(np.linalg.qr(rows, mode="r"))


def estimates(response: Mapping[str, Any], coefficients: Floats) -> dict[str, Floats]:
    """Errors of fits to first order in their misfit.

    Parameters
    ----------
    response : mapping
        What `response_map` returned.
    coefficients : (W, L)
        Fits, without E0 (which moves no atom and drops out of energy differences).

    Returns
    -------
    dict
        ``geometry_estimate`` (W,), Å; ``strain_error_profile_estimate`` (W, B), its shares by distance from the line,
        Å; ``energy_estimate`` (W,), the signed E^δ(ū^δ) - E(ū), eV, and ``energy_estimate_affine`` (W,), the part of it
        that is there before anything relaxes, E^δ(ū) - E(ū), eV; ``stiffness_estimate`` (W,) of
        `kernels.softness.lowest_stiffness`. NaN where the coefficients are, and where the response is not known.
    """
    strain = coefficients @ response["geometry_factor"].T
    affine = coefficients @ response["energy_linear"] - float(response["reference_energy"])
    quadratic = 0.5 * np.einsum("wl,wl->w", coefficients @ response["energy_quadratic"], coefficients)
    return {
        "geometry_estimate": np.linalg.norm(strain, axis=1),
        "strain_error_profile_estimate": _profile(response["profile_factors"], coefficients),
        "energy_estimate": affine - quadratic,
        "energy_estimate_affine": affine,
        "stiffness_estimate": _stiffness(response, coefficients),
    }


def _stiffness(response: Mapping[str, Any], coefficients: Floats) -> Floats:
    if "stiffness_rows" not in response:
        return np.full(len(coefficients), np.nan)
    return lowest_stiffness(response["stiffness_rows"], response["stiffness_surroundings"], coefficients)


def _profile(factors: Floats, coefficients: Floats) -> Floats:
    """‖R_b c‖ of each fit and bin, (W, B)."""
    shares = [
        # a bin without bonds costs nothing
        np.linalg.norm(coefficients @ upper.T, axis=1) if upper.any() else 0.0 * coefficients[:, 0]
        for upper in factors
    ]
    return np.stack(shares, axis=1)
