"""Errors drawn from known laws, shared by the tests of their rates."""

from __future__ import annotations

import numpy as np
import xarray as xr

RADII = (6.0, 8.0, 10.0, 13.0, 16.0, 20.0)
BURGERS = 2.74


def drawn(
    *,
    draws: int,
    replicas: int,
    rate: float = 1.0,
    log_exponent: float = 0.0,
    noise: float = 0.1,
    radii: tuple[float, ...] = RADII,
    seed: int = 0,
) -> xr.DataArray:
    """2·R^-a·log^b(R/BURGERS) with normal noise on its logarithm, over (draw, replica, domain_radius)."""
    radius = np.array(radii)
    law = 2.0 * radius**-rate * np.log(radius / BURGERS) ** log_exponent
    scatter = np.random.default_rng(seed).normal(size=(draws, replicas, len(radii)))
    return labelled(law * np.exp(noise * scatter), radii)


def labelled(values: np.ndarray, radii: tuple[float, ...] = RADII) -> xr.DataArray:
    """Errors over the last of (draw, replica, domain_radius), as many as there are."""
    values = np.asarray(values, dtype=float)
    dims = ("draw", "replica", "domain_radius")[3 - values.ndim :]
    radius = xr.DataArray(list(radii), dims="domain_radius", attrs={"units": "angstrom"})
    attrs = {"units": "angstrom"}
    return xr.DataArray(
        values, dims=dims, coords={"domain_radius": radius}, attrs=attrs, name="geometry_error"
    )


def coverage(fit: xr.Dataset, rate: float) -> float:
    """Fraction of the intervals that hold the true rate."""
    return float(((fit["rate_low"] <= rate) & (fit["rate_high"] >= rate)).mean())
