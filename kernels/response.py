"""Linear response of the reference to a linear potential: errors estimated without relaxing (theory.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.ace import basis_of
from kernels.factorisation import factor_of
from kernels.inputs import load_arrays
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
        ``reference_energy``: E(ū), eV. Empty on ranks other than 0.
    """
    state = load_arrays(equilibrium)
    free = np.flatnonzero(state["free"])
    force_rows, energy_row = cylinder_rows(comm, basis_of(basis), state)
    if comm.rank != 0:
        return {}
    response = factor_of(equilibrium).solve(force_rows)
    field = np.zeros((len(state["sites"]), 3, force_rows.shape[1]))
    field[free] = response.reshape(len(free), 3, -1)
    bonds = state["bonds"]
    strain = (field[bonds[:, 1]] - field[bonds[:, 0]]).reshape(3 * len(bonds), -1)
    return {
        "geometry_factor": np.linalg.qr(strain, mode="r"),
        "energy_linear": energy_row,
        "energy_quadratic": force_rows.T @ response,
        "reference_energy": np.float64(state["energy"]),
    }


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
