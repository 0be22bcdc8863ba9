"""The configurations a store keeps beside its grid, so that dislocation cores can be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import Store

from sweep.location import GROUP_FILE, StoreLike, location_of
from sweep.store.errors import StoreError, StoreMissingError
from sweep.store.template import consolidate, write_array

GROUP = "configurations"

#: Arrays of a configuration: dimensions, dtype, units and long name.
ARRAYS: dict[str, tuple[tuple[str, ...], str, str, str]] = {
    "sites": (("site", "xyz"), "float64", "angstrom", "site of the perfect crystal"),
    "displacement_predictor": (("site", "xyz"), "float64", "angstrom", "far-field predictor u0"),
    "displacement_corrector": (
        ("site", "xyz"),
        "float64",
        "angstrom",
        "core corrector of the reference equilibrium",
    ),
    "free": (("site",), "bool", "1", "whether the site was free to move"),
}


def configuration_path(dislocation: str, simulation_radius: float) -> str:
    """Name the group of a configuration within its store, for `xarray.open_zarr`'s ``group``.

    Examples
    --------
    >>> configuration_path("screw", 25)
    'configurations/screw/25.0'
    """
    return f"{GROUP}/{dislocation}/{float(simulation_radius)}"


def write_configuration(
    path: StoreLike,
    dislocation: str,
    simulation_radius: float,
    arrays: Mapping[str, Any],
    *,
    period: float | None = None,
) -> None:
    """Write the reference equilibrium of one dislocation and radius, in place of one that is there.

    Only the driver may call this, under its lock.

    Parameters
    ----------
    path
        The store.
    dislocation, simulation_radius
        Which equilibrium (the radius in Å).
    arrays
        Each of `ARRAYS` by name: ``sites``, ``displacement_predictor`` and ``displacement_corrector`` of
        shape (n_sites, 3) in Å, ``free`` of shape (n_sites,).
    period
        Period along the line (Å), kept as an attribute where it is given.

    Raises
    ------
    StoreMissingError
        If there is no store.
    StoreError
        If arrays are missing, unknown or of shapes that do not agree. Nothing is written.
    """
    location = location_of(path)
    if not location.exists(GROUP_FILE):
        raise StoreMissingError(f"no store at {path}; make it before its configurations")
    group = configuration_path(dislocation, simulation_radius)
    contents = _checked(group, arrays)
    for parent in (GROUP, f"{GROUP}/{dislocation}"):
        zarr.open_group(location.zarr_store(), path=parent, mode="a", zarr_format=3)
    labels: dict[str, Any] = {"dislocation": dislocation, "simulation_radius": simulation_radius}
    with location.new_group(group) as store:
        _write_group(store, contents, labels if period is None else labels | {"period": period})
    consolidate(location)


def _checked(group: str, arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
    if set(arrays) != set(ARRAYS):
        raise StoreError(f"{group}: arrays are {', '.join(sorted(arrays))}; give {', '.join(ARRAYS)}")
    n_sites = len(arrays["free"])
    contents = {}
    for name, (dims, dtype, _, _) in ARRAYS.items():
        values = np.asarray(arrays[name])
        shape = (n_sites, 3)[: len(dims)]
        if values.shape != shape:
            raise StoreError(f"{group}: {name} has shape {values.shape}; with {n_sites} sites it has {shape}")
        contents[name] = values.astype(dtype)
    return contents


def _write_group(store: Store, contents: Mapping[str, np.ndarray], attributes: Mapping[str, Any]) -> None:
    group = zarr.create_group(store, zarr_format=3, attributes=dict(attributes))
    direction = {"long_name": "Cartesian direction; z runs along the dislocation line", "units": "1"}
    write_array(group, "xyz", ("xyz",), np.asarray(["x", "y", "z"]), direction)
    for name, (dims, _, units, long_name) in ARRAYS.items():
        write_array(group, name, dims, contents[name], {"long_name": long_name, "units": units})
    consolidate(store)
