"""Means over replicas: of all, of all but one, and of what is paired between them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import stdtrit

from sweep.advice.trials import Bools, Floats, Trials


def mean_known(values: Floats, axis: int | tuple[int, ...]) -> Floats:
    """Average what is known; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    mean: Floats = np.divide(total, count, where=count > 0, out=np.full(np.shape(count), np.nan))
    return mean


def median_known(values: Floats, axis: int) -> Floats:
    """Take the median of what is not NaN, infinities included; NaN where everything is."""
    ordered = np.sort(np.moveaxis(values, axis, -1), axis=-1)
    count = (~np.isnan(ordered)).sum(axis=-1, keepdims=True)
    if not ordered.shape[-1]:
        return np.full(ordered.shape[:-1], np.nan)
    places = np.maximum(np.concatenate([(count - 1) // 2, count // 2], axis=-1), 0)
    middle = np.take_along_axis(ordered, np.minimum(places, ordered.shape[-1] - 1), axis=-1)
    return np.asarray(np.where(count[..., 0] > 0, middle.mean(axis=-1), np.nan))


def replica_means(trials: Trials) -> Floats:
    """Average logarithms of errors over replicas, all but the last dimension; infinite where one is barred."""
    return np.where(trials.barred.any(axis=-1), np.inf, mean_known(trials.log_error, -1))


def left_one_out(trials: Trials) -> Iterator[tuple[int, Floats]]:
    """Go through the replicas, each with the means of all others, as `replica_means` gives them."""
    everyone = np.arange(trials.log_error.shape[-1])
    for replica in everyone:
        others = everyone != replica
        barred = trials.barred[..., others].any(axis=-1)
        yield int(replica), np.where(barred, np.inf, mean_known(trials.log_error[..., others], -1))


def at_best(means: Floats, allowed: Bools, values: Floats) -> Floats:
    """Take values at the best of the allowed weightings, the last dimension; NaN where none is known.

    Parameters
    ----------
    means, values : (..., weightings) ndarray
        What to choose by, infinite or NaN where a weighting cannot be chosen; what to take.
    allowed : (weightings,) ndarray of bool
        Weightings to choose from.
    """
    choose = np.where(np.isfinite(means) & allowed, means, np.inf)
    best = choose.argmin(axis=-1)[..., None]
    found = np.isfinite(np.take_along_axis(choose, best, axis=-1)[..., 0])
    return np.where(found, np.take_along_axis(values, best, axis=-1)[..., 0], np.nan)


def student(values: Floats, confidence: float, *, chosen: bool = True) -> tuple[float, float, float, int]:
    """Average over replicas with Student's interval: mean, low, high, number of replicas.

    Parameters
    ----------
    values
        One of each replica; what is not finite counts for none.
    confidence
        Of the interval, whose ends are NaN below two replicas.
    chosen
        Whether each value is of a choice made by all other replicas: such values depend on one another, and the
        variance of their mean is 1/n + 1/(n - 1) times theirs rather than 1/n.

    References
    ----------
    C. Nadeau, Y. Bengio, Machine Learning 52:239 (2003), for the variance where choices were made.

    Examples
    --------
    >>> mean, low, high, replicas = student(np.array([1.0, 2.0, 3.0]), 0.95, chosen=False)
    >>> round(mean, 2), round(low, 2), round(high, 2), replicas
    (2.0, -0.48, 4.48, 3)
    """
    values = values[np.isfinite(values)]
    count = len(values)
    mean = float(values.mean()) if count else float("nan")
    if count < 2:
        return mean, float("nan"), float("nan"), count
    share = 1 / count + (1 / (count - 1) if chosen else 0.0)
    half = float(values.std(ddof=1) * np.sqrt(share) * stdtrit(count - 1, (1 + confidence) / 2))
    return mean, mean - half, mean + half, count


def factors(*logarithms: float) -> tuple[float, ...]:
    """Give ratios of errors from their logarithms; what no number holds is infinite."""
    with np.errstate(over="ignore"):
        return tuple(float(np.exp(value)) for value in logarithms)
