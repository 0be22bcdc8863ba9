"""Potentials' cores in a store: relaxed again to the study's errors, and drawn beside the reference's."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sweep.cores import keep_core
from sweep.cores.command import keep
from sweep.cores.keeping import best_points
from sweep.exporting.errors import ExportError
from sweep.figures.gallery import pictures
from sweep.figures.style import Picture
from sweep.store import StoreError, configuration_path, open_store, write_configuration
from sweep.store.potential_cores import potential_cores_path, write_potential_core
from sweep.variables import Status
from tests.sweep.made_up import made_up, marked, screw
from tests.sweep.small_store import new_store

LABELS = {"dislocation": "screw", "simulation_radius": 25.0, "degree": 6, "weight_virial": 1.0}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = new_store(tmp_path / "small.zarr")
    configuration = screw()
    write_configuration(
        path, "screw", 25.0, {name: configuration[name].values for name in configuration.data_vars}
    )
    return path


def test_a_core_is_kept_beside_the_references_and_replaced(store: Path) -> None:
    sites = screw().sizes["site"]
    for scale in (1.0, 2.0):
        group = write_potential_core(
            store, LABELS, np.full((sites, 3), scale), {"name": "degree 6", "geometry_error": 0.1}
        )
    assert group == f"{potential_cores_path('screw', 25.0)}/degree=6,weight_virial=1.0"
    kept = xr.open_zarr(store, group=group)
    assert float(kept["displacement_corrector"].max()) == 2.0
    assert kept["displacement_corrector"].attrs["units"] == "angstrom"
    assert kept.attrs["degree"] == 6
    xr.testing.assert_identical(xr.open_zarr(store).load(), open_store(store).load())
    assert list(store.parent.iterdir()) == [store]


def test_a_core_without_a_reference_or_on_other_sites_is_refused(store: Path) -> None:
    with pytest.raises(StoreError, match="keeps no configurations/edge"):
        write_potential_core(store, {**LABELS, "dislocation": "edge"}, np.zeros((4, 3)), {})
    with pytest.raises(StoreError, match=r"shape \(4, 3\)"):
        write_potential_core(store, LABELS, np.zeros((4, 3)), {})
    assert not (store / potential_cores_path("screw", 25.0)).exists()


def test_the_best_kept_core_is_drawn(store: Path) -> None:
    corrector = np.zeros((screw().sizes["site"], 3))
    for degree, error in ((6, 0.3), (8, 0.1)):
        write_potential_core(
            store,
            {**LABELS, "degree": degree},
            corrector,
            {"name": f"degree {degree}", "geometry_error": error},
        )
    picture = dict(pictures(open_store(store), store))["core-screw"]
    assert isinstance(picture, Picture)
    assert [axes.get_title(loc="left") for axes in picture.figure.axes] == ["reference", "degree 8"]


def test_the_best_points_are_found_at_the_largest_radius_that_has_one() -> None:
    ds = made_up(lambda ds: 1 / ds["domain_radius"] / ds["weight_forces"])
    ds = marked(ds, (ds["simulation_radius"] == 50.0) & (ds["dislocation"] == "edge"), Status.failed)
    found = best_points(ds)
    assert [point["simulation_radius"] for point in found] == [50.0, 25.0]
    for point in found:
        assert (point["domain_radius"], point["weight_forces"]) == (16.0, 3.0)
        lowest = ds["geometry_error"].sel(
            dislocation=point["dislocation"], simulation_radius=point["simulation_radius"]
        )
        assert float(ds["geometry_error"].sel(point)) == float(lowest.min())


def test_a_point_is_relaxed_to_the_error_that_the_study_measured(finished: Path, tmp_path: Path) -> None:
    store = tmp_path / "copy.zarr"
    shutil.copytree(finished / "small-iron.zarr", store)
    artefacts = finished / "small-iron.zarr.run" / "artefacts"
    (group,) = keep_core(store, artefacts=artefacts)
    kept = xr.open_zarr(store, group=group)
    ds = open_store(store)
    lowest = float(ds["geometry_error"].where(ds["status"] == Status.relaxed).min())
    assert kept.attrs["geometry_error"] == pytest.approx(lowest, rel=1e-3)
    reference = xr.open_zarr(store, group=configuration_path("screw", 12.0))
    moved = kept["displacement_corrector"] - reference["displacement_corrector"]
    assert float(abs(moved.where(~reference["free"], 0.0)).max()) == 0.0
    assert 0 < float(abs(moved).max()) < lowest
    # a point that is no relaxed one has no core
    with pytest.raises(ExportError, match="several points are meant"):
        keep_core(store, {}, artefacts=artefacts)
    zero = dict.fromkeys(("weight_energy", "weight_forces", "weight_virial"), "0")
    with pytest.raises(ExportError, match="excluded"):
        keep_core(store, {"domain_radius": "5", "n_train": "2", **zero}, artefacts=artefacts)
    with pytest.raises(ExportError, match="not found in"):
        keep_core(store, artefacts=tmp_path / "elsewhere")


def test_bad_input_is_one_message_and_status_2(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in (((store,), "no relaxed point"), ((store.parent / "none.zarr",), "no store at")):
        assert keep(*arguments) == 2
        captured = capsys.readouterr()
        assert said in captured.err
        assert captured.out == ""
