"""Intervals by resampling: no normal errors assumed, and widened to the size of a small sample."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri, stdtrit

from sweep.rates.regression import Bools, Coefficient, Floats

#: Fewer replicas than this, or fewer points where they take the replicas' place, are too few to resample.
LEAST_REPLICAS, LEAST_POINTS = 3, 4
# Most numbers held at once.
_AT_ONCE = 1 << 23


def bootstrap_interval(
    coefficient: Coefficient, used: Bools, confidence: float, resamples: int, seed: int
) -> tuple[Floats, Floats]:
    """Give the percentile-bootstrap interval of a coefficient, widened as Student's is over the normal one.

    Replicas are drawn with replacement, the same ones for every curve. Where there is one replica, the
    residuals at its points are. Percentiles of a small sample are too narrow (Hesterberg, Am. Stat. 69:371,
    2015): distances from the estimate are scaled by t_f √((f + 1)/f) / z for replicas, t_f √(n/f) / z for
    residuals, with f degrees of freedom and n points.

    Parameters
    ----------
    coefficient
        The estimate.
    used : (lanes, replicas, points) ndarray of bool
        The points that it used.
    confidence
        Such as 0.95.
    resamples
        Number of samples drawn.
    seed
        Of the draws.

    Returns
    -------
    low, high : (lanes,) ndarray
        NaN where there are too few to resample (`LEAST_REPLICAS`, `LEAST_POINTS`).
    """
    lanes = len(coefficient.value)
    low, high = np.full(lanes, np.nan), np.full(lanes, np.nan)
    by_replica = coefficient.replicas >= LEAST_REPLICAS
    points = np.where(coefficient.weight[..., None] > 0, used, False).sum(axis=(-1, -2))
    by_point = (coefficient.replicas == 1) & (points >= LEAST_POINTS) & (coefficient.freedom > 0)
    groups = [np.flatnonzero(by_replica)]
    groups += [np.flatnonzero(by_point & (points == count)) for count in np.unique(points[by_point])]
    step = max(1, _AT_ONCE // resamples)
    for group in groups:
        for start in range(0, len(group), step):
            chosen = group[start : start + step]
            # seeded anew each time: every curve sees the same draws, whichever it is computed with
            draws = np.random.default_rng(seed)
            if group is groups[0]:
                shifts, scale = _of_replicas(coefficient, chosen, resamples, draws)
            else:
                shifts, scale = _of_residuals(coefficient, chosen, used, resamples, draws)
            ends = np.quantile(shifts, [(1 - confidence) / 2, (1 + confidence) / 2], axis=-1)
            freedom = coefficient.freedom[chosen]
            scale = scale * stdtrit(freedom, (1 + confidence) / 2) / ndtri((1 + confidence) / 2)
            low[chosen], high[chosen] = coefficient.value[chosen] + scale * ends
    return low, high


def _of_replicas(
    coefficient: Coefficient, lanes: np.ndarray, resamples: int, draws: np.random.Generator
) -> tuple[Floats, Floats]:
    """Give the shifts of the estimate when replicas are drawn, and the scale that undoes the variance's own bias."""
    weight, of_replica = coefficient.weight[lanes], coefficient.of_replica[lanes]
    replicas = weight.shape[-1]
    counts = draws.multinomial(replicas, np.full(replicas, 1 / replicas), size=resamples).astype(float)
    above, below = (weight * of_replica) @ counts.T, weight @ counts.T
    value = coefficient.value[lanes, None]
    # draws of nothing but replicas without an estimate tell nothing: no shift
    shifts = np.divide(above, below, out=np.broadcast_to(value, above.shape).copy(), where=below > 0) - value
    freedom = coefficient.freedom[lanes]
    return shifts, np.sqrt((freedom + 1) / freedom)


def _of_residuals(
    coefficient: Coefficient, lanes: np.ndarray, used: Bools, resamples: int, draws: np.random.Generator
) -> tuple[Floats, Floats]:
    """Give the shifts of the estimate when one replica's residuals are drawn; lanes with equally many points."""
    mine = (used[lanes] & (coefficient.weight[lanes, :, None] > 0)).reshape(len(lanes), -1)
    points = int(mine[0].sum())
    packed = np.argsort(~mine, axis=-1, kind="stable")[:, :points]
    regressor, residual = (
        np.take_along_axis(values[lanes].reshape(len(lanes), -1), packed, axis=-1)
        for values in (coefficient.regressor, coefficient.residual)
    )
    drawn = draws.integers(points, size=(resamples, points))
    shifts = np.zeros((len(lanes), resamples))
    for point in range(points):
        shifts += residual[:, drawn[:, point]] * regressor[:, point, None]
    shifts /= (regressor**2).sum(axis=-1)[:, None]
    return shifts, np.sqrt(points / coefficient.freedom[lanes])
