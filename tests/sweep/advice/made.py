"""Stores made from known laws, shared by the tests of advice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from sweep.variables import Status, Trust

LABELS: dict[str, Any] = {
    "dislocation": ["screw", "edge"],
    "simulation_radius": [40.0],
    "degree": [6, 8, 10],
    "domain_radius": [6.0, 8.0],
    "n_train": [4, 16],
    "replica": [0, 1, 2, 3, 4],
    "weight_energy": [0.0, 1.0],
    "weight_forces": [0.0, 1.0],
    "weight_virial": [0.0, 1.0, 10.0],
}


def store(
    law: Callable[[xr.Dataset], xr.DataArray], *, scatter: float = 0.05, seed: int = 0, **labels: Any
) -> xr.Dataset:
    """A store of relaxed points whose errors follow a law, but for normal scatter of their logarithms.

    A label of None leaves its dimension out; others stand after those of LABELS.
    """
    labels = {name: values for name, values in {**LABELS, **labels}.items() if values is not None}
    dims = tuple(labels)
    shape = tuple(len(values) for values in labels.values())
    ds = xr.Dataset({"status": (dims, np.full(shape, Status.relaxed, dtype=np.uint8))}, labels)
    noise = np.exp(scatter * np.random.default_rng(seed).normal(size=shape))
    over = {"labelled_atoms": ds.n_train * (54 + 3 * ds.domain_radius**2), "basis_size": ds.degree**2}
    over["geometry_error"] = law(ds) * xr.DataArray(noise, dims=dims)
    for name, values in over.items():
        ds[name] = values.broadcast_like(ds["status"]).transpose(*dims)
    ds["geometry_error"].attrs = {"units": "angstrom", "long_name": "geometry error"}
    if {"weight_energy", "weight_forces", "weight_virial"} <= set(dims):
        nothing = (ds.weight_energy == 0) & (ds.weight_forces == 0) & (ds.weight_virial == 0)
        ds["status"] = ds["status"].where(~nothing, Status.excluded).astype(np.uint8)
        ds["geometry_error"] = ds["geometry_error"].where(~nothing)
    return ds


def falling(ds: xr.Dataset) -> xr.DataArray:
    """0.6 Å / degree · (4 / n_train)^½, whatever the rest."""
    return 0.6 / ds.degree * (4 / ds.n_train) ** 0.5


def marked(ds: xr.Dataset, status: Status, **labels: Any) -> xr.Dataset:
    """The store with the points at some labels marked, and without a value there."""
    here = ds["status"] != Status.excluded
    for name, label in labels.items():
        here = here & (ds[name] == label)
    marks = ds["status"].where(~here, status).astype(np.uint8)
    return ds.assign(status=marks, geometry_error=ds["geometry_error"].where(~here, np.nan))


NAMES = ["screw", "edge", "mixed"]
#: How wrong fits trained on one are on another, over fits trained on that one.
RATIOS = {
    ("screw", "edge"): 3.0,
    ("screw", "mixed"): 1.5,
    ("edge", "screw"): 1.0,
    ("edge", "mixed"): 2.0,
    ("mixed", "screw"): 1.02,
    ("mixed", "edge"): 0.5,
}


def transferred(
    *, scatter: float = 0.02, seed: int = 3, dislocations: list[str] | None = None, **labels: Any
) -> xr.Dataset:
    """A store whose estimates follow `RATIOS`, times an error of each dislocation's own."""
    names = dislocations or NAMES
    ds = store(falling, dislocation=names, **labels)
    own = np.array([[RATIOS.get((trained, judged), 1.0) for judged in names] for trained in names])
    own = own * np.array([{"screw": 0.1, "edge": 0.4, "mixed": 0.2}[name] for name in names])
    law = xr.DataArray(own, dims=("dislocation", "target_dislocation"))
    clean = law * ds["geometry_error"].notnull()
    noise = np.exp(scatter * np.random.default_rng(seed).normal(size=clean.shape))
    ds = ds.assign_coords(target_dislocation=names)
    ds["transfer_geometry_estimate"] = clean.where(clean > 0) * noise
    ds["transfer_estimate_trusted"] = xr.full_like(
        ds["transfer_geometry_estimate"], Trust.trusted, dtype=np.uint8
    )
    return ds


def relaxed_transfers(ds: xr.Dataset, factor: float) -> xr.Dataset:
    """The store with its transfers relaxed, errors on other dislocations so many times the estimates."""
    estimate, own = ds["transfer_geometry_estimate"], ds["dislocation"] == ds["target_dislocation"]
    status = xr.where(estimate.notnull(), Status.relaxed, Status.excluded).astype(np.uint8)
    return ds.assign(transfer_geometry_error=estimate * xr.where(own, 1.0, factor), transfer_status=status)
