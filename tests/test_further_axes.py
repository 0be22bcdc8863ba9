"""Axes that a study has only where it names them: what each changes, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import sweep
from sweep.variables import Status
from tests.small_study import run

STUDY = """\
study: further
material: {element: Fe, structure: bcc}
reference: {lammps: {pair_style: eam/fs, pair_coeff: ["* * Fe_mm.eam.fs Fe"]}}
dislocations: [screw]
basis: {order: 2, cutoff: 4.5}
training: {bulk: {cells: [2, 2, 2], strain: 0.01, perturbation: 0.05}, core: {perturbation: 0.05}}
regularisation: 1.0e-6
axes:
  simulation_radius: [9.0]
  degree: [5]
  domain_radius: [5.0]
  n_train: [1, 2]
  replica: 1
  weight_energy: [1.0]
  weight_forces: [1.0]
  weight_virial: [0.0, 1.0]
FURTHERfidelity: {relax: none}
"""
FURTHER = """\
  order: [2, 1]
  cutoff: [4.0, 4.5]
  bulk_strain: [0.01, 0.03]
  regularisation: [1.0e-6, 1.0e-2]
  weight_force_constants: [0.0, 10.0]
"""
DIMENSIONS = (
    "dislocation simulation_radius degree domain_radius n_train replica order cutoff bulk_strain regularisation "
    "weight_energy weight_forces weight_virial weight_force_constants"
)
# in both stores alike; wall times differ, and so do statuses' sources
MEASURED = ("rmse_energy", "rmse_forces", "rmse_virial", "rank", "pressure")
COMPARED = (*MEASURED, "geometry_estimate", "energy_estimate")


def finished(folder: Path, name: str, study: str) -> xr.Dataset:
    path = folder / f"{name}.yaml"
    path.write_text(study)
    status, output, errors = run(path, "--store", f"{name}.zarr", "--artefacts", "artefacts")
    assert status == 0, output + errors
    return sweep.open_store(folder / f"{name}.zarr").load()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("further")


@pytest.fixture(scope="module")
def whole(folder: Path) -> xr.Dataset:
    return finished(folder, "whole", STUDY.replace("FURTHER", FURTHER))


def test_named_axes_are_dimensions_in_their_place(whole: xr.Dataset) -> None:
    assert whole["status"].dims == tuple(DIMENSIONS.split())
    assert whole["order"].dtype == np.int64
    assert whole["cutoff"].attrs["units"] == "angstrom"
    assert bool((whole["status"] == Status.estimated).all())


@pytest.mark.parametrize(
    "chosen",
    [
        {"order": 2, "cutoff": 4.5, "bulk_strain": 0.01, "regularisation": 1e-6},
        {"order": 1, "cutoff": 4.5, "bulk_strain": 0.03, "regularisation": 1e-2},
    ],
)
def test_a_slice_is_the_study_of_those_values(
    folder: Path, whole: xr.Dataset, chosen: dict[str, float]
) -> None:
    """The same numbers come out where the values stand in the study's sections, and no axis names them."""
    study = STUDY.replace("FURTHER", "").replace("order: 2", f"order: {chosen['order']}")
    study = study.replace("strain: 0.01", f"strain: {chosen['bulk_strain']}")
    study = study.replace("regularisation: 1.0e-6", f"regularisation: {chosen['regularisation']}")
    alone = finished(folder, f"order-{chosen['order']}", study)
    assert "cutoff" not in alone.dims
    taken = whole.sel({**chosen, "weight_force_constants": 0.0})
    # judged on cells of the study's own strain, which is another one in the second study
    same = [name for name in COMPARED if chosen["bulk_strain"] == 0.01 or not name.startswith("rmse")]
    for name in same:
        core = alone[name].sel(config_kind="bulk") if name.startswith("rmse") else alone[name]
        assert bool(core.notnull().all()), name
        np.testing.assert_allclose(alone[name], taken[name], rtol=1e-6, err_msg=name)


def test_every_axis_changes_the_fits(whole: xr.Dataset) -> None:
    errors = whole["rmse_forces"].sel(config_kind="core", n_train=2)
    for name in ("order", "cutoff", "bulk_strain", "regularisation", "weight_force_constants"):
        assert not np.isclose(errors.isel({name: 0}), errors.isel({name: 1}), rtol=1e-9).any(), name


def test_a_larger_basis_size_follows_order_alone(whole: xr.Dataset) -> None:
    size = whole["basis_size"]
    assert bool((size.sel(order=2) > size.sel(order=1)).all())
    assert bool((size.sel(cutoff=4.0) == size.sel(cutoff=4.5)).all())


def test_observing_force_constants_brings_them_nearer(whole: xr.Dataset) -> None:
    """The loss they enter falls, and with the weight of 10 they are most of it."""
    errors = whole["rmse_force_constants"].sel(config_kind="core", regularisation=1e-6, n_train=1)
    assert bool((errors.sel(weight_force_constants=10.0) < errors.sel(weight_force_constants=0.0)).all())
    assert bool(whole["rmse_force_constants"].sel(config_kind="bulk").isnull().all())


def test_observations_left_out_are_refused_a_weight_and_not_fitted(folder: Path) -> None:
    left_out = STUDY.replace("FURTHER", "").replace("training: {", "training: {observations: [forces], ")
    path = folder / "unweighted.yaml"
    path.write_text(left_out)
    status, _, errors = run(path)
    assert status == 2
    assert "axes.weight_energy has a value above 0, but training.observations leaves energy out" in errors
    forces = left_out.replace("weight_energy: [1.0]", "weight_energy: [0.0]")
    forces = forces.replace("weight_virial: [0.0, 1.0]", "weight_virial: [0.0]")
    alone = finished(folder, "forces", forces)
    kept = finished(folder, "kept", forces.replace("observations: [forces], ", ""))
    for name in ("rmse_forces", "rmse_virial", "geometry_estimate"):
        np.testing.assert_allclose(alone[name], kept[name], rtol=1e-9, err_msg=name)
