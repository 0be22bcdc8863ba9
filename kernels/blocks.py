"""What is known of a block before anything is relaxed: its fits' qualities and the errors estimated for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.fitting import rmse_grid
from kernels.inputs import load_arrays, read_arrays
from kernels.own_lattice import fitted_parameters
from kernels.own_response import own_estimates
from kernels.response import estimates
from kernels.trust import trust_ratios

# Of what a fit's artefact holds, these are the fits themselves; the rest are measures, named as in the store.
NOT_MEASURES = frozenset({"coefficients", "e0", "excluded"})
# Of what `kernels.response.estimates` gives, what is kept of transfers: not the profile, which is as large as the rest.
TRANSFERRED = ("geometry_estimate", "energy_estimate", "energy_estimate_affine", "stiffness_estimate")


def estimate_block(
    comm: Any,
    *,
    fit: str,
    response: str | None = None,
    basis: Mapping[str, Any] | None = None,
    equilibrium: str | None = None,
    checked: Sequence[int] | None = None,
    training_core: str | None = None,
    own_response: str | None = None,
    elastic: str | None = None,
    material: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Gather the measures of a block's fits, estimate their errors by linear response, and check the estimates.

    Parameters
    ----------
    comm : mpi4py communicator
        Shares the force evaluations of the checks; the estimates are matrix products on rank 0.
    fit : str
        Path of `kernels.fitting.fit_block` of W weightings.
    response : str, optional
        Path of `kernels.response.response_map` of the same basis.
    basis, equilibrium : mapping and str, optional
        ACE basis, and path of the reference equilibrium: the estimates are checked where both are given.
    checked : sequence of int, optional
        Weightings to be checked; by default every one.
    training_core : str, optional
        Path of `kernels.own_domain.own_core`, where the training clusters are cut from such a core.
    own_response, elastic, material : str, str and mapping, optional
        In the response's place where each fit has a lattice and a predictor of its own: paths of
        `kernels.own_response.own_response_map` and of `kernels.elasticity.elastic_rows` of the same basis, and the
        reference's material. Geometry errors alone are estimated then, and the estimates are not checked.

    Returns
    -------
    dict
        ``status``, a word for each weighting: excluded, failed where the fit is not finite, otherwise
        estimated; and every measure by its name in the store, its first dimension W: those of the fits, those of
        `kernels.response.estimates` (or of `kernels.own_response.own_estimates`), and ``trust_ratio`` of
        `kernels.trust.trust_ratios`, NaN where it was not measured; where a training core is given,
        ``training_truncation_error`` (W,), Å. Empty on ranks other than 0.
    """
    fits = read_arrays(fit)
    found: dict[str, NDArray[np.float64]] = {}
    if response is not None:
        of_response, coefficients = load_arrays(response), fits["coefficients"]
        found = _judged(
            comm, coefficients, of_response, basis=basis, equilibrium=equilibrium, checked=checked
        )
    if comm.rank != 0:
        return {}
    if own_response is not None and elastic is not None and material is not None:
        parameters = fitted_parameters(load_arrays(elastic), fits["coefficients"], material)
        found = own_estimates(load_arrays(own_response), fits["coefficients"], parameters)
    finite = np.isfinite(fits["coefficients"]).all(axis=1)
    status = np.where(fits["excluded"], "excluded", np.where(finite, "estimated", "failed"))
    measures = {name: array for name, array in fits.items() if name not in NOT_MEASURES}
    if training_core is not None:
        error = float(load_arrays(training_core)["training_truncation_error"])
        measures["training_truncation_error"] = np.full(len(finite), error)
    return {"status": status.tolist(), **measures, **found}


def transfer_block(
    comm: Any,
    *,
    fit: str,
    response: str,
    held_out: str,
    basis: Mapping[str, Any],
    equilibrium: str,
    checked: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Judge a block's fits on another dislocation than the one they were trained on.

    Parameters
    ----------
    comm : mpi4py communicator
        Shares the force evaluations of the checks; the estimates are matrix products on rank 0.
    fit : str
        Path of `kernels.fitting.fit_block` of W weightings, trained on one dislocation.
    response : str
        Path of `kernels.response.response_map` of the other dislocation, of the same basis.
    held_out : str
        Path of `kernels.assembly.factors` of the other dislocation's held-out configurations.
    basis, equilibrium : mapping and str
        ACE basis, and path of the other dislocation's reference equilibrium.
    checked : sequence of int, optional
        Weightings whose estimates are checked; by default every one.

    Returns
    -------
    dict
        By their names in the store, (W,): those of `TRANSFERRED` and ``trust_ratio``, as `estimate_block` gives them
        for fits that were trained there; ``rmse_energy`` (eV per atom) and ``rmse_forces`` (eV/Å), (W, 2) over (bulk,
        core), on the other dislocation's held-out configurations. NaN where a fit is. Empty on ranks other than 0.

    Notes
    -----
    theory.md, "The linear-response estimate": both parts of the estimate are the other dislocation's response map
    applied to the fit, so a transfer is linear response as the estimate of a block's own dislocation is, and is
    checked in the same way.
    """
    fits, response_of = read_arrays(fit), load_arrays(response)
    found = _judged(
        comm, fits["coefficients"], response_of, basis=basis, equilibrium=equilibrium, checked=checked
    )
    if comm.rank != 0:
        return {}
    errors = rmse_grid(load_arrays(held_out), fits["coefficients"], fits["e0"])
    kept = {name: found[name] for name in (*TRANSFERRED, "trust_ratio")}
    return {**kept, "rmse_energy": errors["rmse_energy"], "rmse_forces": errors["rmse_forces"]}


def _judged(
    comm: Any,
    coefficients: NDArray[np.float64],
    response_of: Mapping[str, Any],
    *,
    basis: Mapping[str, Any] | None,
    equilibrium: str | None,
    checked: Sequence[int] | None,
) -> dict[str, NDArray[np.float64]]:
    """Estimate the errors of fits by a response map, and check those that are to be checked."""
    ratios = np.full(len(coefficients), np.nan)
    if basis is not None and equilibrium is not None:
        ratios = trust_ratios(
            comm,
            basis=basis,
            equilibrium=equilibrium,
            force_rows=response_of["force_rows"],
            coefficients=coefficients,
            checked=range(len(coefficients)) if checked is None else checked,
        )
    return {**estimates(response_of, coefficients), "trust_ratio": ratios} if comm.rank == 0 else {}
