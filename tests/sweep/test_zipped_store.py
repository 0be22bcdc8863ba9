"""A store in a zip archive: read by every command that reads, and written by none."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import xarray as xr
import zarr

from sweep.cores.command import keep
from sweep.exporting.command import export
from sweep.figures.command import write_figures
from sweep.forecast.forecast import forecast
from sweep.location import LocationError, location_of
from sweep.merging.command import merge_stores
from sweep.refusals import RefusedError
from sweep.report.command import make_report
from sweep.status import show_status
from sweep.store import StoreError, StoreMissingError, open_failures, open_store, write_records
from sweep.transfers.command import show_transfers
from sweep.verify import verify_store
from tests.small_study import write_study
from tests.sweep.small_store import N_WEIGHTINGS, block_record, new_store, point_record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = new_store(tmp_path / "small.zarr")
    write_records(store, [block_record(), *(point_record(index) for index in range(N_WEIGHTINGS))])
    return store


@pytest.fixture
def archive(folder: Path, tmp_path: Path) -> Path:
    (tmp_path / "shipped").mkdir()
    target = tmp_path / "shipped" / "small.zarr.zip"
    assert export(folder, target) == 0
    return target


def beside(archive: Path) -> list[str]:
    return sorted(path.name for path in archive.parent.iterdir())


def test_an_archive_reads_as_its_store_does(folder: Path, archive: Path) -> None:
    xr.testing.assert_identical(open_store(archive).load(), open_store(folder).load())
    xr.testing.assert_identical(open_failures(archive), open_failures(folder))
    # without Farfield too
    with zarr.storage.ZipStore(archive, mode="r") as store:
        xr.testing.assert_identical(xr.open_zarr(store).load(), open_store(folder).load())


def test_commands_that_read_take_an_archive(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show_status(archive) == 0
    assert "6 relaxed" in capsys.readouterr().out
    assert [found.line for found in verify_store(archive) if found.weight.value == "fault"] == []
    assert write_figures(archive) == 0
    assert make_report(archive) == 0
    assert beside(archive) == ["small.figures", "small.html", "small.zarr.zip"]


def test_archives_can_be_merged(folder: Path, archive: Path, tmp_path: Path) -> None:
    assert merge_stores([archive, archive], tmp_path / "merged.zarr") == 0
    merged = open_store(tmp_path / "merged.zarr").load()
    xr.testing.assert_equal(merged, open_store(folder).load())


@pytest.mark.parametrize("write", [keep, show_transfers, lambda archive: merge_stores([archive], archive)])
def test_commands_that_write_refuse_an_archive_and_leave_nothing(
    archive: Path, write: Callable[[Path], int], capsys: pytest.CaptureFixture[str]
) -> None:
    before = archive.read_bytes()
    assert write(archive) == 2
    assert "is an archive, which is only read; unpack it" in capsys.readouterr().err
    assert beside(archive) == ["small.zarr.zip"]
    assert archive.read_bytes() == before


def test_no_study_runs_into_an_archive_whether_it_is_there_or_not(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"new\.zarr\.zip is an archive"):
        forecast(write_study(tmp_path), store=tmp_path / "new.zarr.zip", artefacts=None)
    with pytest.raises(LocationError, match="is an archive"):
        location_of(tmp_path / "new.zarr.zip").guarded(lambda: None)


def test_records_are_not_written_into_an_archive(archive: Path) -> None:
    with pytest.raises(StoreError, match="is an archive"):
        write_records(archive, [block_record()])


def test_what_is_no_archive_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(StoreMissingError, match="no store at"):
        open_store(tmp_path / "none.zarr.zip")
    (tmp_path / "text.zarr.zip").write_text("not one", encoding="utf-8")
    with pytest.raises(StoreError, match="it is no zip archive"):
        open_store(tmp_path / "text.zarr.zip")
    with zipfile.ZipFile(tmp_path / "empty.zarr.zip", "w"):
        pass
    with pytest.raises(StoreError, match="is not a store of Farfield's"):
        open_store(tmp_path / "empty.zarr.zip")


def test_the_same_store_gives_the_same_bytes(folder: Path, archive: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zarr.zip"
    assert export(folder, again) == 0
    assert again.read_bytes() == archive.read_bytes()


def test_only_a_folder_is_put_into_an_archive(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(archive, tmp_path / "again.zarr.zip") == 2
    assert "only a store in a folder" in capsys.readouterr().err
    assert export(tmp_path / "none.zarr", tmp_path / "none.zarr.zip") == 2
    assert not (tmp_path / "none.zarr.zip").exists()
