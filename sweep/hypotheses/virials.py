"""H1 and H2: what the geometry error follows, without virials and with them."""

from __future__ import annotations

import numpy as np
import xarray as xr

from sweep.hypotheses.findings import (
    GROUPS,
    REPLICA,
    above,
    between,
    by_replica,
    core_forces,
    finding,
    fits_words,
    measured,
    untestable,
)

#: Fewer fits than this in a replica say nothing of what an error follows.
LEAST_FITS = 5
#: Slopes of the geometry error against the force error that count as proportional.
PROPORTIONAL = (0.8, 1.2)


def mismatch_rather_than_forces(ds: xr.Dataset) -> xr.Dataset:
    """Test H1: without virials the geometry error across fits follows √s rather than the force error.

    The statistic is the part of the variance of log(geometry error) that log √s explains, less that which log(force
    error) explains, in each replica; the interval is by replicas.
    """
    claim = "without virials, geometry errors follow the far-field mismatch rather than the force error"
    statistic = "R² of the logarithm on that of √s, less R² on that of the force error"
    fits = _logarithms(ds, ds["weight_virial"] == 0)
    if fits is None:
        return untestable(claim, statistic, "no fit without virials")
    error, mismatch, forces = fits
    by_mismatch, by_forces = (_correlation(error, other) ** 2 for other in (mismatch, forces))
    found = by_replica(by_mismatch - by_forces)
    return finding(claim, statistic, found, above(found), _data(error))


def proportional_to_forces(ds: xr.Dataset) -> xr.Dataset:
    """Test the first half of H2: with virials the geometry error is proportional to the force error.

    The statistic is the slope of log(geometry error) against log(force error) in each replica; the interval is by
    replicas. Proportional is a slope in `PROPORTIONAL`.
    """
    claim = f"with virials, geometry errors fall like the force error to a power in {list(PROPORTIONAL)}"
    statistic = "slope of log(geometry error) against log(force error)"
    fits = _logarithms(ds, ds["weight_virial"] > 0)
    if fits is None:
        return untestable(claim, statistic, "no fit with virials")
    error, _, forces = fits
    found = by_replica(_slope(error, forces))
    return finding(claim, statistic, found, between(found, *PROPORTIONAL), _data(error))


def mismatch_explains_departures(ds: xr.Dataset) -> xr.Dataset:
    """Test the second half of H2: with virials, s explains how fits depart from proportionality.

    The statistic is the correlation of log √s with log(geometry error / force error) in each replica.
    """
    claim = "with virials, the far-field mismatch explains departures from proportionality to the force error"
    statistic = "correlation of log √s with log(geometry error / force error)"
    fits = _logarithms(ds, ds["weight_virial"] > 0)
    if fits is None:
        return untestable(claim, statistic, "no fit with virials")
    error, mismatch, forces = fits
    found = by_replica(_correlation(error - forces, mismatch))
    return finding(claim, statistic, found, above(found), _data(error))


def _logarithms(
    ds: xr.Dataset, weights: xr.DataArray
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray] | None:
    """Give logarithms of geometry error, √s and force error of some weightings, over (groups, replica, fit)."""
    chosen = ds.isel(weight_virial=np.flatnonzero(weights.values))
    if not chosen.sizes["weight_virial"]:
        return None
    mismatch = chosen["far_field_mismatch"]
    values = [measured(chosen, "geometry_error"), mismatch.where(mismatch > 0) ** 0.5, core_forces(chosen)]
    # a fit that lacks one of them is no part of any
    known = values[0].notnull() & values[1].notnull() & values[2].notnull()
    dims = [name for name in known.dims if name not in (*GROUPS, REPLICA)]
    error, root, forces = (
        xr.apply_ufunc(np.log, array.where(known, 1.0))
        .where(known)
        .stack(fit=dims, create_index=False)
        .transpose(*GROUPS, REPLICA, "fit")
        for array in values
    )
    return error, root, forces


def _moments(one: xr.DataArray, other: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Give the sums of squares and products about the means of fits, NaN where there are too few fits."""
    enough = one.notnull().sum("fit") >= LEAST_FITS
    count = one.notnull().sum("fit").where(enough)
    first, second = (array - array.fillna(0.0).sum("fit") / count for array in (one, other))
    products = ((first * first), (first * second), (second * second))
    squares, product, other_squares = (values.fillna(0.0).sum("fit").where(enough) for values in products)
    return squares, product, other_squares


def _correlation(one: xr.DataArray, other: xr.DataArray) -> xr.DataArray:
    squares, product, other_squares = _moments(one, other)
    scale = (squares * other_squares) ** 0.5
    return product / scale.where(scale > 0)


def _slope(one: xr.DataArray, other: xr.DataArray) -> xr.DataArray:
    _, product, squares = _moments(one, other)
    return product / squares.where(squares > 0)


def _data(error: xr.DataArray) -> np.ndarray:
    """Say what each group's statistic rests on."""
    fits = error.notnull().sum("fit").values
    return fits_words(fits, fits >= LEAST_FITS, LEAST_FITS)
