"""A study that relaxes what its estimates call for, end to end: the choice, resuming it, and refining it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import sweep
from sweep.grid import grid_of
from sweep.selection import ESTIMATES, Estimates, SampledPoints
from sweep.study import load_study
from sweep.variables import Status
from tests.small_study import STUDY, SWEEP, recorded, run

SHARE = 0.25


@pytest.fixture(scope="module")
def sampled(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Screen the study, then go on with its sample; artefacts are those of the whole study."""
    folder = tmp_path_factory.mktemp("sampled")
    study = folder / "small-iron.yaml"
    study.write_text(STUDY + f"fidelity: {{relax: {{sample: {SHARE}}}}}\n", encoding="utf-8")
    artefacts = str(finished / "small-iron.zarr.run" / "artefacts")
    screened = command(folder, "screen", str(study), "--artefacts", artefacts)
    assert screened.returncode == 0, screened.stderr
    dataset = sweep.open_store(folder / "small-iron.zarr")
    assert set(np.unique(dataset["status"])) == {Status.estimated, Status.excluded}
    status, _, errors = run(study, "--artefacts", artefacts)
    assert status in (0, 1), errors
    return folder


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SWEEP, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
        env={**os.environ, "FARFIELD_TEST": str(folder), "COLUMNS": "200"},
        check=False,
    )


def expected(folder: Path) -> np.ndarray:
    """Which points the rule chooses, from the estimates alone."""
    study = load_study(folder / "small-iron.yaml")
    grid, dataset = grid_of(study), sweep.open_store(folder / "small-iron.zarr").load()
    choice, mask = SampledPoints(study.seed, grid.weightings(), SHARE), np.zeros(grid.shape, dtype=bool)
    for block in grid.blocks():
        place = grid.index(block)
        known = {name: dataset[name].values[place].ravel() for name in ESTIMATES}
        mask[place] = choice(block, Estimates.of(known, mask[place].size)).reshape(mask[place].shape)
    return mask


def test_what_is_relaxed_is_what_the_estimates_call_for(sampled: Path) -> None:
    status = sweep.open_store(sampled / "small-iron.zarr")["status"].values
    fits = status != Status.excluded
    ended = np.isin(status, [Status.relaxed, Status.unconverged, Status.other_minimum, Status.failed])
    np.testing.assert_array_equal(ended, expected(sampled) & fits)
    assert (status[fits & ~ended] == Status.estimated).all()
    assert ended.any()


def test_running_again_does_nothing(sampled: Path) -> None:
    before = recorded(sampled / "small-iron.zarr")
    artefacts = str(sampled / "none")
    status, _, errors = run(sampled / "small-iron.yaml", "--artefacts", artefacts)
    assert status in (0, 1), errors
    assert "to do" not in errors
    assert recorded(sampled / "small-iron.zarr") == before


def test_relaxed_points_are_those_of_the_whole_study(sampled: Path, finished: Path) -> None:
    part, whole = (sweep.open_store(each / "small-iron.zarr").load() for each in (sampled, finished))
    relaxed = part["status"] == Status.relaxed
    for name in ("geometry_error", "energy_difference", "geometry_estimate", "stiffness_estimate"):
        np.testing.assert_allclose(
            part[name].values[relaxed.values], whole[name].values[relaxed.values], rtol=1e-6, err_msg=name
        )


def test_a_refinement_relaxes_as_many_points_as_it_may(sampled: Path, finished: Path) -> None:
    store = sampled / "small-iron.zarr"
    before = sweep.open_store(store)["status"].values
    waiting = int((before == Status.estimated).sum())
    if not waiting:
        pytest.skip("every estimate asked for a relaxation")
    artefacts = str(finished / "small-iron.zarr.run" / "artefacts")
    refined = command(sampled, "refine", store.name, "--points", "1", "--artefacts", artefacts)
    assert refined.returncode in (0, 1), refined.stderr
    after = sweep.open_store(store)["status"].values
    assert int((before != after).sum()) == 1
    assert before[before != after] == Status.estimated


def test_the_status_says_how_good_the_estimates_were(finished: Path) -> None:
    told = command(finished, "status", "small-iron.zarr")
    assert told.returncode == 0, told.stderr
    assert "32 points" in told.stdout
    assert "estimated over relaxed geometry error" in told.stdout
