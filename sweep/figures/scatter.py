"""Clouds of points thinned to what an eye can tell apart, and their medians bin by bin."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sweep.figures.replicas import REPLICA, median_interval

#: Points drawn of a cloud, at the most, and bins of its medians.
MOST_POINTS, MOST_BINS = 800, 10
# A bin's median in one replica takes at least this many points, and bins are no more than leave this many to each.
_LEAST_IN_BIN, _USUAL_IN_BIN = 3, 6


def thinned(*arrays: xr.DataArray) -> tuple[NDArray[np.float64], ...]:
    """Take the points that all arrays know, and of too many a sample, the same one each time.

    Examples
    --------
    >>> x = xr.DataArray([1.0, np.nan, 3.0], dims="fit")
    >>> [values.tolist() for values in thinned(x, 2 * x)]
    [[1.0, 3.0], [2.0, 6.0]]
    """
    flat = [np.asarray(array.values, dtype=float).ravel() for array in xr.broadcast(*arrays)]
    known = np.flatnonzero(np.logical_and.reduce([np.isfinite(values) for values in flat]))
    if len(known) > MOST_POINTS:
        known = np.sort(np.random.default_rng(0).choice(known, MOST_POINTS, replace=False))
    return tuple(values[known] for values in flat)


def binned_medians(x: xr.DataArray, y: xr.DataArray) -> xr.Dataset:
    """Take medians of a cloud in bins of equal width in log x, in each replica.

    Parameters
    ----------
    x, y
        Above zero, or NaN; over the same dimensions, ``replica`` among them or not.

    Returns
    -------
    xarray.Dataset
        ``x`` and ``y`` (replica, bin), the medians; ``centre`` (bin), the median of ``x`` over replicas; and
        ``median``, ``low``, ``high``, ``count`` (bin) of ``y`` over replicas.
    """
    x, y = xr.broadcast(x, y)
    if REPLICA not in x.dims:
        x, y = x.expand_dims(REPLICA), y.expand_dims(REPLICA)
    replicas = x.sizes[REPLICA]
    one, other = (np.asarray(array.transpose(REPLICA, ...).values).reshape(replicas, -1) for array in (x, y))
    good = np.isfinite(one) & np.isfinite(other)
    bins = int(np.clip(good.sum() / replicas / _USUAL_IN_BIN, 1, MOST_BINS))
    medians = np.full((2, replicas, bins), np.nan)
    if good.any():
        logs = np.log(np.where(good, one, 1.0))
        first, last = logs[good].min(), logs[good].max()
        place = np.clip(((logs - first) / max(last - first, 1e-12) * bins).astype(int), 0, bins - 1)
        place = np.where(good, place, bins)
        for bin_ in range(bins):
            inside = place == bin_
            for replica in np.flatnonzero(inside.sum(axis=1) >= _LEAST_IN_BIN):
                mine = inside[replica]
                # both medians: a law that rises or falls throughout maps one to the other
                medians[:, replica, bin_] = np.median(one[replica, mine]), np.median(other[replica, mine])
    within, errors = (xr.DataArray(values, dims=(REPLICA, "bin")) for values in medians)
    return median_interval(errors).assign(x=within, y=errors, centre=median_interval(within)["median"])
