"""Fits: every weighting of a training set's factors at once, by orthogonal transformations only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular

from kernels.elasticity import bulk_properties_grid, far_field_mismatch
from kernels.inputs import load_arrays
from kernels.linear_basis import basis_of

Floats = NDArray[np.float64]

# Kinds of observation in the order of a weighting's three weights.
OBSERVATIONS = ("energy", "forces", "virial")
# Kinds of configuration in the order of the errors' last dimension.
CONFIGURATIONS = ("bulk", "core")
# Stacked factors of the weightings that are decomposed together take about this much memory, bytes.
GROUP_BYTES = 2**26


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
        Numerical rank of the weighted data rows with E0 eliminated, without the prior; 0 where excluded.
    condition : (W,)
        2-norm condition number of the whole stacked matrix, prior included.
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
    regularisation: float,
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
    weightings : list of [energy, forces, virial]
        W of them.
    regularisation : float
        λ of the smoothness prior.

    Returns
    -------
    dict
        ``coefficients`` (W, L), ``e0``, ``rank``, ``condition``, ``excluded`` (W,) of `Solutions`; ``rmse_energy``
        (eV/atom), ``rmse_forces`` (eV/Å), ``rmse_virial`` (eV/atom), (W, 2) over bulk and core; ``pressure``,
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
    fits = solve_grid(trained, basis_of(basis).gamma, weightings, regularisation)
    mismatch = far_field_mismatch(rows, fits.coefficients, material, dislocation)
    return {
        "coefficients": fits.coefficients,
        "e0": fits.e0,
        "rank": fits.rank,
        "condition": fits.condition,
        "excluded": fits.excluded,
        **rmse_grid(judged, fits.coefficients, fits.e0),
        **bulk_properties_grid(rows, fits.coefficients, material),
        "far_field_mismatch": mismatch,
        "basis_size": np.full(len(weightings), int(trained["basis_size"])),
        "labelled_atoms": np.full(len(weightings), int(trained["labelled_atoms"])),
    }


def solve_grid(
    factors: Mapping[str, Any], gamma: Floats, weightings: ArrayLike, regularisation: float
) -> Solutions:
    """Minimise the loss for each weighting: Σ_k w_k² mean_k(residual²) + λ²‖Γc‖².

    The mean of a kind of observation runs over all its rows, bulk and core together. E0 is eliminated in closed form.

    Parameters
    ----------
    factors : mapping
        Triangular factors of `kernels.assembly.factors`.
    gamma : (L,)
        Diagonal of Γ.
    weightings : (W, 3)
        Weights of energy, forces and virial, w_k ≥ 0. Only their ratios and λ's to them matter.
    regularisation : float
        λ ≥ 0. At 0, a fit that the data do not determine is the shortest of the best.

    Returns
    -------
    Solutions
        Conditions reach 1e10: compare fits by their predictions, not by their coefficients.

    Raises
    ------
    FittingError
        If a weight is negative or not finite, λ is, or the factors belong to another basis.

    Notes
    -----
    theory.md, "The loss, and the weight grid". No Gram matrix is ever formed.
    """
    gamma = np.asarray(gamma, dtype=float)
    weights = _checked(factors, gamma, weightings, regularisation)
    kinds = _without_constant(factors)
    excluded: NDArray[np.bool_] = np.asarray(~weights.any(axis=1))
    prior = np.column_stack([np.diag(regularisation * gamma), np.zeros(len(gamma))])
    coefficients, condition = np.full((len(weights), len(gamma)), np.nan), np.full(len(weights), np.nan)
    for group in _groups(np.flatnonzero(~excluded), kinds, prior):
        uppers: Floats = np.asarray(np.linalg.qr(_stacked(kinds, prior, weights[group]), mode="r"))
        uppers = uppers[:, : len(gamma)]
        condition[group] = _conditions(uppers[:, :, :-1])
        for place, upper in zip(group, uppers, strict=True):
            coefficients[place] = _solution(upper, float(condition[place]))
    return Solutions(
        coefficients, _constants(factors, coefficients), _ranks(kinds, weights), condition, excluded
    )


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
        observations, and where the fit is.
    """
    residual_of = np.column_stack([e0, coefficients, np.full(len(e0), -1.0)]).T
    errors = {}
    for observation in OBSERVATIONS:
        table = np.full((len(e0), len(CONFIGURATIONS)), np.nan)
        for column, configuration in enumerate(CONFIGURATIONS):
            name = f"{observation}_{configuration}"
            if name in factors:
                residual = np.asarray(factors[name]) @ residual_of
                table[:, column] = np.linalg.norm(residual, axis=0) / np.sqrt(int(factors[f"{name}_rows"]))
        errors[f"rmse_{observation}"] = table
    return errors


def _checked(
    factors: Mapping[str, Any], gamma: Floats, weightings: ArrayLike, regularisation: float
) -> Floats:
    weights = np.asarray(weightings, dtype=float)
    if weights.ndim != 2 or weights.shape[1] != len(OBSERVATIONS):
        raise FittingError(f"weightings of shape {weights.shape}; wanted are (W, 3): energy, forces, virial")
    if not (np.isfinite(weights).all() and (weights >= 0.0).all()):
        raise FittingError("a weight is negative or not finite; weights are zero or positive numbers")
    if not (np.isfinite(regularisation) and regularisation >= 0.0):
        raise FittingError(f"the regularisation is {regularisation}; it is zero or a positive number")
    functions = np.asarray(factors["energy_bulk"]).shape[1] - 2
    if functions != len(gamma):
        raise FittingError(f"the factors have {functions} functions, the prior {len(gamma)}: two bases")
    return weights


def _without_constant(factors: Mapping[str, Any]) -> list[Floats]:
    """[Φ | y] of each kind of observation with E0 eliminated, reduced to a triangle, over the root of its rows."""
    kinds = []
    for observation in OBSERVATIONS:
        names = [f"{observation}_{each}" for each in CONFIGURATIONS if f"{observation}_{each}" in factors]
        # the first row of a factor with ones holds their projections: without it, the others are centred
        parts = [np.asarray(factors[n])[int(np.asarray(factors[n])[0, 0] != 0.0) :, 1:] for n in names]
        rows = sum(int(factors[f"{name}_rows"]) for name in names)
        width = np.asarray(factors["energy_bulk"]).shape[1] - 1
        stacked = np.vstack(parts) if parts else np.zeros((0, width))
        kinds.append(np.asarray(np.linalg.qr(stacked, mode="r")) / np.sqrt(max(rows, 1)))
    return kinds


def _stacked(kinds: list[Floats], prior: Floats, weights: Floats) -> Floats:
    """(W, rows, L + 1) weighted rows of all kinds above those of the prior."""
    weighted = [weights[:, k, None, None] * rows for k, rows in enumerate(kinds)]
    return np.concatenate([*weighted, np.broadcast_to(prior, (len(weights), *prior.shape))], axis=1)


def _groups(places: NDArray[np.int64], kinds: list[Floats], prior: Floats) -> Iterator[NDArray[np.int64]]:
    """Cut weightings into groups whose stacks fit into `GROUP_BYTES`."""
    bytes_each = prior.shape[1] * (len(prior) + sum(len(rows) for rows in kinds)) * 8
    size = max(1, GROUP_BYTES // bytes_each)
    for start in range(0, len(places), size):
        yield places[start : start + size]


def _conditions(uppers: Floats) -> Floats:
    """Ratio of the largest to the smallest singular value of each square matrix; infinite where singular."""
    values = np.linalg.svd(uppers, compute_uv=False)
    smallest = values[:, -1]
    return np.where(smallest > 0.0, values[:, 0] / np.where(smallest > 0.0, smallest, 1.0), np.inf)


def _solution(upper: Floats, condition: float) -> Floats:
    """Solve R c = q for (L, L + 1) [R | q]; the shortest c where R is singular to working precision."""
    if condition * np.finfo(float).eps < 1.0:
        return np.asarray(solve_triangular(upper[:, :-1], upper[:, -1]), dtype=float)
    return np.asarray(np.linalg.lstsq(upper[:, :-1], upper[:, -1], rcond=None)[0], dtype=float)


def _constants(factors: Mapping[str, Any], coefficients: Floats) -> Floats:
    """E0 of fits: the mean residual of the bulk energies, whatever their weight, for forces say nothing of it."""
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
