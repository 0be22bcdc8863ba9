"""Truncation records: written down, journaled, taken into the store, and found missing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.grid import Cylinder, GridError
from sweep.journal import Journal, JournalReader
from sweep.record_index import RecordIndex
from sweep.records import RecordError
from sweep.remaining import Remaining
from sweep.store import (
    UnstorableRecordError,
    create_store,
    open_store,
    read_truncation_status,
    write_records,
    write_truncations,
)
from sweep.truncations import ENDS, TruncationRecord
from sweep.variables import CYLINDER_VARIABLES, Status
from tests.sweep.small_store import ATTRIBUTES, BLOCK, EDGES, GRID, block_record, grid_with, point_record

RADII = (25.0, 15.0)
WIDE = grid_with(simulation_radius=RADII)
SCREW, EDGE = Cylinder("screw", 25.0), Cylinder("edge", 15.0)
ERRORS = {"truncation_geometry_error": 0.03, "truncation_energy_error": 2e-4}

numbers = st.floats(allow_nan=False, allow_infinity=False)
records = st.builds(
    TruncationRecord,
    st.builds(Cylinder, st.sampled_from(["screw", "edge"]), st.sampled_from(RADII)),
    st.sampled_from([status.name for status in ENDS]),
    st.dictionaries(st.sampled_from(sorted(ERRORS)), numbers),
    message=st.text(st.characters(codec=None)),
    worker=st.text(),
    wall_time_s=st.floats(),
)


def known(cylinder: Cylinder = SCREW, **values: float) -> TruncationRecord:
    return TruncationRecord(cylinder, "relaxed", ERRORS | values, wall_time_s=1.0)


def lost(cylinder: Cylinder = SCREW) -> TruncationRecord:
    return TruncationRecord(cylinder, "failed", message="the gang died")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "wide.zarr"
    create_store(path, WIDE, EDGES, ATTRIBUTES, truncation=True)
    return path


def left(store: Path, *journaled: TruncationRecord, retry_failed: bool = False) -> set[Cylinder]:
    journals = store.with_name("journals")
    if journaled:
        with Journal.create(journals) as journal:
            for record in journaled:
                journal.append(record)
    remaining = Remaining(WIDE, store, journals, relaxing=True, retry_failed=retry_failed)
    return set(remaining.cylinders())


@given(records)
def test_records_are_read_back_exactly(original: TruncationRecord) -> None:
    again = TruncationRecord.from_payload(original.payload)
    assert again == original
    assert again.payload == original.payload


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"status": "pending"}, "status is 'pending'"),
        ({"status": "estimated"}, "one of relaxed, other_minimum"),
        ({"values": {"truncation_energy_error": math.nan}}, "truncation_energy_error is nan"),
        ({"values": {"truncation_energy_error": True}}, "truncation_energy_error is True"),
        ({"values": {"truncation_energy_error": "low"}}, "give a finite number"),
    ],
)
def test_contradictory_records_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(RecordError, match=says) as refusal:
        TruncationRecord(**{"cylinder": SCREW, "status": "relaxed", "values": {}, **changes})
    assert SCREW.key in str(refusal.value)


@given(st.binary(max_size=30) | st.sampled_from([b"{}", b"[]", b'{"cylinder":1}', b'{"cylinder":"x"}']))
def test_other_bytes_are_no_record(junk: bytes) -> None:
    with pytest.raises(RecordError):
        TruncationRecord.from_payload(junk)


@pytest.mark.parametrize(
    "key", ["", "dislocation=screw", "dislocation=screw,simulation_radius=25", BLOCK.key]
)
def test_other_keys_are_no_cylinders(key: str) -> None:
    with pytest.raises(GridError, match="not a cylinder's key"):
        Cylinder.from_key(key)


@pytest.mark.parametrize(("name", "radius"), [("a,b", 25.0), ("", 25.0), ("screw", 0.0), ("screw", math.inf)])
def test_impossible_cylinders_are_refused(name: str, radius: float) -> None:
    with pytest.raises(GridError, match="cylinder: "):
        Cylinder(name, radius)


def test_a_journal_holds_every_kind_of_record(tmp_path: Path) -> None:
    written = [block_record(), known(), point_record(2), lost(EDGE)]
    with Journal.create(tmp_path) as journal:
        for record in written:
            journal.append(record)
    index = RecordIndex(JournalReader(tmp_path))
    assert index.refresh() == written
    assert index.damage == ()
    assert index.records == (written[0], written[2])
    assert index.truncations == (written[1], written[3])
    assert index.truncation(SCREW) == written[1]
    assert index.truncation(Cylinder("screw", 15.0)) is None
    assert len(index) == 4


def test_a_journaled_failure_never_hides_a_result(tmp_path: Path) -> None:
    for first, last in ((known(), lost()), (lost(), known())):
        folder = tmp_path / first.status
        with Journal.create(folder) as journal:
            journal.append(first)
            journal.append(last)
        index = RecordIndex(JournalReader(folder))
        index.refresh()
        assert index.truncation(SCREW) == known()


def test_a_new_store_waits_for_truncation_errors_only_where_they_are_wanted(store: Path) -> None:
    assert (read_truncation_status(store) == Status.pending).all()
    unwanted = store.with_name("unwanted.zarr")
    create_store(unwanted, GRID, EDGES, ATTRIBUTES)
    assert (read_truncation_status(unwanted) == Status.excluded).all()
    for path in (store, unwanted):
        dataset = open_store(path)
        for variable in CYLINDER_VARIABLES:
            array = dataset[variable.name]
            assert array.dims == ("dislocation", "simulation_radius")
            assert array.attrs["units"] == variable.units
            assert array.attrs["long_name"]
        assert dataset.truncation_geometry_error.isnull().all()
    assert open_store(store).truncation_geometry_error.attrs["units"] == "angstrom"
    assert open_store(store).truncation_energy_error.attrs["units"] == "eV"


def test_values_written_are_values_read(store: Path) -> None:
    other = TruncationRecord(EDGE, "other_minimum", message="the two cores are 2.0 Å apart")
    assert write_truncations(store, [known(), other])
    dataset = open_store(store).load()
    at_screw = dataset.sel(dislocation="screw", simulation_radius=25.0)
    assert {name: at_screw[name].item() for name in ERRORS} == ERRORS
    assert at_screw.truncation_status == Status.relaxed
    at_edge = dataset.sel(dislocation="edge", simulation_radius=15.0)
    assert at_edge.truncation_geometry_error.isnull()
    assert at_edge.truncation_status == Status.other_minimum
    assert int((dataset.truncation_status == Status.pending).sum()) == 2
    assert (dataset.status == Status.pending).all(), "points know nothing of it"


def test_merging_again_writes_nothing(store: Path) -> None:
    written = [known(), lost(EDGE)]
    assert write_truncations(store, written)
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    assert not write_truncations(store, written)
    assert not write_truncations(store, [])
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before


def test_a_failure_never_replaces_a_result_and_a_result_replaces_a_failure(store: Path) -> None:
    write_truncations(store, [lost()])
    assert read_truncation_status(store)[0, 0] == Status.failed
    write_truncations(store, [known()])
    assert not write_truncations(store, [lost()])
    assert read_truncation_status(store)[0, 0] == Status.relaxed


def test_a_later_record_leaves_nothing_of_an_earlier_one(store: Path) -> None:
    write_truncations(store, [known()])
    write_truncations(store, [TruncationRecord(SCREW, "other_minimum")])
    dataset = open_store(store)
    assert np.isnan(dataset.truncation_energy_error.values).all()


def test_points_and_truncation_errors_do_not_disturb_each_other(store: Path) -> None:
    write_truncations(store, [known()])
    write_records(store, [block_record(), point_record(2)])
    dataset = open_store(store)
    assert dataset.truncation_energy_error[0, 0] == ERRORS["truncation_energy_error"]
    assert int((dataset.status == Status.relaxed).sum()) == 1


def test_a_crash_before_the_status_leaves_the_cylinder_pending(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sweep.location.FolderLocation.sync", crash)
        with pytest.raises(KeyboardInterrupt):
            write_truncations(store, [known()])
    assert (read_truncation_status(store) == Status.pending).all()
    assert write_truncations(store, [known()])
    assert read_truncation_status(store)[0, 0] == Status.relaxed


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (known(Cylinder("mixed", 25.0)), "dislocation has no 'mixed'"),
        (known(Cylinder("screw", 26.0)), r"simulation_radius has no 26\.0; it has 25\.0, 15\.0"),
        (known(geometry_error=1.0), "geometry_error is not what truncation records give"),
        (known(truncation_status=2.0), "truncation_status is not what"),
    ],
)
def test_a_record_that_does_not_fit_is_refused_before_anything_is_written(
    store: Path, record: TruncationRecord, says: str
) -> None:
    with pytest.raises(UnstorableRecordError, match=says) as refusal:
        write_truncations(store, [known(), record])
    assert record.cylinder.key in str(refusal.value)
    assert (read_truncation_status(store) == Status.pending).all()


def test_what_is_left_is_what_neither_store_nor_journals_have(store: Path) -> None:
    everything = set(WIDE.cylinders())
    assert everything == {Cylinder(name, radius) for name in ("screw", "edge") for radius in RADII}
    assert left(store) == everything
    write_truncations(store, [known()])
    assert left(store, known(EDGE)) == everything - {SCREW, EDGE}


def test_failures_are_left_only_for_those_who_ask(store: Path) -> None:
    others = set(WIDE.cylinders()) - {SCREW, EDGE}
    write_truncations(store, [lost(SCREW)])
    assert left(store, lost(EDGE)) == others
    assert left(store, retry_failed=True) == others | {SCREW, EDGE}
    assert left(store, known(EDGE), retry_failed=True) == others | {SCREW}


def test_another_minimum_is_an_answer(store: Path) -> None:
    assert SCREW not in left(store, TruncationRecord(SCREW, "other_minimum", message="moved"))
