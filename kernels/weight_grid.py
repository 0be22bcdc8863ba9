"""One least-squares problem under many scalings of its blocks of rows: a grid of weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from kernels.weight_axis import WeightAxis, runs

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# From this many values on, factorising an axis once costs less than a factorisation for each; measured at 62 and at
# 223 functions, it did from six on.
AXIS_VALUES = 10


def solve_scalings(blocks: Sequence[Floats], scales: Floats, prior: Floats) -> tuple[Floats, Floats]:
    """Minimise Σ_k s_k² ‖A_k c − a_k‖² for every scaling s.

    The column of scalings with the most values is an axis: what it leaves alike is factorised once
    (`kernels.weight_axis`), whatever its number of values. Other scalings take a QR factorisation each.

    Parameters
    ----------
    blocks : sequence of (rows, L + 1)
        [A_k | a_k].
    scales : (N, len(blocks))
        s ≥ 0, not all zero in any row.
    prior : (L,)
        Diagonal of Γ. Where the rows do not determine c to working precision, of the minimisers the one of the
        smallest ‖Γc‖ is taken: what a regularisation λ → 0 tends to. Zeros in it count as its smallest other entry.

    Returns
    -------
    coefficients : (N, L)
    condition : (N,)
        2-norm condition numbers of the stacks [s_k A_k]; along an axis to about a per cent.

    Notes
    -----
    theory.md, "The loss, and the weight grid". Memory: the blocks, the results, and a few arrays of L by the values
    of one axis.
    """
    functions = blocks[0].shape[1] - 1
    coefficients, condition = np.empty((len(scales), functions)), np.empty(len(scales))
    axis = _longest(scales)
    norms = np.array([np.linalg.norm(block[:, :-1]) for block in blocks])
    for places in _lines(scales, axis):
        if len(places) >= AXIS_VALUES:
            line = _weight_axis(blocks, norms, scales[places], axis)
            if not line.singular:
                values = scales[places, axis]
                coefficients[places], condition[places] = line.coefficients(values), line.conditions(values)
                continue
        for place in places:
            upper: Floats = np.asarray(np.linalg.qr(_stacked(blocks, norms, scales[place]), mode="r"))
            condition[place] = _condition(upper[:, :-1])
            coefficients[place] = _solution(upper, float(condition[place]), prior)
    return coefficients, condition


def _longest(scales: Floats) -> int:
    """Column whose values share the fewest lines."""
    lines = [len(np.unique(np.delete(scales, column, axis=1), axis=0)) for column in range(scales.shape[1])]
    return int(np.argmin(lines))


def _lines(scales: Floats, axis: int) -> Iterator[Integers]:
    """Places of scalings that differ in one column only, and there by few enough decades; zeros by themselves."""
    others = np.delete(scales, axis, axis=1)
    line = np.unique(others, axis=0, return_inverse=True)[1].reshape(-1)
    order = np.argsort(line, kind="stable")
    for places in np.split(order, np.flatnonzero(np.diff(line[order])) + 1):
        positive = scales[places, axis] > 0.0
        yield places[~positive]
        if positive.any():
            yield from (places[positive][run] for run in runs(scales[places[positive], axis]))


def _weight_axis(blocks: Sequence[Floats], norms: Floats, scales: Floats, axis: int) -> WeightAxis:
    fixed = scales[0].copy()
    fixed[axis] = 0.0
    values = scales[:, axis]
    centre = float(np.sqrt(values.min() * values.max()))
    return WeightAxis.of(_stacked(blocks, norms, fixed), blocks[axis], centre)


def _stacked(blocks: Sequence[Floats], norms: Floats, scale: Floats) -> Floats:
    """Scaled rows, the larger ones first: Householder's reflections lose what is small above what is large."""
    order = [k for k in np.argsort(-scale * norms, kind="stable") if scale[k] > 0.0]
    return np.vstack([np.zeros((0, blocks[0].shape[1])), *(scale[k] * blocks[k] for k in order)])


def _condition(upper: Floats) -> float:
    """Ratio of the largest to the smallest singular value; infinite where there are fewer rows than columns."""
    values = np.linalg.svd(upper, compute_uv=False)
    if len(upper) < upper.shape[1] or not values[-1] > 0.0:
        return float("inf")
    return float(values[0] / values[-1])


def _solution(upper: Floats, condition: float, prior: Floats) -> Floats:
    """Solve [R | q]; where R is singular to working precision, the minimiser of the smallest ‖Γc‖."""
    functions = upper.shape[1] - 1
    if condition * np.finfo(float).eps < 1.0:
        return np.asarray(solve_triangular(upper[:functions, :-1], upper[:functions, -1]), dtype=float)
    positive = prior[prior > 0.0]
    gamma = np.where(prior > 0.0, prior, positive.min() if len(positive) else 1.0)
    # in the prior's own coordinates Γc, where what is not determined is what the shortest solution leaves out
    return np.asarray(
        np.linalg.lstsq(upper[:, :-1] / gamma, upper[:, -1], rcond=None)[0] / gamma, dtype=float
    )
