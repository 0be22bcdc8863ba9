"""A study that simulates each potential in its own lattice, end to end, and every command that reads its store."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import sweep
from sweep.cli import application
from sweep.variables import Status, Trust
from tests.small_study import SMALLER, run

STUDY = SMALLER.replace(", comparison_radius: 36.0", ", predictor: potential").replace(
    "weight_virial: [0.0, 1.0]", "weight_virial: [1.0]"
)
ERROR, ALONG = "--error", "--along"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert "predictor: potential" in STUDY
    study = tmp_path_factory.mktemp("own") / "own.yaml"
    study.write_text(STUDY)
    status, output, errors = run(study)
    assert status == 0, output + errors
    return study.with_name("small-iron.zarr")


def test_correctors_alone_are_compared_and_estimated(store: Path) -> None:
    dataset = sweep.open_store(store).load().squeeze()
    assert int(dataset["status"]) == Status.relaxed
    assert 0.0 < float(dataset["geometry_error"]) < 1.0
    assert 0.5 < float(dataset["effectivity"]) < 2.0
    # the bins part all bonds among them
    for profile, error in (
        ("strain_error_profile", "geometry_error"),
        ("strain_error_profile_estimate", "geometry_estimate"),
    ):
        assert float(np.sqrt((dataset[profile] ** 2).sum())) == pytest.approx(float(dataset[error]))
    for name in ("energy_error", "energy_difference", "energy_estimate", "trust_ratio", "stiffness_estimate"):
        assert bool(dataset[name].isnull()), name
    assert int(dataset["estimate_trusted"]) == Trust.unknown


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "own.yaml"],
        ["status", "small-iron.zarr"],
        ["rates", "small-iron.zarr", ERROR, "geometry_error", ALONG, "domain_radius"],
        ["rates", "small-iron.zarr", ERROR, "energy_error", ALONG, "domain_radius"],
        ["hypotheses", "small-iron.zarr"],
        ["advise", "small-iron.zarr", "--tolerance", "0.1"],
        ["advise", "small-iron.zarr", "--tolerance", "0.1", ERROR, "energy_error"],
        ["report", "small-iron.zarr"],
        ["verify", "small-iron.zarr"],
    ],
    ids=" ".join,
)
def test_what_reads_the_store_does_without_energies(
    store: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(store.parent)
    ended = CliRunner().invoke(application, words)
    assert ended.exit_code == 0, ended.output
    assert ended.output


@pytest.mark.parametrize(("command", "why"), [("core", "lattices of their own"), ("transfer", "not judged")])
def test_what_needs_the_references_lattice_is_refused(
    store: Path, monkeypatch: pytest.MonkeyPatch, command: str, why: str
) -> None:
    monkeypatch.chdir(store.parent)
    before = stamps(store)
    ended = CliRunner().invoke(application, [command, store.name])
    assert ended.exit_code == 2, ended.output
    assert "simulation.predictor: potential" in ended.output
    assert why in ended.output
    assert len(ended.output.strip().splitlines()) == 1
    assert stamps(store) == before


def stamps(store: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in store.rglob("*")}


def test_the_store_of_another_predictor_is_refused(store: Path) -> None:
    study = store.with_name("other.yaml")
    study.write_text(STUDY.replace("predictor: potential", "predictor: reference"))
    status, _, errors = run(study, "--store", str(store))
    assert status == 2
    assert 'study.simulation.predictor was "potential", is now "reference"' in " ".join(errors.split())
