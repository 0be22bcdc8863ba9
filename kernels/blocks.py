"""What is known of a block before anything is relaxed: its fits' qualities and the errors estimated for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kernels.inputs import load_arrays, read_arrays
from kernels.response import estimates
from kernels.trust import trust_ratios

# Of what a fit's artefact holds, these are the fits themselves; the rest are measures, named as in the store.
NOT_MEASURES = frozenset({"coefficients", "e0", "excluded"})


def estimate_block(
    comm: Any,
    *,
    fit: str,
    response: str,
    basis: Mapping[str, Any] | None = None,
    equilibrium: str | None = None,
    checked: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Gather the measures of a block's fits, estimate their errors by linear response, and check the estimates.

    Parameters
    ----------
    comm : mpi4py communicator
        Shares the force evaluations of the checks; the estimates are matrix products on rank 0.
    fit : str
        Path of `kernels.fitting.fit_block` of W weightings.
    response : str
        Path of `kernels.response.response_map` of the same basis.
    basis, equilibrium : mapping and str, optional
        ACE basis, and path of the reference equilibrium: the estimates are checked where both are given.
    checked : sequence of int, optional
        Weightings to be checked; by default every one.

    Returns
    -------
    dict
        ``status``, a word for each weighting: excluded, failed where the fit is not finite, otherwise
        estimated; and every measure by its name in the store, its first dimension W: those of the fits, those of
        `kernels.response.estimates`, and ``trust_ratio`` of `kernels.trust.trust_ratios`, NaN where it was not
        measured. Empty on ranks other than 0.
    """
    fits, response_of = read_arrays(fit), load_arrays(response)
    coefficients = fits["coefficients"]
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
    if comm.rank != 0:
        return {}
    finite = np.isfinite(coefficients).all(axis=1)
    status = np.where(fits["excluded"], "excluded", np.where(finite, "estimated", "failed"))
    measures = {name: array for name, array in fits.items() if name not in NOT_MEASURES}
    return {
        "status": status.tolist(),
        **measures,
        **estimates(response_of, coefficients),
        "trust_ratio": ratios,
    }
