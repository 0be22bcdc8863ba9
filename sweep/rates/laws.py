"""The laws that are fitted: C·R^-a, and C·R^-a·log^b(R/length) with b from theory or from the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from sweep.rates.ends import SURELY_BENT, Window, cut_further, local_rates, straight_part, straightness, whole
from sweep.rates.regression import Bools, Coefficient, Floats, coefficient

#: Gives a coefficient's interval, from it and the points it used: low end, high end, and whether by resampling.
Interval = Callable[[Coefficient, Bools], tuple[Floats, Floats, Bools]]


@dataclass(frozen=True)
class Fit:
    """Laws fitted to several curves: one number a curve each.

    Parameters
    ----------
    rate, rate_low, rate_high, standard_error, freedom
        The a of C·R^-a, its interval, standard error, and Student's degrees of freedom; NaN where unknown.
    prefactor, log_exponent
        C, for an abscissa in its own unit, and b.
    first, last
        Smallest and largest abscissa used, NaN where none is.
    points, values, replicas
        Points used, distinct places along the abscissa at which they lie, and replicas with a rate of their own.
    begun, ended, levelled, bent
        As in `sweep.rates.ends.Window`.
    below_length
        Points left out because the logarithm of their abscissa over the length is not above zero.
    resampled
        Whether the interval is by resampling; otherwise it is Student's.
    constant
        Whether all the values used are the same.
    open_law
        Whether the data fit with and without the logarithm, so that the interval covers the rates of both.
    compared_low, compared_high
        The interval that an expected rate is compared with: the rate's, or that of the law with the logarithm alone.
    """

    rate: Floats
    rate_low: Floats
    rate_high: Floats
    standard_error: Floats
    freedom: Floats
    prefactor: Floats
    log_exponent: Floats
    first: Floats
    last: Floats
    points: NDArray[np.int64]
    values: NDArray[np.int64]
    replicas: NDArray[np.int64]
    begun: NDArray[np.int64]
    ended: NDArray[np.int64]
    levelled: Bools
    bent: Bools
    below_length: NDArray[np.int64]
    resampled: Bools
    constant: Bools
    open_law: Bools
    compared_low: Floats
    compared_high: Floats


def fit_law(
    x: Floats,
    y: Floats,
    usable: Bools,
    *,
    log_exponent: Floats | None,
    length: Floats,
    find_ends: bool,
    interval: Interval,
) -> Fit:
    """Fit C·x^-a·log^b(x/length) to curves.

    Parameters
    ----------
    x, y : (lanes, replicas, points) ndarray
        Abscissa and error.
    usable : (lanes, replicas, points) ndarray of bool
        Points that may take part: those where both are above zero.
    log_exponent : (lanes,) ndarray, optional
        b, 0 for a plain power law; None: from the data, with all the points.
    length : (lanes,) ndarray
        Unit of the abscissa within the logarithm.
    find_ends
        Whether to leave out a pre-asymptotic and a saturated end.
    interval
        Gives the interval of the slope.
    """
    log_x, log_y = (np.log(np.where(usable, values, 1.0)) for values in (x, y))
    ratio = log_x - np.log(length)[:, None, None]
    logarithmic = np.ones(len(x), dtype=bool) if log_exponent is None else log_exponent != 0
    beyond = usable & ((ratio > 0) | ~logarithmic[:, None, None])
    log_log = np.log(np.where(beyond & logarithmic[:, None, None], ratio, 1.0))
    straight = log_y if log_exponent is None else log_y - log_exponent[:, None, None] * log_log
    if log_exponent is None:
        window = whole(beyond, np.zeros(len(x), dtype=bool))
    elif find_ends:
        window = straight_part(log_x, straight, beyond)
    else:
        window = whole(beyond, straightness(log_x, straight, beyond) < SURELY_BENT)
    used = window.used
    slope = coefficient([log_x] if log_exponent is not None else [log_x, log_log], straight, used)
    exponent = (
        log_exponent if log_exponent is not None else coefficient([log_log, log_x], straight, used).value
    )
    low, high, resampled = interval(slope, used)
    if (window.begun + window.ended).any():
        low, high = _covering_other_cuts(log_x, straight, window, low, high, interval)
    if window.bent.any():
        low, high = _covering_local_rates(log_x, straight, window, low, high)
    counts = used.sum(axis=(-1, -2))
    level = log_y - slope.value[:, None, None] * log_x - exponent[:, None, None] * log_log
    mean_level = np.where(used, level, 0.0).sum(axis=(-1, -2)) / np.maximum(counts, 1)
    with np.errstate(over="ignore"):
        prefactor = np.where(np.isfinite(slope.value), np.exp(mean_level), np.nan)
    smallest, largest = _ends(x, used)
    lowest, highest = _ends(y, used)
    return Fit(
        # 0 minus, lest a rate of nothing be -0
        rate=0.0 - slope.value,
        rate_low=0.0 - high,
        rate_high=0.0 - low,
        standard_error=slope.standard_error,
        freedom=slope.freedom,
        prefactor=prefactor,
        log_exponent=np.where(np.isfinite(slope.value), exponent, np.nan),
        first=smallest,
        last=largest,
        points=counts,
        values=used.any(axis=1).sum(axis=-1),
        replicas=slope.replicas,
        begun=window.begun,
        ended=window.ended,
        levelled=window.levelled,
        bent=window.bent,
        below_length=(usable & ~beyond).sum(axis=(-1, -2)),
        resampled=resampled,
        constant=(counts > 1) & (lowest == highest),
        open_law=np.zeros(len(x), dtype=bool),
        compared_low=0.0 - high,
        compared_high=0.0 - low,
    )


def better_of(plain: Fit, logarithmic: Fit, *, bounded: bool) -> Fit:
    """Take, curve by curve, the law that the data prefer, and where they do not the second with both intervals.

    A law is preferred where what it leaves is straight and the other's is not, or else where it is straight over
    more points. Whether an error keeps to a bound with the logarithm is judged by the law with the logarithm: errors
    on the bound are slower than its power alone.

    Parameters
    ----------
    plain, logarithmic
        Fits of the two laws to the same curves.
    bounded
        Whether the rate that they are compared with is that of an upper bound.
    """
    plain_rank = np.where(plain.bent, 0, plain.points)
    # points that only the logarithm excludes do not speak against it
    logarithmic_rank = np.where(logarithmic.bent, 0, logarithmic.points + logarithmic.below_length)
    prefer_plain = (plain_rank > logarithmic_rank) & np.isfinite(plain.rate)
    chosen = {
        field.name: np.where(prefer_plain, getattr(plain, field.name), getattr(logarithmic, field.name))
        for field in fields(Fit)
    }
    fit = Fit(**chosen)
    undecided = (
        (plain_rank == logarithmic_rank) & np.isfinite(plain.rate_low) & np.isfinite(logarithmic.rate_low)
    )
    low = np.where(undecided, np.minimum(plain.rate_low, logarithmic.rate_low), fit.rate_low)
    high = np.where(undecided, np.maximum(plain.rate_high, logarithmic.rate_high), fit.rate_high)
    return replace(
        fit,
        rate_low=low,
        rate_high=high,
        open_law=undecided,
        compared_low=logarithmic.rate_low if bounded else low,
        compared_high=logarithmic.rate_high if bounded else high,
    )


def _covering_other_cuts(
    x: Floats, y: Floats, window: Window, low: Floats, high: Floats, interval: Interval
) -> tuple[Floats, Floats]:
    """Widen the intervals of curves that were cut to those with one value more cut off: where to cut is a guess."""
    cut = np.flatnonzero((window.begun + window.ended > 0) & np.isfinite(low))
    low, high = low.copy(), high.copy()
    for used in cut_further(window):
        slope = coefficient([x[cut]], y[cut], used[cut])
        below, above, _ = interval(slope, used[cut])
        low[cut] = np.fmin(low[cut], np.fmin(below, slope.value))
        high[cut] = np.fmax(high[cut], np.fmax(above, slope.value))
    return low, high


def _covering_local_rates(
    x: Floats, y: Floats, window: Window, low: Floats, high: Floats
) -> tuple[Floats, Floats]:
    """Widen the intervals of curves that are still bent, to the slopes at both their ends."""
    first, last = local_rates(x, y, window.used)
    known = window.bent & np.isfinite(first) & np.isfinite(last)
    low = np.where(known, np.fmin(low, np.minimum(first, last)), low)
    high = np.where(known, np.fmax(high, np.maximum(first, last)), high)
    return low, high


def _ends(values: Floats, used: Bools) -> tuple[Floats, Floats]:
    """Give each curve's smallest and largest value, NaN where it has none."""
    some = used.any(axis=(-1, -2))
    least = np.where(used, values, np.inf).min(axis=(-1, -2), initial=np.inf)
    most = np.where(used, values, -np.inf).max(axis=(-1, -2), initial=-np.inf)
    return np.where(some, least, np.nan), np.where(some, most, np.nan)
