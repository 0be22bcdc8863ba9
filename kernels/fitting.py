"""Fits: every weighting of a training set's factors at once, by orthogonal transformations only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.elasticity import bulk_properties_grid
from kernels.far_field import far_field_mismatch
from kernels.inputs import load_arrays
from kernels.linear_basis import basis_of
from kernels.weight_grid import solve_scalings

Floats = NDArray[np.float64]

# Kinds of observation in the order of a weighting's weights.
OBSERVATIONS = ("energy", "forces", "virial", "force_constants")
# Kinds that a weighting need not name.
OPTIONAL = ("force_constants",)
# Kinds of configuration in the order of the errors' last dimension.
CONFIGURATIONS = ("bulk", "core")
# Residuals of the fits that are judged together take about this much memory for each kind of observation, bytes.
RESIDUAL_BYTES = 2**26
# Fits whose bulk properties are found together.
FITS_AT_A_TIME = 5_000


class FittingError(ValueError):
    """Factors, weights or a regularisation that admit no fit."""


@dataclass(frozen=True)
class Solutions:
    """Fits of W weightings.

    Attributes
    ----------
    coefficients : (W, L)
        eV. NaN where excluded.
    e0 : (W,)
        Energy of every site besides, relative to the reference's bulk, eV.
    rank : (W,) int
        Numerical rank of the weighted data rows with E0 eliminated, without the prior; 0 where excluded. Less than
        L: the prior alone determined the rest.
    condition : (W,)
        2-norm condition number of the whole stacked matrix, prior included; along an axis of many values to about a
        per cent (`kernels.weight_axis`).
    excluded : (W,) bool
        Weightings whose weights are all zero: no fit.
    """

    coefficients: Floats
    e0: Floats
    rank: NDArray[np.int64]
    condition: Floats
    excluded: NDArray[np.bool_]


def fit_block(
    comm: Any,
    *,
    basis: Mapping[str, Any],
    material: Mapping[str, Any],
    dislocation: str,
    factors: str,
    held_out: str,
    elastic: str,
    weightings: list[list[float]],
    regularisation: float | list[float],
    force_constants: str | None = None,
    held_out_force_constants: str | None = None,
) -> dict[str, Any]:
    """Fit every weighting of a block and judge each fit by itself.

    Parameters
    ----------
    comm : mpi4py communicator
        Rank 0 does it all: a block takes milliseconds.
    basis, material : mapping
        ACE basis and reference material as plain data.
    dislocation : str
        Kind of dislocation, for the far field.
    factors, held_out : str
        Paths of `kernels.assembly.factors` of the training set and of the held-out set.
    elastic : str
        Path of `kernels.elasticity.elastic_rows` of the basis.
    weightings : list of [energy, forces, virial] or [energy, forces, virial, force constants]
        Weights.
    regularisation : float or list of float
        λ of the smoothness prior. Of several, the fits of the first come first: W is their number times that of the
        weightings.
    force_constants : str, optional
        Path of `kernels.force_constants.force_constant_factors`, where they are observed.
    held_out_force_constants : str, optional
        Path of those that fits are judged on.

    Returns
    -------
    dict
        ``coefficients`` (W, L), ``e0``, ``rank``, ``condition``, ``excluded`` (W,) of `Solutions`; ``rmse_energy``
        (eV/atom), ``rmse_forces`` (eV/Å), ``rmse_virial`` (eV/atom), (W, 2) over bulk and core, and
        ``rmse_force_constants`` (eV/Å²) where they are judged; ``pressure``,
        ``lattice_error``, ``c11``, ``c12``, ``c44``, ``elastic_error`` (W,) of
        `kernels.elasticity.bulk_properties_grid`; ``far_field_mismatch`` (W,), Å²; ``basis_size`` and
        ``labelled_atoms`` (W,), of the factors. Empty on ranks other than 0.

    Raises
    ------
    FittingError
        If the factors, weights or λ admit no fit.
    """
    if comm.rank != 0:
        return {}
    trained, judged, rows = load_arrays(factors), load_arrays(held_out), load_arrays(elastic)
    if force_constants is not None:
        trained = {**trained, **load_arrays(force_constants)}
    if held_out_force_constants is not None:
        judged = {**judged, **load_arrays(held_out_force_constants)}
    fits = solve_grid(trained, basis_of(basis).gamma, weightings, regularisation)
    mismatch = far_field_mismatch(rows, fits.coefficients, material, dislocation)
    return {
        "coefficients": fits.coefficients,
        "e0": fits.e0,
        "rank": fits.rank,
        "condition": fits.condition,
        "excluded": fits.excluded,
        **rmse_grid(judged, fits.coefficients, fits.e0),
        **_bulk_properties(rows, fits.coefficients, material),
        "far_field_mismatch": mismatch,
        "basis_size": np.full(len(fits.e0), int(trained["basis_size"])),
        "labelled_atoms": np.full(len(fits.e0), int(trained["labelled_atoms"])),
    }


def _bulk_properties(
    rows: Mapping[str, Any], coefficients: Floats, material: Mapping[str, Any]
) -> dict[str, Floats]:
    """Give the bulk properties of some fits at a time: each takes a few kB on the way."""
    parts = [
        bulk_properties_grid(rows, some, material)
        for some in np.array_split(coefficients, 1 + len(coefficients) // FITS_AT_A_TIME)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def solve_grid(
    factors: Mapping[str, Any], gamma: Floats, weightings: ArrayLike, regularisation: ArrayLike
) -> Solutions:
    """Minimise the loss for each weighting and regularisation: Σ_k w_k² mean_k(residual²) + λ²‖Γc‖².

    The mean of a kind of observation runs over all its rows, bulk and core together. E0 is eliminated in closed form.

    Parameters
    ----------
    factors : mapping
        Triangular factors of `kernels.assembly.factors`.
    gamma : (L,)
        Diagonal of Γ.
    weightings : (W, 3) or (W, 4)
        Weights of energy, forces, virial and, where given, force constants, w_k ≥ 0. Only their ratios and λ's to
        them matter.
    regularisation : float or (P,)
        λ ≥ 0. Where the data and λ do not determine a fit to working precision, it is the one of the smallest ‖Γc‖.

    Returns
    -------
    Solutions
        Of P·W fits, the weightings of the first λ first. Conditions reach 1e10: compare fits by their predictions,
        not by their coefficients.

    Raises
    ------
    FittingError
        If a weight is negative or not finite, λ is, a weighted kind of observation is not among the factors, or the
        factors belong to another basis.

    Notes
    -----
    theory.md, "The loss, and the weight grid". No Gram matrix is ever formed. `kernels.weight_grid` solves them.
    """
    gamma = np.asarray(gamma, dtype=float)
    weights, lambdas = _checked(factors, gamma, weightings, regularisation)
    kinds = _without_constant(factors)
    prior = np.column_stack([np.diag(gamma), np.zeros(len(gamma))])
    scales = np.column_stack([np.tile(weights, (len(lambdas), 1)), np.repeat(lambdas, len(weights))])
    excluded: NDArray[np.bool_] = np.asarray(~scales[:, :-1].any(axis=1))
    coefficients, condition = np.full((len(scales), len(gamma)), np.nan), np.full(len(scales), np.nan)
    fitted = np.flatnonzero(~excluded)
    if len(fitted):
        coefficients[fitted], condition[fitted] = solve_scalings([*kinds, prior], scales[fitted], gamma)
    ranks = _ranks(kinds, scales[:, :-1])
    return Solutions(coefficients, _constants(factors, coefficients), ranks, condition, excluded)


def rmse_grid(factors: Mapping[str, Any], coefficients: Floats, e0: Floats) -> dict[str, Floats]:
    """Root mean square errors of fits on the observations behind factors.

    Parameters
    ----------
    factors : mapping
        Triangular factors of `kernels.assembly.factors`, of held-out configurations.
    coefficients : (W, L)
        eV.
    e0 : (W,)
        eV.

    Returns
    -------
    dict
        ``rmse_energy`` (eV per atom, or per observed atom of a core), ``rmse_forces`` (eV/Å) and ``rmse_virial``
        (eV per atom), (W, 2) over (bulk, core): ‖R (E0, c, -1)‖ / √rows. NaN where there are no such
        observations, and where the fit is. ``rmse_force_constants`` (eV/Å²) where the factors have them.
    """
    shown = [each for each in OBSERVATIONS if each not in OPTIONAL or f"{each}_core" in factors]
    errors = {f"rmse_{each}": np.full((len(e0), len(CONFIGURATIONS)), np.nan) for each in shown}
    size = max(1, RESIDUAL_BYTES // (8 * (coefficients.shape[1] + 2)))
    for start in range(0, len(e0), size):
        some = slice(start, start + size)
        residual_of = np.column_stack([coefficients[some], np.full(len(e0[some]), -1.0)]).T
        for observation, (column, configuration) in product(shown, enumerate(CONFIGURATIONS)):
            name = f"{observation}_{configuration}"
            if name in factors:
                upper = np.asarray(factors[name])
                residual = upper[:, 1:] @ residual_of
                if np.any(upper[:, 0]):
                    residual += np.outer(upper[:, 0], e0[some])
                rows = int(factors[f"{name}_rows"])
                errors[f"rmse_{observation}"][some, column] = np.linalg.norm(residual, axis=0) / np.sqrt(rows)
    return errors


def _checked(
    factors: Mapping[str, Any], gamma: Floats, weightings: ArrayLike, regularisation: ArrayLike
) -> tuple[Floats, Floats]:
    """Weights of every kind of observation, (W, 4), and the regularisations, (P,)."""
    given = np.asarray(weightings, dtype=float)
    least = len(OBSERVATIONS) - len(OPTIONAL)
    if given.ndim != 2 or not least <= given.shape[1] <= len(OBSERVATIONS):
        raise FittingError(
            f"weightings of shape {given.shape}; wanted are (W, 3 or 4): {', '.join(OBSERVATIONS)}"
        )
    weights = np.zeros((len(given), len(OBSERVATIONS)))
    weights[:, : given.shape[1]] = given
    if not (np.isfinite(weights).all() and (weights >= 0.0).all()):
        raise FittingError("a weight is negative or not finite; weights are zero or positive numbers")
    lambdas = np.atleast_1d(np.asarray(regularisation, dtype=float))
    if lambdas.ndim != 1 or not (np.isfinite(lambdas).all() and (lambdas >= 0.0).all()):
        raise FittingError(
            f"the regularisation is {lambdas.tolist()}; it is zero or a positive number, or several"
        )
    if (functions := _functions(factors)) != len(gamma):
        raise FittingError(f"the factors have {functions} functions, the prior {len(gamma)}: two bases")
    for observation, column in zip(OBSERVATIONS, weights.T, strict=True):
        if column.any() and not any(f"{observation}_{each}" in factors for each in CONFIGURATIONS):
            raise FittingError(
                f"{observation} has a weight, but the factors hold no {observation}: "
                "observe it, or set its weight to 0"
            )
    return weights, lambdas


def _functions(factors: Mapping[str, Any]) -> int:
    kinds = [f"{each}_{where}" for each in OBSERVATIONS for where in CONFIGURATIONS]
    shapes = [np.shape(factors[kind]) for kind in kinds if kind in factors]
    if not shapes:
        raise FittingError("the factors hold no observation at all")
    return int(shapes[0][1]) - 2


def _without_constant(factors: Mapping[str, Any]) -> list[Floats]:
    """[Φ | y] of each kind of observation with E0 eliminated, reduced to a triangle, over the root of its rows."""
    kinds = []
    for observation in OBSERVATIONS:
        names = [f"{observation}_{each}" for each in CONFIGURATIONS if f"{observation}_{each}" in factors]
        # the first row of a factor with ones holds their projections: without it, the others are centred
        parts = [np.asarray(factors[n])[int(np.asarray(factors[n])[0, 0] != 0.0) :, 1:] for n in names]
        rows = sum(int(factors[f"{name}_rows"]) for name in names)
        width = _functions(factors) + 1
        stacked = np.vstack(parts) if parts else np.zeros((0, width))
        kinds.append(np.asarray(np.linalg.qr(stacked, mode="r")) / np.sqrt(max(rows, 1)))
    return kinds


def _constants(factors: Mapping[str, Any], coefficients: Floats) -> Floats:
    """E0 of fits: the mean residual of the bulk energies, whatever their weight: forces say nothing of it."""
    if "energy_bulk" not in factors:
        return np.full(len(coefficients), np.nan)
    first = np.asarray(factors["energy_bulk"])[0]
    return np.asarray((first[-1] - coefficients @ first[1:-1]) / first[0], dtype=float)


def _ranks(kinds: list[Floats], weights: Floats) -> NDArray[np.int64]:
    """Ranks of the data rows: they depend on which weights are zero, not on their sizes."""
    functions = [
        rows[:, :-1] / max(float(np.linalg.norm(rows[:, :-1])), np.finfo(float).tiny) for rows in kinds
    ]
    whole = np.vstack(functions)
    norms = np.linalg.norm(whole, axis=0)
    # functions differ by orders of magnitude in size, which is not dependence
    scaled = [rows / np.where(norms > 0.0, norms, 1.0) for rows in functions]
    # one threshold for every subset of the rows: more of them never have less rank
    least = max(whole.shape) * np.finfo(float).eps * float(np.linalg.norm(np.vstack(scaled), 2))
    ranks = {}
    for pattern in {tuple(each) for each in (weights > 0.0).tolist()}:
        chosen = [rows for rows, on in zip(scaled, pattern, strict=True) if on]
        values = np.linalg.svd(np.vstack(chosen), compute_uv=False) if chosen else np.zeros(0)
        ranks[pattern] = int(np.sum(values > least))
    return np.array([ranks[tuple(each)] for each in (weights > 0.0).tolist()], dtype=np.int64)
