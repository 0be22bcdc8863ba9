"""Journals are read some megabytes at a time, several together, and by those who need no more only how points ended."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweep.journal import RECORD_BYTES, Journal, JournalReader
from sweep.journal_frames import read_frames
from sweep.records import Record
from tests.sweep.test_journal import BLOCK, record


def test_records_of_several_journals_come_together_and_large_ones_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journals = [Journal.create(tmp_path) for _ in range(3)]
    for number, each in enumerate(journals):
        for index in range(2):
            each.append(record(2 * number + index))
        each.close()
    (part,) = JournalReader(tmp_path).parts()
    assert sorted(found.weighting_index or 0 for found in part) == list(range(6))
    size = journals[0].path.stat().st_size
    monkeypatch.setattr("sweep.journal.PART_BYTES", size + 2 * RECORD_BYTES + 1)
    assert [len(part) for part in JournalReader(tmp_path).parts()] == [4, 2]


def test_what_an_unreadable_journal_kept_from_being_handed_over_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(2):
        with Journal.create(tmp_path) as journal:
            journal.append(record(index))
    reader, last = JournalReader(tmp_path), max(tmp_path.glob("*.journal"))

    def refusing(path: Path, offset: int, most: int | None = None) -> Any:
        if path == last:
            raise OSError(errno.ESTALE, "Stale file handle")
        return read_frames(path, offset, most)

    with monkeypatch.context() as patch:
        patch.setattr("sweep.journal.read_frames", refusing)
        with pytest.raises(OSError, match="Stale"):
            reader.refresh()
    assert sorted(found.weighting_index or 0 for found in reader.refresh()) == [0, 1]


def test_a_brief_reader_reads_how_points_ended_and_everything_else_whole(tmp_path: Path) -> None:
    written = [
        record(0),
        record(1, "other_minimum", geometry_error=3.0),
        record(2, "failed"),
        record(None, "estimated", rank=3.0),
        Record(replace(BLOCK, dislocation="edge"), 7, "unconverged", {}, message='"odd", {words}'),
    ]
    with Journal.create(tmp_path) as journal:
        for each in written:
            journal.append(each)
    found = JournalReader(tmp_path, whole=False).refresh()
    assert [(each.block, each.weighting_index, each.status) for each in found] == [
        (each.block, each.weighting_index, each.status) for each in written
    ]
    assert [dict(each.values) for each in found[:2]] == [{}, {}]
    assert found[2:4] == written[2:4]
