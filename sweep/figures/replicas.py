"""Medians over replicas with an interval that assumes nothing of their distribution."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import bdtr

REPLICA = "replica"
CONFIDENCE = 0.95


def median_interval(values: xr.DataArray, over: str = REPLICA, confidence: float = CONFIDENCE) -> xr.Dataset:
    """Take the median over replicas, with the interval between two order statistics.

    The interval from the k-th smallest of n values to the k-th largest holds the distribution's median with
    probability 1 - 2 P(B < k), B binomial with n trials of probability 1/2: whatever the distribution. k is the
    largest with the confidence asked for, and 1 where none has it: the replicas' range, and `confidence_of` says
    what it is worth.

    Parameters
    ----------
    values
        NaN where there is none.
    over
        The dimension of the replicas; where there is no such dimension the values are a single replica's.
    confidence
        Asked of the interval.

    Returns
    -------
    xarray.Dataset
        ``median``, ``low``, ``high`` (NaN below two values) and ``count``, over the remaining dimensions.

    References
    ----------
    W. R. Thompson, Ann. Math. Stat. 7:122 (1936).

    Examples
    --------
    >>> found = median_interval(xr.DataArray([3.0, 1.0, 2.0, np.nan], dims="replica"))
    >>> [float(found[name]) for name in ("median", "low", "high", "count")]
    [2.0, 1.0, 3.0, 3.0]
    """
    if over not in values.dims:
        values = values.expand_dims(over)
    rest = tuple(name for name in values.dims if name != over)
    ordered = values.transpose(*rest, over)
    numbers = np.asarray(ordered.values, dtype=float)
    # NaN sorts last
    numbers = np.sort(np.where(np.isfinite(numbers), numbers, np.nan), axis=-1)
    count = np.isfinite(numbers).sum(axis=-1)
    most = numbers.shape[-1]
    inward = np.array([_inward(n, confidence) for n in range(most + 1)])[count]

    def at(position: NDArray[np.int64]) -> NDArray[np.float64]:
        clipped = np.clip(position, 0, max(most - 1, 0))[..., None]
        return np.asarray(np.take_along_axis(numbers, clipped, axis=-1)[..., 0], dtype=float)

    if not most:
        nothing = np.full(count.shape, np.nan)
        median = low = high = nothing
    else:
        median = np.where(count > 0, (at((count - 1) // 2) + at(count // 2)) / 2, np.nan)
        low = np.where(count > 1, at(inward - 1), np.nan)
        high = np.where(count > 1, at(count - inward), np.nan)
    coords = {name: values[name] for name in rest if name in values.coords}
    attrs = {name: values.attrs[name] for name in ("units", "long_name") if name in values.attrs}
    result = xr.Dataset(
        {"median": (rest, median, attrs), "low": (rest, low, attrs), "high": (rest, high, attrs)}, coords
    )
    return result.assign(count=(rest, count))


def confidence_of(count: int, confidence: float = CONFIDENCE) -> float:
    """Give the probability with which the interval of so many values holds the median; 0 below two.

    Examples
    --------
    >>> confidence_of(2), round(confidence_of(6), 3)
    (0.5, 0.969)
    """
    return 0.0 if count < 2 else 1 - 2 * float(bdtr(_inward(count, confidence) - 1, count, 0.5))


def interval_words(counts: xr.DataArray) -> str:
    """Say what the bars of a figure are, from the number of values behind each."""
    known = counts.values[counts.values > 0]
    most = int(known.max()) if known.size else 0
    if most < 2:
        return "one replica: no intervals"
    sure = confidence_of(most)
    if sure >= CONFIDENCE:
        return f"bars: {100 * CONFIDENCE:g} % intervals of the median over up to {most} replicas"
    return f"bars: range of {most} replicas, which holds the median with {100 * sure:.0f} % confidence"


def _inward(count: int, confidence: float) -> int:
    """Find how far from either end the interval begins: the k of the k-th smallest value."""
    inward = 1
    while 2 * (inward + 1) <= count and 1 - 2 * float(bdtr(inward, count, 0.5)) >= confidence:
        inward += 1
    return inward
