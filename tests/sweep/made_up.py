"""Stores made up by laws, with the units and names of real ones, for the tests of figures and of the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from sweep.grid import DIMENSIONS
from sweep.variables import CONFIG_KINDS, CYLINDER_VARIABLES, VARIABLE_OF, VARIABLES, Status

EDGES = np.array([0.0, 3.0, 6.0, 12.0, 25.0, 50.0])
LABELS: dict[str, Any] = {
    "dislocation": ["screw", "edge"],
    "simulation_radius": [25.0, 50.0],
    "degree": [6, 8],
    "domain_radius": [6.0, 8.0, 12.0, 16.0],
    "n_train": [4],
    "replica": [0, 1, 2],
    "weight_energy": [1.0],
    "weight_forces": [1.0, 3.0],
    "weight_virial": [0.0, 1.0, 10.0],
}
STUDY = "# made up\nstudy: made-up  # <b>no</b> markup\n"
Law = Callable[[xr.Dataset], xr.DataArray | float]


def constant(_: xr.Dataset) -> float:
    return 0.1


def made_up(law: Law = constant, *, scatter: float = 0.02, seed: int = 0, **labels: Any) -> xr.Dataset:
    """Every point relaxed, `geometry_error` by a law and scatter, everything else in proportion to it."""
    axes = {**LABELS, **labels}
    dims = tuple(axes)
    shape = tuple(len(values) for values in axes.values())
    random = np.random.default_rng(seed)
    ds = xr.Dataset(coords={name: (name, values, _attributes(name)) for name, values in axes.items()})
    ds = ds.assign_coords(config_kind=list(CONFIG_KINDS), radial_bin=(EDGES[1:] + EDGES[:-1]) / 2)
    ds = ds.assign_coords(
        radial_bin_lower=("radial_bin", EDGES[:-1]), radial_bin_upper=("radial_bin", EDGES[1:])
    )
    everywhere = xr.DataArray(np.ones(shape), dims=dims, coords={name: ds[name] for name in dims})
    error = (everywhere * law(ds)).transpose(*dims) * np.exp(scatter * random.normal(size=shape))
    forces = 0.3 * error
    kinds = xr.DataArray([2.0, 1.0], dims="config_kind")
    bins = xr.DataArray(np.linspace(1, 0.2, len(EDGES) - 1), dims="radial_bin")
    values = {
        "rmse_forces": forces * kinds,
        "rmse_virial": 0.1 * forces * xr.DataArray([1.0, np.nan], dims="config_kind"),
        "far_field_mismatch": 0.01 * error**2,
        "labelled_atoms": everywhere * ds["n_train"] * 100,
        "geometry_estimate": 0.9 * error,
        "geometry_error": error,
        "energy_error": 0.5 * error**2,
        "effectivity": 0.9 * everywhere,
        "relative_stiffness": 0.1 * everywhere,
        "saddle_geometry_error": np.nan * everywhere,
        "strain_error_profile": error * bins,
        "status": everywhere.copy(data=np.full(shape, Status.relaxed, dtype=np.uint8)),
    }
    for variable in VARIABLES:
        if variable.name in values:
            extra = tuple(variable.extra_dims)
            ds[variable.name] = (
                values[variable.name].transpose(*dims, *extra).assign_attrs(variable.attributes)
            )
    ds.attrs = {
        "study": STUDY,
        "fingerprint": json.dumps({"seed": 0}),
        "packages": json.dumps({"numpy": "2.0"}),
        "farfield_format": 1,
    }
    return _with_truncations(ds)


def _attributes(name: str) -> dict[str, str]:
    units, long_name = DIMENSIONS.get(name, ("1", name))
    return {"units": units, "long_name": long_name}


def _with_truncations(ds: xr.Dataset) -> xr.Dataset:
    shape = (ds.sizes["dislocation"], ds.sizes["simulation_radius"])
    for variable in CYLINDER_VARIABLES:
        fill = Status.excluded if variable.flags is not None else np.nan
        values = np.full(shape, fill, dtype=variable.dtype)
        ds[variable.name] = (("dislocation", "simulation_radius"), values, variable.attributes)
    return ds


def marked(ds: xr.Dataset, where: xr.DataArray, status: Status, **values: float) -> xr.Dataset:
    """Give some points another status, and other values."""
    ds = ds.copy(deep=True)
    attrs = ds["status"].attrs
    ds["status"] = ds["status"].where(~where, status).astype(np.uint8).assign_attrs(attrs)
    for name, value in values.items():
        assert name in VARIABLE_OF
        ds[name] = ds[name].where(~where, value).assign_attrs(ds[name].attrs)
    return ds


def screw(reach: float = 40.5, burgers: float = 2.7) -> xr.Dataset:
    """A screw dislocation in a square lattice, by its far field alone, as a store keeps a configuration."""
    x, y = np.meshgrid(np.arange(-reach, reach + 1, burgers), np.arange(-reach, reach + 1, burgers))
    sites = np.stack([x.ravel() + burgers / 3, y.ravel() + burgers / 3, np.zeros(x.size)], axis=-1)
    angle = np.arctan2(sites[:, 1], sites[:, 0]) / (2 * np.pi)
    return xr.Dataset(
        {
            "sites": (("site", "xyz"), sites),
            "displacement_predictor": (("site", "xyz"), np.outer(angle, [0, 0, burgers])),
            "displacement_corrector": (("site", "xyz"), np.zeros_like(sites)),
            "free": ("site", np.hypot(x, y).ravel() < 0.8 * reach),
        },
        attrs={"dislocation": "screw", "simulation_radius": 25.0},
    )
