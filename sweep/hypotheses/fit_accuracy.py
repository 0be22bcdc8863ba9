"""What each fit error does to the geometry error while the other stays as it is."""

from __future__ import annotations

import numpy as np
import xarray as xr

from sweep.hypotheses.findings import (
    GROUPS,
    REPLICA,
    above,
    by_replica,
    core_forces,
    finding,
    fits_words,
    measured,
)

#: Two slopes and a constant take more fits than one slope does.
LEAST_FITS = 8
#: A correlation of the two fit errors' logarithms beyond which they cannot be told apart.
TOGETHER = 0.99


def follows_forces(ds: xr.Dataset) -> xr.Dataset:
    """Test whether the geometry error falls with the force error at a fixed virial error.

    The statistic is the coefficient of log ε^F in the least-squares plane of log(geometry error) over log ε^F and
    log ε^V, in each replica, fits with and without virials together; the interval is by replicas. ε^F is that of
    held-out cores, ε^V that of held-out bulk cells: cores have no virial.
    """
    claim = "geometry errors fall with the force error where the virial error stays the same"
    return _finding(ds, claim, "slope of log(geometry error) against log(force error), virial error fixed", 0)


def follows_virials(ds: xr.Dataset) -> xr.Dataset:
    """Test whether the geometry error falls with the virial error at a fixed force error.

    The statistic is the other coefficient of the plane of `follows_forces`.
    """
    claim = "geometry errors fall with the virial error where the force error stays the same"
    return _finding(ds, claim, "slope of log(geometry error) against log(virial error), force error fixed", 1)


def _finding(ds: xr.Dataset, claim: str, statistic: str, which: int) -> xr.Dataset:
    virials = ds["rmse_virial"].sel(config_kind="bulk", drop=True)
    values = (measured(ds, "geometry_error"), core_forces(ds), virials.where(virials > 0))
    known = values[0].notnull() & values[1].notnull() & values[2].notnull()
    dims = [name for name in known.dims if name not in (*GROUPS, REPLICA)]
    logs = [
        xr.apply_ufunc(np.log, array.where(known, 1.0))
        .where(known)
        .stack(fit=dims, create_index=False)
        .transpose(*GROUPS, REPLICA, "fit")
        for array in values
    ]
    fits = known.sum(dims).transpose(*GROUPS, REPLICA)
    slopes = np.full(fits.shape, np.nan)
    for place in np.ndindex(fits.shape):
        slopes[place] = _slopes(*(array.values[place] for array in logs))[which]
    found = by_replica(fits.copy(data=slopes))
    data = fits_words(fits.values, np.isfinite(slopes), LEAST_FITS)
    return finding(claim, statistic, found, above(found), data)


def _slopes(error: np.ndarray, forces: np.ndarray, virials: np.ndarray) -> tuple[float, float]:
    """Fit a plane; NaN for too few fits, and for fit errors that vary together or not at all."""
    there = np.isfinite(error)
    if there.sum() < LEAST_FITS:
        return np.nan, np.nan
    about_mean = [values[there] - values[there].mean() for values in (error, forces, virials)]
    plane = np.stack(about_mean[1:], axis=1)
    sizes = np.linalg.norm(plane, axis=0)
    if not sizes.all() or abs(plane[:, 0] @ plane[:, 1]) > TOGETHER * sizes.prod():
        return np.nan, np.nan
    first, second = np.linalg.lstsq(plane, about_mean[0], rcond=None)[0]
    return float(first), float(second)
