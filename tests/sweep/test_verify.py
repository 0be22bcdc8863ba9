"""`sweep verify` names what is wrong with a store that was spoilt in one way, and finds nothing in a whole one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr

from sweep.artefacts import ArtefactFolder, Recipe
from sweep.grid import Block
from sweep.journal import Journal
from sweep.records import Record
from sweep.store import StoreError, open_store, read_status, write_records
from sweep.verify import Weight, verify_store
from sweep.verify.command import show_verified
from tests.sweep.small_store import BLOCK, N_WEIGHTINGS, block_record, new_store, point_record

RECIPE = Recipe("kernels.materials:bulk_properties", 1, {"element": "W"})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store, its journals and an artefact, all of which agree."""
    folder = tmp_path_factory.mktemp("whole")
    store, run = new_store(folder / "small.zarr"), folder / "small.zarr.run"
    records = [block_record(), *(point_record(index) for index in range(N_WEIGHTINGS))]
    with Journal(run / "journals" / "a.journal") as journal:
        for record in records:
            journal.append(record)
    write_records(store, records)
    ArtefactFolder(run / "artefacts").write(RECIPE, {"c11": 517.7})
    return folder


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "copy")
    return tmp_path / "copy" / "small.zarr"


def faults(store: Path) -> list[str]:
    return [found.line for found in verify_store(store) if found.weight is Weight.fault]


def chunk_of(store: Path, array: str) -> Path:
    return next(path for path in (store / array / "c").rglob("*") if path.is_file())


def test_a_whole_store_is_clean_and_nothing_is_written(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*")}
    assert show_verified(whole / "small.zarr") == 0
    assert capsys.readouterr().out == "nothing to mend\n"
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*")} == before


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncated_chunk(store: Path) -> None:
    path = chunk_of(store, "geometry_error")
    path.write_bytes(path.read_bytes()[:-3])


def flipped_chunk(store: Path) -> None:
    flipped(chunk_of(store, "geometry_error"))


def lost_chunk(store: Path) -> None:
    chunk_of(store, "geometry_error").unlink()


def chunk_off_the_grid(store: Path) -> None:
    path = chunk_of(store, "status")
    shutil.copy(path, path.with_name("7"))


def stray_file(store: Path) -> None:
    (store / "notes.txt").write_text("mine")


def status_before_data(store: Path) -> None:
    array = zarr.open_group(store, mode="r+")["status"]
    assert isinstance(array, zarr.Array)
    array[0, 0, 0, 0, 0, 0] = 2


def data_before_status(store: Path) -> None:
    chunk_of(store, "status").unlink()


def damaged_journal(store: Path) -> None:
    flipped(store.with_name("small.zarr.run") / "journals" / "a.journal")


def journal_off_the_grid(store: Path) -> None:
    with Journal(store.with_name("small.zarr.run") / "journals" / "b.journal") as journal:
        journal.append(Record(Block("mixed", 25.0, 8, 8.5, 4, 1), 0, "relaxed"))
        journal.append(Record(BLOCK, N_WEIGHTINGS, "relaxed"))


def journal_not_taken_in(store: Path) -> None:
    with Journal(store.with_name("small.zarr.run") / "journals" / "b.journal") as journal:
        journal.append(block_record(Block("screw", 25.0, 6, 6.0, 4, 0)))


def damaged_artefact(store: Path) -> None:
    flipped(ArtefactFolder(store.with_name("small.zarr.run") / "artefacts").path_of(RECIPE))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (truncated_chunk, "geometry_error, chunk (0, 0, 0, 0, 0, 0, 0, 0, 0): cannot be read"),
        (flipped_chunk, "geometry_error, chunk (0, 0, 0, 0, 0, 0, 0, 0, 0): cannot be read"),
        (lost_chunk, "6 points are relaxed without a geometry_error; the first is dislocation edge"),
        (chunk_off_the_grid, "a chunk outside its array"),
        (stray_file, "notes.txt: no array of the store has this file"),
        (status_before_data, "relaxed without a geometry_error; the first is dislocation screw"),
        (data_before_status, "6 points are pending with data"),
        (damaged_journal, "damaged from byte"),
        (journal_off_the_grid, "2 records are off the store's grid"),
        (journal_not_taken_in, "6 points are journaled and not in the store"),
        (damaged_artefact, "damaged: "),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_each_fault_is_named_with_what_mends_it(
    store: Path, spoil: Callable[[Path], None], says: str
) -> None:
    spoil(store)
    found = faults(store)
    assert any(says in line and " -> " in line for line in found), found


def test_a_damaged_chunk_is_never_taken_for_numbers(store: Path) -> None:
    flipped_chunk(store)
    with pytest.raises(ValueError, match="checksum"):
        open_store(store)["geometry_error"].load()
    flipped(chunk_of(store, "status"))
    with pytest.raises(StoreError, match="status cannot be read"):
        read_status(store)


def test_findings_as_json_and_exit_statuses(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost_chunk(store)
    assert show_verified(store, as_json=True) == 1
    (finding,) = json.loads(capsys.readouterr().out)
    assert finding["weight"] == "fault"
    assert set(finding) == {"weight", "where", "what", "mend"}
    assert show_verified(store.with_name("none.zarr")) == 2
    assert "no store at" in capsys.readouterr().err


def test_what_no_journal_has_is_told_and_is_no_fault(store: Path) -> None:
    shutil.rmtree(store.with_name("small.zarr.run") / "journals")
    notes = list(verify_store(store))
    assert [note.weight for note in notes] == [Weight.note]
    assert np.count_nonzero(read_status(store)) == N_WEIGHTINGS
