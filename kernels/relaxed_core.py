"""The relaxed core of one fit, so that it can be drawn: a study's points keep its errors only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kernels.ace import SharedForces, basis_of
from kernels.errors import strain_norm
from kernels.inputs import load_arrays
from kernels.points import LedForces
from kernels.preconditioners import preconditioner_of
from kernels.settling import settle


def relaxed_core(
    comm: Any,
    *,
    basis: Mapping[str, Any],
    material: Mapping[str, Any],
    equilibrium: str,
    fit: str,
    weighting: int,
    tolerance: float,
    most_evaluations: int,
) -> dict[str, Any]:
    """Relax one fit in the clamped cylinder to a minimum, as `kernels.points.relax_point` does, and give the core.

    Parameters
    ----------
    comm : mpi4py communicator
        Shares the sites.
    basis, material : mapping
        ACE basis and reference material as plain data.
    equilibrium, fit : str
        Paths of the reference equilibrium and of the block's fits.
    weighting : int
        Which of the block's fits.
    tolerance : float
        Largest force component on the free atoms at the end, eV/Å.
    most_evaluations : int
        Force evaluations allowed to each of the two methods.

    Returns
    -------
    dict
        On rank 0: ``corrector`` (n, 3), the displacement of every site beyond the predictor, Å, 0 on the fixed ones;
        ``geometry_error``, Å, as it was measured at the point; ``settled``, whether it is a minimum.
    """
    state = load_arrays(equilibrium)
    free = np.flatnonzero(state["free"])
    coefficients = np.ascontiguousarray(load_arrays(fit)["coefficients"][weighting])
    shared = SharedForces.of(comm, basis_of(basis), equilibrium)
    led = LedForces(shared, coefficients, state["sites"] + state["predictor"], free)
    if comm.rank != 0:
        led.follow()
        return {}
    try:
        found = settle(
            led.forces,
            led.product,
            preconditioner_of(equilibrium, material),
            state["corrector"][free],
            tolerance=tolerance,
            most_evaluations=most_evaluations,
        )
    finally:
        led.release()
    corrector = np.zeros_like(state["corrector"])
    corrector[free] = found.last.displacement
    error = strain_norm(state["bonds"], corrector - state["corrector"])
    return {"corrector": corrector, "geometry_error": error, "settled": bool(found.settled)}
