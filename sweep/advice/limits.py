"""How large errors may be: limits from replicas that hold for all compared points together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit
from scipy.stats import nct, norm

from sweep.advice.scatter import shrunk
from sweep.advice.trials import Bools, Floats

#: Fewer replicas than this give no limit.
LEAST_REPLICAS = 3


@dataclass(frozen=True)
class Limits:
    """Errors of points over their replicas, and the limits that these give.

    Parameters
    ----------
    typical : (points,) ndarray
        Geometric mean over replicas.
    upper, lower : (points,) ndarray
        One-sided limits, which hold for all points together; NaN below `LEAST_REPLICAS`.
    alone : (points,) ndarray
        The upper limit of a point asked about by itself, chosen without looking.
    replicas : (points,) ndarray of int
        Number of replicas.
    compared
        Number of points that have limits.
    """

    typical: Floats
    upper: Floats
    lower: Floats
    alone: Floats
    replicas: np.ndarray
    compared: int


def limits_of(log_error: Floats, eligible: Bools, confidence: float, share: float) -> Limits:
    """Give the limits of points' errors, taken for log-normal over replicas.

    The limits are those below which, with the given confidence, the errors of the given share of training sets
    lie: of half of them, the median's, by Student's t; of another share by the noncentral t. A point that is
    *chosen* for its small error is small by luck too, so the limits hold for all points together (Bonferroni). A
    few replicas say little about their own scatter: the squared deviations of all points are shrunk towards a
    common one, as far as they agree (empirical Bayes). Where points owe their scatter to the same training sets
    there is less in common to learn than that takes for granted, so no limit is nearer than Student's for one
    point.

    Parameters
    ----------
    log_error : (points, replicas) ndarray
        NaN where there is none.
    eligible : (points,) ndarray of bool
        Points to compare; the others have no limits.
    confidence
        Of the limits, such as 0.95.
    share
        Of the training sets, such as 0.5.

    References
    ----------
    G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 3:3 (2004), section 6, for the shrinking.

    Examples
    --------
    >>> errors = np.log([[0.010, 0.011, 0.009], [0.020, 0.022, 0.021]])
    >>> limits = limits_of(errors, np.array([True, True]), 0.95, 0.5)
    >>> limits.typical.round(4).tolist(), limits.compared
    ([0.01, 0.021], 2)
    >>> bool((limits.upper >= limits.alone).all())
    True
    """
    replicas = np.isfinite(log_error).sum(axis=-1)
    known = np.where(np.isfinite(log_error), log_error, 0.0)
    mean = np.divide(known.sum(axis=-1), replicas, where=replicas > 0, out=np.full(len(known), np.nan))
    tested = eligible & (replicas >= LEAST_REPLICAS)
    bounds = {name: np.full(len(known), np.nan) for name in ("upper", "lower", "alone")}
    compared = int(tested.sum())
    if compared:
        residual = np.where(np.isfinite(log_error), log_error - mean[:, None], 0.0)[tested]
        distances = _distances(residual, replicas[tested], confidence, share)
        # two or three replicas that differ by decades know nothing of how large the error may be: infinity says so
        with np.errstate(over="ignore"):
            for name, distance in distances.items():
                bounds[name][tested] = np.exp(mean[tested] + distance)
    return Limits(np.exp(mean), **bounds, replicas=replicas, compared=compared)


def _distances(residual: Floats, count: np.ndarray, confidence: float, share: float) -> dict[str, Floats]:
    """Give how far the limits lie from the means of logarithms, by name."""
    variance, freedom = shrunk((residual**2).sum(axis=-1) / (count - 1), count - 1)
    surer = 1 - (1 - confidence) / len(count)

    def together(share: float) -> Floats:
        own = _factor(count, count - 1.0, confidence, share)
        return np.asarray(np.maximum(_factor(count, freedom, surer, share), own))

    scale = np.sqrt(variance)
    return {
        "upper": together(share) * scale,
        "lower": -together(1 - share) * scale,
        "alone": _factor(count, count - 1.0, confidence, share) * scale,
    }


def _factor(count: np.ndarray, freedom: Floats, confidence: float, share: float) -> Floats:
    """Give how many deviations above the mean a limit lies: of a share of training sets, with a confidence."""
    kinds, kind_of = np.unique(np.stack([count, freedom], axis=-1), axis=0, return_inverse=True)
    number, degrees = kinds[:, 0], kinds[:, 1]
    if share == 0.5:
        # Student's law with endless freedom is the normal one
        endless = np.isinf(degrees)
        student = stdtrit(np.where(endless, 1.0, degrees), confidence)
        factor = np.where(endless, norm.ppf(confidence), student) / np.sqrt(number)
    else:
        shift = norm.ppf(share) * np.sqrt(number)
        finite = np.minimum(degrees, 1e6)
        factor = nct.ppf(confidence, finite, shift) / np.sqrt(number)
    return np.asarray(factor, dtype=float)[kind_of.ravel()]
