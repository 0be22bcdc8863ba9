"""What is known of a block before anything is relaxed: its fits' qualities and the errors estimated for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.inputs import load_arrays
from kernels.response import estimates

# Of what a fit's artefact holds, these are the fits themselves; the rest are measures, named as in the store.
NOT_MEASURES = frozenset({"coefficients", "e0", "excluded"})


def estimate_block(comm: Any, *, fit: str, response: str) -> dict[str, Any]:
    """Gather the measures of a block's fits and estimate their errors by linear response.

    Parameters
    ----------
    comm : mpi4py communicator
        Rank 0 does it all: a matrix product.
    fit : str
        Path of `kernels.fitting.fit_block` of W weightings.
    response : str
        Path of `kernels.response.response_map` of the same basis.

    Returns
    -------
    dict
        ``status``, a word for each weighting: excluded, failed where the fit is not finite, otherwise
        estimated; and every measure by its name in the store, its first dimension W. Empty on ranks other than 0.
    """
    if comm.rank != 0:
        return {}
    fits = load_arrays(fit)
    finite = np.isfinite(fits["coefficients"]).all(axis=1)
    status = np.where(fits["excluded"], "excluded", np.where(finite, "estimated", "failed"))
    measures = {name: array for name, array in fits.items() if name not in NOT_MEASURES}
    return {
        "status": status.tolist(),
        **measures,
        **estimates(load_arrays(response), fits["coefficients"]),
    }
