"""Bad input: one message, exit status 2, nothing written."""

import shutil
from pathlib import Path

import pytest

from tests.small_study import STUDY, run, write_study


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


@pytest.mark.parametrize("option", ["--store", "--artefacts", "run folder"])
def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, option: str) -> None:
    study = write_study(tmp_path)
    blocked = tmp_path / ("small-iron.zarr.run" if option == "run folder" else "blocked")
    blocked.write_text("a file")
    options = {
        "--store": ("--store", str(blocked / "x.zarr")),
        "--artefacts": ("--artefacts", str(blocked / "x")),
    }
    status, output, errors = run(study, *options.get(option, ()))
    assert status == 2, errors
    assert blocked.name in errors
    assert "Traceback" not in output + errors
    assert not (tmp_path / "small-iron.zarr").exists()


def test_a_damaged_store_is_named(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    chunk = next(path for path in (folder / "small-iron.zarr" / "status" / "c").rglob("*") if path.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-3])
    status, output, errors = run(folder / "small-iron.yaml")
    assert status == 2
    assert "status cannot be read" in errors
    assert "Traceback" not in output + errors
