"""The main job from study file to store: a small study of iron, every part of it real."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import sweep
from sweep.journal import JournalReader
from sweep.variables import VARIABLES, Status

STUDY = """\
study: small-iron
material: {element: Fe, structure: bcc}
reference: {lammps: {pair_style: eam/fs, pair_coeff: ["* * Fe_mm.eam.fs Fe"]}}
dislocations: [screw]
basis: {order: 2, cutoff: 4.5}
training: {bulk: {cells: [2, 2, 2], strain: 0.01, perturbation: 0.05}, core: {perturbation: 0.05}}
simulation: {max_evaluations: 40}
axes:
  simulation_radius: [12.0]
  degree: [8]
  domain_radius: [5.0, 7.0]
  n_train: [2, 4]
  replica: 1
  weight_energy: [0.0, 1.0]
  weight_forces: [0.0, 1.0]
  weight_virial: [0.0, 1.0]
"""
POINTS, EXCLUDED = 32, 4
SMALLER = (
    STUDY.replace("weight_energy: [0.0, 1.0]", "weight_energy: [1.0]")
    .replace("weight_forces: [0.0, 1.0]", "weight_forces: [1.0]")
    .replace("domain_radius: [5.0, 7.0]", "domain_radius: [7.0]")
    .replace("n_train: [2, 4]", "n_train: [4]")
    .replace("degree: [8]", "degree: [6]")
)
UNEQUAL = {"wall_time"}
SWEEP = [sys.executable, "-m", "sweep.cli"]


def write_study(folder: Path) -> Path:
    path = folder / "small-iron.yaml"
    path.write_text(STUDY)
    return path


def command(study: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*SWEEP, "run", str(study), *options],
        cwd=study.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "FARFIELD_TEST": str(study.parent),
        },
    )


def run(study: Path, *options: str) -> tuple[int, str, str]:
    process = command(study, *options)
    output, errors = process.communicate(timeout=280)
    return process.returncode, output, errors


def recorded(store: Path) -> Counter[tuple[str, int | None]]:
    """How often each block and point stands in the journals."""
    records = JournalReader(store.with_name(store.name + ".run") / "journals").refresh()
    return Counter((record.block.key, record.weighting_index) for record in records)


def processes_of(folder: Path) -> list[int]:
    """Processes that a command in this folder started, and theirs."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in environment:
                found.append(int(entry.name))
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study that ran uninterrupted."""
    folder = tmp_path_factory.mktemp("whole")
    status, output, errors = run(write_study(folder))
    assert status == 0, errors
    assert "medians by virial weight" in output
    assert str(folder / "small-iron.zarr") in output
    return folder


@pytest.fixture(scope="module")
def dataset(finished: Path) -> xr.Dataset:
    return sweep.open_store(finished / "small-iron.zarr").load()


def test_every_point_has_ended_and_fits_to_forces_are_relaxed(dataset: xr.Dataset) -> None:
    status = dataset["status"].values
    assert status.size == POINTS
    assert int((status == Status.excluded).sum()) == EXCLUDED
    assert not np.isin(status, [Status.pending, Status.estimated, Status.failed]).any()
    # two or four energies or virials alone determine no potential: their relaxations may end anyhow
    assert bool((dataset["status"].sel(weight_forces=1) == Status.relaxed).all())
    excluded = dataset["status"].sel(weight_energy=0, weight_forces=0, weight_virial=0)
    assert bool((excluded == Status.excluded).all())


def test_every_relaxed_point_has_every_value(dataset: xr.Dataset) -> None:
    relaxed = dataset["status"] == Status.relaxed
    for variable in VARIABLES:
        values = dataset[variable.name].where(relaxed, drop=False)
        if variable.name == "rmse_virial":
            assert bool(values.sel(config_kind="core").isnull().all()), "clusters have no virial"
            values = values.sel(config_kind="bulk")
        missing = int(values.isnull().sum()) - int((~relaxed).sum()) * values.size // relaxed.size
        if variable.name not in ("far_field_mismatch", "lattice_error", "elastic_error", "c11", "c12", "c44"):
            assert missing == 0, variable.name


def test_values_hang_together(dataset: xr.Dataset) -> None:
    relaxed = dataset.where(dataset["status"] == Status.relaxed)
    assert float(relaxed["residual_force"].max()) <= 1e-6
    np.testing.assert_array_equal(relaxed["energy_error"], abs(relaxed["energy_difference"]))
    profile = np.sqrt((relaxed["strain_error_profile"] ** 2).sum("radial_bin", skipna=False))
    np.testing.assert_allclose(profile, relaxed["geometry_error"], rtol=1e-9)
    np.testing.assert_allclose(
        relaxed["effectivity"], relaxed["geometry_estimate"] / relaxed["geometry_error"], rtol=1e-12
    )


def test_estimates_see_the_errors_of_good_fits(dataset: xr.Dataset) -> None:
    """Theory: first order in the misfit, so within a few tens of percent where the misfit is small."""
    good = dataset.sel(weight_energy=1, weight_forces=1, weight_virial=1, n_train=4)
    assert 0.5 < float(good["effectivity"].median()) < 1.5


def test_more_than_one_fit_is_told_apart(dataset: xr.Dataset) -> None:
    """A store in which weights change nothing would show that they never reached the fit."""
    errors = dataset["geometry_error"].sel(n_train=4, domain_radius=7.0).values
    relaxed = errors[np.isfinite(errors)]
    assert len(np.unique(np.round(relaxed, 9))) == len(relaxed)


def test_everything_has_units_and_a_long_name(dataset: xr.Dataset) -> None:
    for name, variable in {**dataset.data_vars, **dataset.coords}.items():
        assert variable.attrs.get("units"), name
        assert variable.attrs.get("long_name"), name
    assert "small-iron" in dataset.attrs["study"]
    assert json.loads(dataset.attrs["packages"])["numpy"] == np.__version__


def test_the_reference_core_can_be_drawn(finished: Path, dataset: xr.Dataset) -> None:
    group = xr.open_zarr(
        finished / "small-iron.zarr", group="configurations/screw/12.0", chunks=None, consolidated=False
    )
    corrector = group["displacement_corrector"].values
    assert np.abs(corrector[group["free"].values]).max() > 0.01
    assert np.abs(corrector[~group["free"].values]).max() == 0.0


def test_a_second_run_computes_nothing(finished: Path) -> None:
    files = {
        path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.suffix in (".npz", ".journal")
    }
    assert files
    status, output, _ = run(finished / "small-iron.yaml")
    assert status == 0
    assert "medians by virial weight" in output
    again = {
        path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.suffix in (".npz", ".journal")
    }
    assert again == files


def test_plan_says_that_all_is_done(finished: Path) -> None:
    ran = subprocess.run(
        [*SWEEP, "plan", "small-iron.yaml"], cwd=finished, capture_output=True, text=True, check=True
    )
    assert f"{POINTS} points done, 0 to do" in ran.stdout


def test_a_killed_run_goes_on_where_it_was(finished: Path, dataset: xr.Dataset, tmp_path: Path) -> None:
    study, store = write_study(tmp_path), tmp_path / "small-iron.zarr"
    process = command(study)
    deadline = time.monotonic() + 200
    while sum(count for key, count in recorded(store).items() if key[1] is not None) < 6:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    while processes_of(tmp_path):
        assert time.monotonic() < deadline, processes_of(tmp_path)
        time.sleep(0.1)
    before = recorded(store)
    assert 0 < sum(before.values()) < POINTS - EXCLUDED

    status, _, errors = run(study)
    assert status == 0, errors
    after = recorded(store)
    assert set(after.values()) == {1}, "a journaled point was computed again"
    assert len(after) == POINTS - EXCLUDED + 4
    resumed = sweep.open_store(store).load()
    for name in set(dataset.data_vars) - UNEQUAL:
        np.testing.assert_array_equal(resumed[name].values, dataset[name].values, err_msg=str(name))


def test_what_cannot_be_made_fails_alone(tmp_path: Path) -> None:
    """No atom lies within 0.1 Å of the line, which only the training kernel can know."""
    study = write_study(tmp_path)
    study.write_text(SMALLER.replace("domain_radius: [7.0]", "domain_radius: [0.1, 7.0]"))
    status, output, errors = run(study)
    assert status == 1, errors
    assert "Traceback" not in output + errors
    assert "2 failed" in output
    dataset = sweep.open_store(tmp_path / "small-iron.zarr")
    assert bool((dataset["status"].sel(domain_radius=0.1) == Status.failed).all())
    assert bool((dataset["status"].sel(domain_radius=7.0) == Status.relaxed).all())
    before = recorded(tmp_path / "small-iron.zarr")
    assert run(study)[0] == 1
    assert recorded(tmp_path / "small-iron.zarr") == before, "a failure is final until --retry-failed"
    assert run(study, "--retry-failed")[0] == 1
    again = recorded(tmp_path / "small-iron.zarr")
    assert {key for key in again if again[key] > before[key]} == {key for key in before if "=0.1," in key[0]}


def test_two_ranks_give_the_same_store(tmp_path: Path) -> None:
    stores = []
    for ranks in ("1", "2"):
        folder = tmp_path / ranks
        folder.mkdir()
        study = write_study(folder)
        study.write_text(SMALLER)
        status, _, errors = run(study, "--workers", "1", "--ranks", ranks)
        assert status == 0, errors
        stores.append(sweep.open_store(folder / "small-iron.zarr").load())
    for name in set(stores[0].data_vars) - UNEQUAL - {"residual_force", "condition"}:
        one, two = (store[name].values.astype(float) for store in stores)
        np.testing.assert_allclose(one, two, rtol=1e-8, atol=1e-8, err_msg=str(name))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("Fe_mm.eam.fs Fe", "Fe_mm.eam.fs Xx"), "Xx"),
        (("pair_style: eam/fs", "pair_style: eam/nonsense"), "eam/nonsense"),
        (("Fe_mm.eam.fs", "Fe_nowhere.eam.fs"), "Fe_nowhere.eam.fs"),
        (("degree: [8]", "degree: []"), "axes.degree"),
        (("dislocations: [screw]", "dislocations: [screwy]"), "screwy"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    study = tmp_path / "bad.yaml"
    study.write_text(STUDY.replace(*change))
    status, output, errors = run(study)
    assert status == 2
    assert said in errors
    assert "bad.yaml" in errors
    assert "Traceback" not in output + errors
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]


def test_more_ranks_than_cpus_are_refused(tmp_path: Path) -> None:
    status, _, errors = run(write_study(tmp_path), "--workers", "1000")
    assert status == 2
    assert "CPUs" in errors
    assert [path.name for path in tmp_path.iterdir()] == ["small-iron.yaml"]


def test_a_changed_study_is_refused_and_named(finished: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.yaml"
    changed.write_text(STUDY.replace("cutoff: 4.5", "cutoff: 4.4"))
    status, _, errors = run(changed, "--store", str(finished / "small-iron.zarr"))
    assert status == 2
    assert "basis.cutoff" in errors
    assert "4.4" in errors
