"""Relaxed cores of potentials that a store keeps beside the reference's, so that both can be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr

from sweep.location import StoreLike, location_of
from sweep.store.configurations import configuration_path
from sweep.store.errors import StoreError
from sweep.store.template import consolidate, write_array

POTENTIALS = "potentials"
CORRECTOR = "displacement_corrector"


def potential_cores_path(dislocation: str, simulation_radius: float) -> str:
    """Name the group that holds the potentials' cores of a dislocation and radius, a group each.

    Examples
    --------
    >>> potential_cores_path("screw", 25)
    'configurations/screw/25.0/potentials'
    """
    return f"{configuration_path(dislocation, simulation_radius)}/{POTENTIALS}"


def write_potential_core(
    path: StoreLike, labels: Mapping[str, Any], corrector: Any, attributes: Mapping[str, Any]
) -> str:
    """Write the relaxed core of one point's potential, in place of one that is there.

    Only the driver, or who else holds its lock, may call this.

    Parameters
    ----------
    path
        The store.
    labels
        The point: a label for each of the store's axes.
    corrector
        (n_sites, 3), on the sites of the reference's configuration, Å.
    attributes
        Further attributes of the group, such as a name.

    Returns
    -------
    str
        The group, for `xarray.open_zarr`'s ``group``.

    Raises
    ------
    StoreError
        If the reference's configuration is not there, or has other sites. Nothing is written.
    """
    location = location_of(path)
    configuration = configuration_path(labels["dislocation"], labels["simulation_radius"])
    values = np.asarray(corrector, dtype=np.float64)
    try:
        sites: Any = zarr.open_group(
            location.zarr_store(read_only=True), mode="r", path=configuration, zarr_format=3
        )["sites"]
    except (KeyError, FileNotFoundError) as error:
        raise StoreError(
            f"{path} keeps no {configuration}; run the study again to have it written"
        ) from error
    if values.shape != sites.shape:
        raise StoreError(f"{configuration}: the core has shape {values.shape}, the sites {sites.shape}")
    parent = potential_cores_path(labels["dislocation"], labels["simulation_radius"])
    name = ",".join(
        f"{axis}={label}"
        for axis, label in labels.items()
        if axis not in ("dislocation", "simulation_radius")
    )
    zarr.open_group(location.zarr_store(), path=parent, mode="a", zarr_format=3)
    with location.new_group(f"{parent}/{name}") as store:
        group = zarr.create_group(store, zarr_format=3, attributes={**labels, **attributes})
        about = {"long_name": "core corrector of the potential's equilibrium", "units": "angstrom"}
        write_array(group, CORRECTOR, ("site", "xyz"), values, about)
        consolidate(store)
    # the configuration has metadata of its own, as it was written with a group's whole contents
    consolidate(location, configuration)
    consolidate(location)
    return f"{parent}/{name}"
