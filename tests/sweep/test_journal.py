from __future__ import annotations

import dataclasses
import json
import math
import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.grid import Block
from sweep.journal import Journal, JournalError, JournalReader
from sweep.journal_frames import FORMAT_VERSION
from sweep.record_index import RecordIndex
from sweep.records import Record, RecordError
from sweep.variables import Status

BLOCK = Block("screw", 25.0, 6, 8.0, 4, 0)

floats = st.floats() | st.floats(width=32)
values = st.dictionaries(
    st.sampled_from(["geometry_error", "pressure", "ψ"]),
    floats | st.lists(floats, max_size=3) | st.lists(st.lists(floats, min_size=2, max_size=2), max_size=3),
)
records = st.builds(
    Record,
    st.builds(
        Block,
        st.sampled_from(["screw", "edge"]),
        st.floats(1, 99),
        st.just(6),
        st.just(8.0),
        st.just(4),
        st.integers(0, 3),
    ),
    st.none() | st.integers(0, 9),
    st.sampled_from([status.name for status in Status if status is not Status.pending]),
    values,
    message=st.text(st.characters(codec=None)),
    worker=st.text(),
    wall_time_s=floats,
)


def record(index: int | None = 0, status: str = "relaxed", **given_values: Any) -> Record:
    return Record(BLOCK, index, status, given_values or {"geometry_error": 0.1})


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.create(tmp_path) as opened:
        yield opened


@given(records)
def test_records_are_read_back_exactly(original: Record) -> None:
    again = Record.from_payload(original.payload)
    assert again == original
    assert again.payload == original.payload
    for name, value in original.values.items():
        # Bit by bit where it is a number: -0.0 and the last digit count.
        assert [struct.pack("d", x) for x in value.flat if not math.isnan(x)] == [
            struct.pack("d", x) for x in again.values[name].flat if not math.isnan(x)
        ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"status": "done"}, "status is 'done'"),
        ({"status": "pending"}, "not pending"),
        ({"status": ("relaxed", "failed")}, "a point has one"),
        ({"weighting_index": -1}, "weighting_index is -1"),
        ({"weighting_index": True}, "weighting_index is True"),
        ({"values": {"pressure": [[1.0], [1.0, 2.0]]}}, "pressure is a ragged list"),
        ({"values": {"pressure": "high"}}, "pressure is 'high'"),
        ({"values": {"pressure": None}}, "pressure is None"),
    ],
)
def test_contradictory_records_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(RecordError, match=says) as refusal:
        Record(**{"block": BLOCK, "weighting_index": 3, "status": "relaxed", "values": {}, **changes})
    assert BLOCK.key in str(refusal.value)


@given(st.binary(max_size=30) | st.sampled_from([b"{}", b"[]", b'{"block":1}', b"1", b'{"block":"x"}']))
def test_other_bytes_are_no_record(junk: bytes) -> None:
    with pytest.raises(RecordError):
        Record.from_payload(junk)


@given(records)
def test_records_of_the_format_before_are_read(original: Record) -> None:
    """They held arrays as lists within their text, in which one NaN is like another."""
    document = json.loads(original.payload.partition(b"\0")[0])
    del document["arrays"]
    document["values"] = {name: value.tolist() for name, value in sorted(original.values.items())}
    values = {name: np.where(np.isnan(value), np.nan, value) for name, value in original.values.items()}
    expected = dataclasses.replace(original, values=values)
    assert Record.from_payload(json.dumps(document).encode()) == expected


@given(records)
def test_a_record_says_how_its_work_failed(original: Record) -> None:
    failed = dataclasses.replace(original, stage="fits", attempts=2, log_tail="no λ", when="2026-11-28")
    assert Record.from_payload(failed.payload) == failed
    # one that did not fail is written as in the format before
    names = {"block", "weighting_index", "status", "values", "arrays", "message", "worker", "wall_time_s"}
    assert set(json.loads(original.payload.partition(b"\0")[0])) == names


@pytest.mark.parametrize(
    "spoil", [lambda p: p[:-1], lambda p: p + b"\0", lambda p: p.replace(b"[3]", b"[9]")]
)
def test_arrays_that_do_not_fit_their_bytes_are_no_record(spoil: Callable[[bytes], bytes]) -> None:
    payload = record(None, "estimated", pressure=[1.0, 2.0, 3.0]).payload
    with pytest.raises(RecordError, match="do not hold arrays"):
        Record.from_payload(spoil(payload))


def test_an_index_may_keep_a_few_values_only(tmp_path: Path, journal: Journal) -> None:
    whole = record(None, "estimated", pressure=[1.0, 2.0], rank=3.0)
    whole = dataclasses.replace(whole, message="what\nand where", log_tail="much")
    journal.append(whole)
    index = RecordIndex(JournalReader(tmp_path), keeping=("rank", "condition"))
    assert index.refresh() == [whole]
    kept = index.get(BLOCK, None)
    assert kept is not None
    assert set(kept.values) == {"rank"}
    assert (kept.status, kept.block) == (whole.status, BLOCK)
    assert (kept.message, kept.log_tail) == ("what", "")


@given(parts=st.integers(1, 400), count=st.integers(0, 8))
@settings(max_examples=30)
def test_journals_are_read_the_same_in_parts_of_any_size(parts: int, count: int) -> None:
    """A part may end anywhere, and be smaller than a record."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sweep.journal.PART_BYTES", parts)
        written = [record(index) for index in range(count)]
        with Journal.create(folder) as journal:
            for each in written[: count // 2]:
                journal.append(each)
            reader = JournalReader(folder)
            first = reader.refresh()
            for each in written[count // 2 :]:
                journal.append(each, wait=False)
            journal.sync()
        assert first + reader.refresh() == written
        assert reader.refresh() == []
        assert reader.damage == ()


def test_what_is_not_waited_for_is_confirmed_by_the_next_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmed = list[int]()
    monkeypatch.setattr("sweep.journal.LONGEST_WAIT_S", 3600.0)
    with Journal.create(tmp_path) as journal:
        monkeypatch.setattr("sweep.journal.os.fsync", confirmed.append)
        for index in range(5):
            journal.append(record(index), wait=False)
        assert confirmed == []
        journal.sync()
        journal.sync()
        assert len(confirmed) == 1
        monkeypatch.setattr("sweep.journal.LONGEST_WAIT_S", 0.0)
        journal.append(record(5), wait=False)
        assert len(confirmed) == 2, "a record that took its time is confirmed on its own"


def test_a_reader_gives_each_record_once(tmp_path: Path, journal: Journal) -> None:
    reader = JournalReader(tmp_path)
    assert reader.refresh() == []
    journal.append(record(0))
    with Journal.create(tmp_path) as other:
        other.append(record(1))
        assert {r.weighting_index for r in reader.refresh()} == {0, 1}
        journal.append(record(2))
        assert reader.refresh() == [record(2)]
        assert reader.refresh() == []
    assert reader.damage == ()
    assert journal.path != other.path


def test_no_folder_holds_no_record(tmp_path: Path) -> None:
    assert JournalReader(tmp_path / "none").refresh() == []


def test_a_record_is_synced_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    write, fsync = os.write, os.fsync
    with Journal.create(tmp_path) as journal:
        monkeypatch.setattr("sweep.journal.os.write", lambda *a: (done.append("write"), write(*a))[1])
        monkeypatch.setattr("sweep.journal.os.fsync", lambda *a: (done.append("fsync"), fsync(*a))[1])
        journal.append(record())
    assert done == ["write", "fsync"]


@given(st.data())
def test_a_journal_torn_anywhere_keeps_its_whole_frames(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("torn")
    written = data.draw(st.lists(records, min_size=1, max_size=4))
    with Journal(folder / "mine.journal") as journal:
        ends = [journal.path.stat().st_size]
        for item in written:
            journal.append(item)
            ends.append(journal.path.stat().st_size)
    whole = journal.path.read_bytes()
    torn = data.draw(st.integers(0, len(whole)))
    journal.path.write_bytes(whole[:torn])
    kept = sum(torn >= end for end in ends[1:])
    reader = JournalReader(folder)
    assert reader.refresh() == written[:kept]
    # Later the rest arrives, and nothing is lost or given twice.
    journal.path.write_bytes(whole)
    assert reader.refresh() == written[kept:]
    # Or else its owner comes back, cuts the tear off and goes on.
    journal.path.write_bytes(whole[:torn])
    with Journal(journal.path) as again:
        again.append(written[0])
    fresh = JournalReader(folder)
    assert fresh.refresh() == [*written[:kept], written[0]]
    assert reader.damage == fresh.damage == ()


def test_every_tear_of_one_frame(tmp_path: Path) -> None:
    path = tmp_path / "mine.journal"
    with Journal(path) as journal:
        journal.append(record(0))
        first = path.stat().st_size
        journal.append(record(1))
    whole = path.read_bytes()
    for torn in range(first, len(whole)):
        # With zeros where the rest has not arrived yet, too.
        for tail in (b"", bytes(len(whole) - torn)):
            path.write_bytes(whole[:torn] + tail)
            reader = JournalReader(tmp_path)
            assert reader.refresh() == [record(0)]
            path.write_bytes(whole)
            assert reader.refresh() == [record(1)]


def test_every_damaged_byte_in_the_middle_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "mine.journal"
    with Journal(path) as journal:
        start = path.stat().st_size
        journal.append(record(0))
        first = path.stat().st_size
        journal.append(record(1))
        second = path.stat().st_size
        journal.append(record(2))
    whole = path.read_bytes()
    with Journal(tmp_path / "other.journal") as other:
        other.append(record(3))
    for place in range(start, second):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        reader = JournalReader(tmp_path)
        expected = [] if place < first else [record(0)]
        assert reader.refresh() == [*expected, record(3)]
        (damage,) = reader.damage
        assert (damage.path, damage.offset) == (path, start if place < first else first)
        assert reader.refresh() == []
        with pytest.raises(JournalError, match="damaged"):
            Journal(path)


def test_a_valid_frame_that_holds_no_record_is_damage(tmp_path: Path) -> None:
    class Other:
        payload = b"{}"

    with Journal.create(tmp_path) as journal:
        journal.append(Other())  # type: ignore[arg-type]
    reader = JournalReader(tmp_path)
    assert reader.refresh() == []
    assert "not a record" in reader.damage[0].reason


def test_a_foreign_file_is_damage_and_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "notes.journal"
    path.write_text("Dear diary, today I relaxed.")
    reader = JournalReader(tmp_path)
    assert reader.refresh() == []
    assert reader.damage[0].reason == "not a journal"
    with pytest.raises(JournalError, match="not a journal"):
        Journal(path)
    assert path.read_text() == "Dear diary, today I relaxed."


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    with Journal.create(tmp_path) as journal:
        pass
    contents = bytearray(journal.path.read_bytes())
    contents[8:12] = struct.pack("<I", FORMAT_VERSION + 1)
    journal.path.write_bytes(contents)
    with pytest.raises(JournalError, match="newer version of Farfield"):
        JournalReader(tmp_path).refresh()
    with pytest.raises(JournalError, match="newer version of Farfield"):
        Journal(journal.path)


def test_a_journal_has_one_owner(tmp_path: Path, journal: Journal) -> None:
    with pytest.raises(JournalError, match="open in another process"):
        Journal(journal.path)


@pytest.mark.parametrize("written", [0, 1, 30])
def test_a_full_disk_leaves_whole_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    write = os.write
    with Journal.create(tmp_path) as journal:
        journal.append(record(0))
        with monkeypatch.context() as patch:
            patch.setattr("sweep.journal.os.write", lambda fd, data: write(fd, data[:written]))
            with pytest.raises(OSError, match="bytes written"):
                journal.append(record(1))
        journal.append(record(2))
    assert JournalReader(tmp_path).refresh() == [record(0), record(2)]


def test_a_tear_that_cannot_be_cut_off_closes_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    write = os.write
    with Journal.create(tmp_path) as journal:
        journal.append(record(0))
        with monkeypatch.context() as patch:
            patch.setattr("sweep.journal.os.write", lambda fd, data: write(fd, data[:9]))
            patch.setattr("sweep.journal.os.ftruncate", refuse)
            with pytest.raises(JournalError, match="could not be cut off"):
                journal.append(record(1))
        with pytest.raises(JournalError, match="open another journal"):
            journal.append(record(2))
    assert JournalReader(tmp_path).refresh() == [record(0)]


def test_an_unconfirmed_write_closes_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with Journal.create(tmp_path) as journal:
        with monkeypatch.context() as patch:
            patch.setattr("sweep.journal.os.fsync", refuse)
            with pytest.raises(OSError, match="Input/output error"):
                journal.append(record(1))
        with pytest.raises(JournalError, match="did not confirm"):
            journal.append(record(2))


def test_the_index_answers_from_all_journals(tmp_path: Path, journal: Journal) -> None:
    index = RecordIndex(JournalReader(tmp_path))
    block_record = Record(BLOCK, None, ("estimated", "excluded"))
    journal.append(block_record)
    with Journal.create(tmp_path) as other:
        other.append(record(1))
    assert index.get(BLOCK, None) is None
    index.refresh()
    assert index.get(BLOCK, None) == block_record
    assert index.get(BLOCK, 1) == record(1)
    assert index.get(BLOCK, 0) is None
    assert index.get(Block("screw", 25.0, 6, 8.0, 4, 1), None) is None
    journal.append(record(1, geometry_error=0.2))
    index.refresh()
    assert index.get(BLOCK, 1) == record(1, geometry_error=0.2)
    assert len(index) == len(index.records) == 2


@pytest.mark.parametrize("order", [("failed", "relaxed"), ("relaxed", "failed")])
def test_a_failure_never_hides_a_result(tmp_path: Path, journal: Journal, order: tuple[str, str]) -> None:
    for status in order:
        journal.append(record(1, status))
    index = RecordIndex(JournalReader(tmp_path))
    index.refresh()
    found = index.get(BLOCK, 1)
    assert found is not None
    assert found.status == "relaxed"


def test_a_reader_passes_over_what_it_is_told_to(tmp_path: Path) -> None:
    with Journal.create(tmp_path) as own, Journal.create(tmp_path) as others:
        own.append(record(0))
        others.append(record(1))
        index = RecordIndex(JournalReader(tmp_path, but=lambda path: path == own.path))
        assert index.refresh() == [record(1)]
        assert index.take(record(0))
    assert len(index) == 2
