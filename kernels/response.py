"""Linear response of the reference to a linear potential: errors estimated without relaxing (theory.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.ace import basis_of
from kernels.factorisation import factor_of
from kernels.inputs import load_arrays
from kernels.preconditioners import has_hessian
from kernels.rows import cylinder_rows

Floats = NDArray[np.float64]


def response_map(comm: Any, *, basis: Mapping[str, Any], equilibrium: str) -> dict[str, Any]:
    """Everything that the estimates of every fit at one equilibrium need, once (theory.md, "The linear-response …").

    Parameters
    ----------
    comm : mpi4py communicator
        Shares the design rows of the sites.
    basis : mapping
        ACE basis: element, order, degree, cutoff (Å).
    equilibrium : str
        Path of an equilibrium artefact.

    Returns
    -------
    dict
        ``geometry_factor`` (L, L): R of the QR of D H⁻¹Φ(ū), so that the estimate is ‖R c‖, Å;
        ``energy_linear`` (L,): ψ, eV; ``energy_quadratic`` (L, L): K = ΦᵀH⁻¹Φ, eV;
        ``reference_energy``: E(ū), eV; ``force_rows`` (3 n_free, L): Φ(ū), so that Φ c is the fit's force on the free
        sites at ū, eV/Å, and H⁻¹Φ c the first step of its relaxation. Empty on ranks other than 0. An equilibrium
        without a Hessian has no response: the geometry factor and K are then NaN, and so are the estimates.
    """
    state = load_arrays(equilibrium)
    force_rows, energy_row = cylinder_rows(comm, basis_of(basis), state)
    if comm.rank != 0:
        return {}
    geometry, quadratic = _responses(state, equilibrium, force_rows)
    return {
        "geometry_factor": geometry,
        "energy_linear": energy_row,
        "energy_quadratic": quadratic,
        "reference_energy": np.float64(state["energy"]),
        "force_rows": force_rows,
    }


def _responses(
    state: Mapping[str, NDArray[Any]], equilibrium: str, force_rows: Floats
) -> tuple[Floats, Floats]:
    """R of the QR of D H⁻¹Φ, and K = ΦᵀH⁻¹Φ."""
    length = force_rows.shape[1]
    if not has_hessian(equilibrium):
        return np.full((length, length), np.nan), np.full((length, length), np.nan)
    response = factor_of(equilibrium).solve(force_rows)
    field = np.zeros((len(state["sites"]), 3, length))
    field[state["free"]] = response.reshape(-1, 3, length)
    bonds = state["bonds"]
    strain = (field[bonds[:, 1]] - field[bonds[:, 0]]).reshape(3 * len(bonds), length)
    return np.asarray(np.linalg.qr(strain, mode="r")), np.asarray(force_rows.T @ response)


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
        ``geometry_estimate`` (W,), Å, and ``energy_estimate`` (W,), the signed E^δ(ū^δ) - E(ū), eV.
        NaN where the coefficients are.
    """
    strain = coefficients @ response["geometry_factor"].T
    affine = coefficients @ response["energy_linear"] - float(response["reference_energy"])
    quadratic = 0.5 * np.einsum("wi,ij,wj->w", coefficients, response["energy_quadratic"], coefficients)
    return {"geometry_estimate": np.linalg.norm(strain, axis=1), "energy_estimate": affine - quadratic}
