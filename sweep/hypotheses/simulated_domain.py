"""H4: geometry_error² = a + s·ln R over simulated radii, with s as predicted."""

from __future__ import annotations

import numpy as np
import xarray as xr

from sweep.hypotheses.findings import REPLICA, between, by_replica, finding, measured, radii_words, untestable

#: Radii that the hypothesis is about (Å), and how many of them a test takes at the least.
RADII, LEAST_RADII = (20.0, 160.0), 3
#: Measured over predicted slopes that count as predicted.
AS_PREDICTED = (0.75, 1.25)
_OBSERVATIONS = ("dislocation", "weight_energy", "weight_forces", "weight_virial")


def grows_as_predicted(ds: xr.Dataset) -> xr.Dataset:
    """Test H4 for every dislocation and choice of observations.

    The statistic is the coefficient of s·ln R in geometry_error², 1 where s is as predicted: each fit has a
    constant of its own, and one coefficient serves all fits of a replica. The interval is by replicas.
    """
    claim = "squared geometry errors grow like s·ln R with the simulated radius, s as predicted"
    statistic = "slope of geometry_error² against s·ln R"
    radii = ds["simulation_radius"].values
    inside = np.flatnonzero((radii >= RADII[0]) & (radii <= RADII[1]))
    if len(inside) < LEAST_RADII:
        why = f"{radii_words(len(inside))} between {RADII[0]:g} and {RADII[1]:g} Å; at least {LEAST_RADII} are needed"
        return untestable(claim, statistic, why)
    ds = ds.isel(simulation_radius=inside)
    squares = measured(ds, "geometry_error") ** 2
    # s does not depend on R far out: of the values at several radii the largest radius's is the best
    mismatch = ds["far_field_mismatch"].sortby("simulation_radius").isel(simulation_radius=-1, drop=True)
    growth = (mismatch * np.log(ds["simulation_radius"])).where(squares.notnull())
    squares = squares.where(growth.notnull())
    radii_known = squares.notnull().sum("simulation_radius")
    enough = radii_known >= LEAST_RADII
    growth, squares = (_about_mean(values, radii_known).where(enough) for values in (growth, squares))
    rest = [name for name in squares.dims if name not in (*_OBSERVATIONS, REPLICA)]
    size = (growth**2).fillna(0.0).sum(rest)
    found = by_replica((growth * squares).fillna(0.0).sum(rest) / size.where(size > 0))
    found = found.transpose(*_OBSERVATIONS)
    fits = enough.sum([name for name in enough.dims if name not in _OBSERVATIONS]).transpose(*_OBSERVATIONS)
    words = [f"{count} fits, each at {LEAST_RADII} radii or more" for count in fits.values.ravel()]
    data = np.array(words, dtype=str).reshape(fits.shape)
    return finding(claim, statistic, found, between(found, *AS_PREDICTED), data)


def _about_mean(values: xr.DataArray, count: xr.DataArray) -> xr.DataArray:
    return values - values.fillna(0.0).sum("simulation_radius") / count.where(count > 0)
