"""The main job from study file to store."""

import json
import os
import pty
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import xarray as xr

import sweep
from sweep.variables import VARIABLES, Status
from tests.small_study import (
    EXCLUDED,
    POINTS,
    SMALLER,
    SWEEP,
    assert_same_numbers,
    recorded,
    run,
    write_study,
)


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
        if not variable.in_every_store:
            continue
        values = dataset[variable.name].where(relaxed, drop=False)
        if variable.name == "rmse_virial":
            assert bool(values.sel(config_kind="core").isnull().all()), "clusters have no virial"
            values = values.sel(config_kind="bulk")
        missing = int(values.isnull().sum()) - int((~relaxed).sum()) * values.size // relaxed.size
        # a lattice constant, and with it moduli, need not exist; a saddle only where there was one
        if variable.name not in (
            "saddle_geometry_error",
            "far_field_mismatch",
            "lattice_error",
            "elastic_error",
            "c11",
            "c12",
            "c44",
        ):
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
    near = good["saddle_geometry_error"].fillna(good["geometry_error"])
    assert 0.5 < float((good["geometry_estimate"] / near).median()) < 1.5


def test_every_relaxed_point_is_a_minimum_or_left_a_saddle(dataset: xr.Dataset) -> None:
    relaxed = dataset.where(dataset["status"] == Status.relaxed)
    saddle = relaxed["relative_stiffness"] < 0
    assert bool((relaxed["saddle_geometry_error"].notnull() == saddle).all())


def test_more_than_one_fit_is_told_apart(dataset: xr.Dataset) -> None:
    """A store in which weights change nothing would show that they never reached the fit."""
    errors = dataset["geometry_error"].sel(n_train=4, domain_radius=7.0).values
    relaxed = errors[np.isfinite(errors)]
    assert len(np.unique(np.round(relaxed, 9))) == len(relaxed)


def test_truncation_errors_are_those_of_the_study_radius(dataset: xr.Dataset) -> None:
    """Theory: the boundary of 12 Å costs iron's core a few hundredths of an Å and some meV."""
    assert dataset["truncation_geometry_error"].dims == ("dislocation", "simulation_radius")
    assert dataset["truncation_status"].values.tolist() == [[Status.relaxed]]
    assert 0.01 < dataset["truncation_geometry_error"].item() < 0.2
    assert 1e-4 < dataset["truncation_energy_error"].item() < 1e-2


def test_a_study_may_ask_for_truncation_errors_alone(tmp_path: Path) -> None:
    """No atom lies within 0.1 Å of the line: that radius fails, and costs nothing else."""
    radii = SMALLER.replace("[12.0]", "[0.1, 12.0]").replace("domain_radius: [7.0]", "domain_radius: [0.1]")
    study, store = write_study(tmp_path), tmp_path / "small-iron.zarr"
    study.write_text(radii + "fidelity: {points: none}\n")
    status, output, errors = run(study)
    assert status == 1, errors
    assert "no point was asked for" in output
    assert "failed 1 time: " in output
    assert "Traceback" not in output + errors
    assert recorded(store) == {(f"dislocation=screw,simulation_radius={r}", None): 1 for r in (0.1, 12.0)}
    dataset = sweep.open_store(store)
    assert dataset["truncation_status"].values.tolist() == [[Status.failed, Status.relaxed]]
    assert dataset["truncation_geometry_error"].notnull().values.tolist() == [[False, True]]
    assert (dataset["status"] == Status.pending).all()
    # the fidelity may change: the same store then takes the points, and keeps the truncation errors
    study.write_text(radii)
    planned = subprocess.run(
        [*SWEEP, "plan", study.name], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert "0 points done, 4 to do" in planned
    assert "truncation errors of 2 cylinders: 2 done, 0 to do" in planned


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


def test_a_terminal_is_shown_what_a_run_is_at_and_a_pipe_is_not(finished: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*SWEEP, "run", "small-iron.yaml"],
        cwd=finished,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    shown = b""
    # a terminal that nobody writes to any more is an input/output error
    with suppress(OSError), os.fdopen(ours, "rb", buffering=0) as terminal:
        while part := terminal.read(4096):
            shown += part
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    at = ["reading the study", "trying the study's inputs", "looking for what is recorded", "summing up"]
    places = [shown.find(words.encode()) for words in at]
    assert -1 not in places
    assert places == sorted(places)
    _, piped, errors = run(finished / "small-iron.yaml")
    assert not any(words in output + piped + errors for words in at)


def test_plan_says_that_all_is_done(finished: Path) -> None:
    ran = subprocess.run(
        [*SWEEP, "plan", "small-iron.yaml"], cwd=finished, capture_output=True, text=True, check=True
    )
    assert f"{POINTS} points done, 0 to do" in ran.stdout


def test_what_cannot_be_made_fails_alone(tmp_path: Path) -> None:
    """No atom lies within 0.1 Å of the line, which only the training kernel can know."""
    study = write_study(tmp_path)
    study.write_text(SMALLER.replace("domain_radius: [7.0]", "domain_radius: [0.1, 7.0]"))
    status, output, errors = run(study)
    assert status == 1, errors
    assert "Traceback" not in output + errors
    assert "2 failed" in output
    assert "--retry-failed" in output
    dataset = sweep.open_store(tmp_path / "small-iron.zarr")
    assert bool((dataset["status"].sel(domain_radius=0.1) == Status.failed).all())
    assert bool((dataset["status"].sel(domain_radius=7.0) == Status.relaxed).all())
    before = recorded(tmp_path / "small-iron.zarr")
    assert run(study)[0] == 1
    assert recorded(tmp_path / "small-iron.zarr") == before, "a failure is final until --retry-failed"
    assert run(study, "--retry-failed")[0] == 1
    again = recorded(tmp_path / "small-iron.zarr")
    assert {key for key in again if again[key] > before[key]} == {key for key in before if "=0.1," in key[0]}


def test_two_ranks_give_the_same_store(smaller: Path, tmp_path: Path) -> None:
    study = write_study(tmp_path)
    study.write_text(SMALLER)
    status, _, errors = run(study, "--workers", "1", "--ranks", "2")
    assert status == 0, errors
    one, two = (sweep.open_store(folder / "small-iron.zarr").load() for folder in (smaller, tmp_path))
    assert_same_numbers(one, two)
