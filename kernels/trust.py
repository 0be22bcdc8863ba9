"""Whether linear response can be trusted with a fit: what a second step would still add to the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.ace import SharedForces, basis_of
from kernels.errors import strain_norm
from kernels.factorisation import HessianFactor, factor_of
from kernels.inputs import load_arrays
from kernels.points import LedForces
from kernels.preconditioners import has_hessian

Floats = NDArray[np.float64]

# A response that moves an atom further than this, Å, has left what a quadratic model knows: its forces are not asked.
LONGEST_RESPONSE = 1.0


def trust_ratios(
    comm: Any,
    *,
    basis: Mapping[str, Any],
    equilibrium: str,
    force_rows: Floats,
    coefficients: Floats,
    checked: Sequence[int],
) -> Floats:
    """Measure θ = ‖D δu₂‖ / ‖D δu‖ of fits: δu = H⁻¹F(ū) is their linear response, δu₂ = H⁻¹F(ū + δu) the next.

    Parameters
    ----------
    comm : mpi4py communicator
        Shares the sites; every rank gives the same arguments.
    basis : mapping
        ACE basis as plain data.
    equilibrium : str
        Path of the reference equilibrium.
    force_rows : (3 n_free, L)
        Φ(ū) of `kernels.response.response_map`.
    coefficients : (W, L)
        Fits, without E0.
    checked : sequence of int
        Those to be measured: one force evaluation each.

    Returns
    -------
    (W,) ndarray
        θ. Infinite where the response or its forces blow up; NaN where a fit is not finite, is not to be checked, or
        there is no Hessian. All NaN on ranks other than 0.

    Notes
    -----
    theory.md, "The linear-response estimate". What is left after δu is θ of it to leading order: an error of about
    that share of the estimate, or no convergence at all where θ is not small.
    """
    ratios = np.full(len(coefficients), np.nan)
    if not has_hessian(equilibrium):
        return ratios
    state = load_arrays(equilibrium)
    shared = SharedForces.of(comm, basis_of(basis), equilibrium)
    free, placed = np.flatnonzero(state["free"]), state["sites"] + state["predictor"]
    for number in checked:
        fitted = np.ascontiguousarray(coefficients[number])
        if not np.isfinite(fitted).all():
            continue
        led = LedForces(shared, fitted, placed, free)
        if comm.rank != 0:
            led.follow()
            continue
        try:
            ratios[number] = _ratio(led, factor_of(equilibrium), state, force_rows @ fitted)
        finally:
            led.release()
    return ratios


def _ratio(led: LedForces, factor: HessianFactor, state: Mapping[str, NDArray[Any]], force: Floats) -> float:
    """θ of one fit from its forces on the free sites at the reference equilibrium."""
    first = factor.solve(force).reshape(-1, 3)
    # not >: a NaN is a blow-up too
    if not float(np.abs(first).max(initial=0.0)) <= LONGEST_RESPONSE:
        return np.inf
    left = led.forces(state["corrector"][state["free"]] + first)
    if not np.isfinite(left).all():
        return np.inf
    return _strain(state, factor.solve(left)) / max(_strain(state, first), np.finfo(float).tiny)


def _strain(state: Mapping[str, NDArray[Any]], step: Floats) -> float:
    displacement = np.zeros_like(state["corrector"])
    displacement[state["free"]] = step.reshape(-1, 3)
    return strain_norm(state["bonds"], displacement)
