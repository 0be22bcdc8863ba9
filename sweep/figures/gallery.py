"""Every figure that a store can give, in the order in which a reader wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import xarray as xr
import zarr

from sweep.figures.against_cost import picture_against_cost
from sweep.figures.against_fit import picture_against_fit
from sweep.figures.along_axis import picture_along
from sweep.figures.cores import picture_of_cores
from sweep.figures.errors import FigureError
from sweep.figures.estimates import picture_of_effectivity
from sweep.figures.heat_map import picture_of_weights
from sweep.figures.profile import picture_of_profile
from sweep.figures.replicas import REPLICA
from sweep.figures.slices import DISLOCATION, block_dims, known
from sweep.figures.style import Picture
from sweep.figures.transfers import picture_of_transfers
from sweep.location import StoreLike, location_of
from sweep.store import configuration_path
from sweep.store.potential_cores import potential_cores_path
from sweep.transfers.variables import TARGET

ERROR, ESTIMATE, ENERGY = "geometry_error", "geometry_estimate", "energy_error"
TRUNCATION_ERRORS = ("truncation_geometry_error", "truncation_energy_error")
FIRST_AXIS = "domain_radius"


def pictures(ds: xr.Dataset, store: StoreLike | None = None) -> Iterator[tuple[str, Picture | FigureError]]:
    """Draw everything that a store has data for, one figure after the other.

    Parameters
    ----------
    ds
        A store, as `sweep.open_store` gives it.
    store
        Its path, for the configurations it keeps; without it no cores are drawn.

    Yields
    ------
    tuple
        Name of the figure, fit for a file's, and the picture, or why there is none.
    """
    for name, draw in _figures(ds, store):
        try:
            yield name, draw()
        except FigureError as error:
            yield name, error


def main_error(ds: xr.Dataset) -> str:
    """Name the error that a store is about: the geometry error, or its estimate where nothing was relaxed."""
    return ERROR if bool(known(ds, ERROR).any()) else ESTIMATE


def numbered_axes(ds: xr.Dataset) -> list[str]:
    """Name the axes of a grid that have several labels, all numbers: the training domain's radius before others."""
    axes = [
        name
        for name in block_dims(ds)
        if name not in (DISLOCATION, REPLICA) and ds.sizes[name] > 1 and ds[name].dtype.kind in "iuf"
    ]
    return sorted(axes, key=lambda name: name != FIRST_AXIS)


def _figures(ds: xr.Dataset, store: StoreLike | None) -> Iterator[tuple[str, Callable[[], Picture]]]:
    error = main_error(ds)
    axes = numbered_axes(ds) or [FIRST_AXIS]
    for axis in axes:
        yield f"{error}-{axis}", partial(picture_along, ds, error, axis)
    if error == ERROR:
        yield f"{ENERGY}-{axes[0]}", partial(picture_along, ds, ENERGY, axes[0])
    if ds.sizes["domain_radius"] > 1 and ds.sizes["n_train"] > 1:
        yield f"{error}-labelled_atoms", partial(picture_against_cost, ds, error)
    yield f"{error}-rmse_forces", partial(picture_against_fit, ds, error)
    yield f"{error}-weights", partial(picture_of_weights, ds, error)
    yield "strain_error_profile", partial(picture_of_profile, ds)
    yield "effectivity", partial(picture_of_effectivity, ds)
    if TARGET in ds.dims:
        yield f"{error}-transfers", partial(picture_of_transfers, ds, error)
    for name in TRUNCATION_ERRORS:
        if name in ds and bool(known(ds, name).any()):
            yield f"{name}-simulation_radius", partial(picture_along, ds, name, "simulation_radius")
    for name, configuration, potential in _configurations(ds, store):
        yield f"core-{name}", partial(picture_of_cores, configuration, potential)


def _configurations(
    ds: xr.Dataset, store: StoreLike | None
) -> Iterator[tuple[str, xr.Dataset, xr.Dataset | None]]:
    """Go through the reference equilibria that a store keeps, for each dislocation that of the largest radius.

    Beside each comes the potential's core of the lowest geometry error, where the store keeps one there; a radius with
    one comes before a larger without.
    """
    if store is None:
        return
    radii = sorted(ds["simulation_radius"].values.tolist(), reverse=True)
    for dislocation in map(str, ds[DISLOCATION].values):
        kept = [(_group(store, configuration_path(dislocation, radius)), radius) for radius in radii]
        there = [
            (group, _potential(store, dislocation, radius)) for group, radius in kept if group is not None
        ]
        if there:
            configuration, potential = next((pair for pair in there if pair[1] is not None), there[0])
            yield dislocation, configuration, potential


def _group(store: StoreLike, group: str) -> xr.Dataset | None:
    try:
        found: xr.Dataset = xr.open_zarr(
            location_of(store).zarr_store(read_only=True), group=group, chunks=None
        )
    except (KeyError, FileNotFoundError):
        return None
    return found


def _potential(store: StoreLike, dislocation: str, radius: float) -> xr.Dataset | None:
    try:
        parent = zarr.open_group(
            location_of(store).zarr_store(read_only=True),
            mode="r",
            path=potential_cores_path(dislocation, radius),
            zarr_format=3,
        )
    except FileNotFoundError:
        return None
    errors = {name: float(str(group.attrs["geometry_error"])) for name, group in parent.groups()}
    if not errors:
        return None
    best = min(errors, key=lambda name: errors[name])
    return _group(store, f"{potential_cores_path(dislocation, radius)}/{best}")
