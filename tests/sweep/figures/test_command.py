"""`sweep figures`: files, their paths, and one message where there is nothing to draw."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from sweep.figures.command import write_figures
from sweep.figures.cores import picture_of_cores
from sweep.figures.gallery import main_error, numbered_axes
from sweep.figures.saving import save
from sweep.records import Record
from sweep.store import create_store, open_store, write_configuration, write_records
from tests.sweep.made_up import screw
from tests.sweep.small_store import ATTRIBUTES, EDGES, N_WEIGHTINGS, grid_with, new_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store on the disk, of two dislocations, relaxed; the screw's configuration is kept."""
    path = tmp_path_factory.mktemp("figures") / "law.zarr"
    grid = grid_with(domain_radius=(6.0, 8.0, 12.0))
    create_store(path, grid, EDGES, ATTRIBUTES)
    records = []
    for block in grid.blocks():
        error = 1 / block.domain_radius + 0.01 * block.replica
        fit = {"rmse_forces": [[error, error]] * N_WEIGHTINGS, "geometry_estimate": [error] * N_WEIGHTINGS}
        records.append(Record(block, None, "estimated", fit, wall_time_s=1.0))
        for index in range(N_WEIGHTINGS):
            values = {
                "geometry_error": error * (1 + index),
                "strain_error_profile": [error, error / 2, error / 3],
            }
            records.append(Record(block, index, "relaxed", values, wall_time_s=0.1))
    write_records(path, records)
    configuration = screw()
    write_configuration(
        path, "screw", 25.0, {name: configuration[name].values for name in configuration.data_vars}
    )
    return path


def test_every_figure_is_written_and_its_path_printed(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "law.zarr"
    copy.symlink_to(store)
    assert write_figures(copy) == 0
    captured = capsys.readouterr()
    paths = [Path(line) for line in captured.out.splitlines()]
    assert {path.parent for path in paths} == {tmp_path / "law.figures"}, "beside the store unless told"
    assert paths[0].name == "geometry_error-domain_radius.svg", "the first is what a user sees first"
    assert {path.name for path in paths} >= {
        "geometry_error-degree.svg",
        "geometry_error-rmse_forces.svg",
        "geometry_error-weights.svg",
        "strain_error_profile.svg",
        "effectivity.svg",
        "core-screw.svg",
    }
    for path in paths:
        assert "<svg" in path.read_text()[:1000]
    # what this store has no values of is said, not passed over
    assert "no energy_error-domain_radius" in captured.err


@pytest.mark.parametrize(("form", "begins"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_the_same_data_give_the_same_file_in_every_format(form: str, begins: bytes) -> None:
    files = []
    for _ in range(2):
        files.append(io.BytesIO())
        save(picture_of_cores(screw(), reach=6.0), files[-1], form)
    assert files[0].getvalue().startswith(begins)
    assert files[0].getvalue() == files[1].getvalue()


def test_what_leads_and_which_axes_are_drawn(store: Path) -> None:
    ds = open_store(store)
    assert main_error(ds) == "geometry_error"
    assert numbered_axes(ds) == ["domain_radius", "degree"]


def test_nothing_to_draw_is_said_with_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = new_store(tmp_path / "empty.zarr")
    assert write_figures(empty, tmp_path / "figures") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "pending" in captured.err
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(
    ("name", "form", "said"),
    [("none.zarr", "svg", "no store at"), ("none.zarr", "bmp", "bmp"), (".", "svg", "not a store")],
)
def test_bad_input_is_one_message_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, form: str, said: str
) -> None:
    assert write_figures(tmp_path / name, tmp_path / "figures", form=form) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert len(captured.err.splitlines()) == 1


def test_a_damaged_chunk_is_a_message(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "damaged.zarr"
    shutil.copytree(store, copy)
    for chunk in (copy / "geometry_error" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"not compressed at all")
    assert write_figures(copy, tmp_path / "figures") == 2
    assert capsys.readouterr().err
