"""Relax a point's potential once more, and keep its core in the store."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from sweep.artefacts import ArtefactFolder
from sweep.exporting.choice import block_of, chosen_point, named, place_of
from sweep.exporting.errors import ExportError
from sweep.exporting.stored_study import stored_recipes
from sweep.gang import Gang, GangError, GangOptions, KernelError
from sweep.grid import Grid
from sweep.kernel_arguments import resolved
from sweep.location import StoreLike, location_of
from sweep.lock import driver_lock
from sweep.store import open_store, undo_growth
from sweep.store.potential_cores import write_potential_core
from sweep.variables import Status

KERNEL = "kernels.relaxed_core:relaxed_core"
# A large cylinder and a large basis, s.
LIMIT_S = 1800.0
_ARGUMENTS = ("basis", "material", "equilibrium", "fit", "tolerance", "most_evaluations")
_NEEDED = ("material", "equilibrium", "fit")


def keep_core(
    store: StoreLike,
    at: Mapping[str, str] | None = None,
    *,
    artefacts: str | os.PathLike[str] | None = None,
) -> list[str]:
    """Keep the relaxed core of a point in the store.

    Parameters
    ----------
    store
        The store; the artefacts of the run that made it must still be there.
    at
        Labels by axis, as text; an axis with a single label may be left out. Unless given: for each dislocation the
        point of the lowest geometry error at the largest simulated radius.
    artefacts
        Folder of artefacts; by default the one in the run folder beside the store.

    Returns
    -------
    list of str
        The groups written, for `xarray.open_zarr`'s ``group``.

    Raises
    ------
    ExportError
        If no point is meant or several are, it is not relaxed, its artefacts are gone, or it cannot be relaxed again.
    StoreError
        As `sweep.open_store`.
    sweep.lock.StoreLockedError
        If a run is going on.
    """
    dataset = open_store(store)
    points = [chosen_point(dataset, at)] if at is not None else best_points(dataset)
    if not points:
        raise ExportError(f"{store} has no relaxed point; run the study on")
    for labels in points:
        status = Status(int(dataset["status"].sel(labels)))
        if status is not Status.relaxed:
            raise ExportError(f"{named(labels)} is {status.name}: only a relaxed point has a core to keep")
    location = location_of(store)
    location.must_be_writable()
    if stored_recipes(store).simulating_own_lattices:
        raise ExportError(
            f"{store} was made with simulation.predictor: potential: its cores are in lattices of their own, and "
            "cannot be kept on the reference's sites"
        )
    run = location.run_folder
    folder = ArtefactFolder(run / "artefacts" if artefacts is None else artefacts)
    with driver_lock(run) as lock:
        undo_growth(location.guarded(lock.check))
        cores = [
            (labels, _relaxed(found.relaxation(block_of(labels)), found.grid, labels, folder))
            for labels in points
            for found in [stored_recipes(store, block_of(labels), folder)]
        ]
        return [
            write_potential_core(
                location.guarded(lock.check),
                labels,
                core["corrector"],
                {"name": _short(dataset, labels), "geometry_error": float(core["geometry_error"])},
            )
            for labels, core in cores
        ]


def best_points(dataset: xr.Dataset) -> list[dict[str, Any]]:
    """Find for each dislocation the relaxed point of the lowest geometry error, at the largest radius that has one."""
    found = []
    for dislocation in dataset["dislocation"].values.tolist():
        one = dataset[["geometry_error", "status"]].sel(dislocation=dislocation)
        for radius in sorted(one["simulation_radius"].values.tolist(), reverse=True):
            values = (
                one["geometry_error"].where(one["status"] == Status.relaxed).sel(simulation_radius=radius)
            )
            if bool(values.notnull().any()):
                where = np.unravel_index(int(np.nanargmin(values.values)), values.shape)
                rest = {
                    str(name): values[name].values[at].item()
                    for name, at in zip(values.dims, where, strict=True)
                }
                found.append({"dislocation": dislocation, "simulation_radius": radius, **rest})
                break
    return found


def _relaxed(recipe: Any, grid: Grid, labels: Mapping[str, Any], folder: ArtefactFolder) -> dict[str, Any]:
    """Have the kernel relax the point, in a gang of its own."""
    if gone := [name for name in _NEEDED if not folder.has(recipe.inputs[name])]:
        raise ExportError(
            f"{named(labels)}: {', '.join(gone)} not found in {folder.path}; name the folder that the run used with "
            "--artefacts, or run the study again with this version"
        )
    arguments = resolved({name: recipe.inputs[name] for name in _ARGUMENTS}, folder, {})
    try:
        with Gang(GangOptions(ranks=1)) as gang:
            core = dict(gang.call(KERNEL, timeout_s=LIMIT_S, weighting=place_of(grid, labels), **arguments))
    except (KernelError, GangError) as error:
        raise ExportError(f"{named(labels)} cannot be relaxed again: {error}") from error
    if not core["settled"]:
        raise ExportError(f"{named(labels)} did not settle when it was relaxed again; nothing is kept")
    return core


def _short(dataset: xr.Dataset, labels: Mapping[str, Any]) -> str:
    """Name a point by what sets it apart from others of its dislocation and radius."""
    names = [
        name
        for name in labels
        if name not in ("dislocation", "simulation_radius") and dataset.sizes[name] > 1
    ]
    return ", ".join(f"{name.replace('_', ' ')} {labels[name]:g}" for name in names) or "potential"
