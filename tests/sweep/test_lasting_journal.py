"""A disk that does not confirm a record: the worker goes on in another journal, and nothing is lost or twice done."""

from __future__ import annotations

import errno
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweep.grid import Block
from sweep.journal import SUFFIX, Journal, JournalError, JournalReader
from sweep.lasting_journal import LastingJournal
from sweep.records import Record

BLOCK = Block("screw", 25.0, 6, 8.0, 4, 0)


def record(weighting: int) -> Record:
    return Record(BLOCK, weighting, "relaxed", {"geometry_error": 0.5 + weighting})


class Disk:
    """Refuses the calls of a kind that have been asked for, counted from the next one."""

    def __init__(self, patch: pytest.MonkeyPatch, call: str = "fsync") -> None:
        self.refused: set[int] = set()
        self.calls = 0
        self.real: Callable[..., None] = getattr(os, call)
        patch.setattr(f"sweep.journal.os.{call}", self)

    def __call__(self, *arguments: int) -> None:
        self.calls += 1
        if self.calls in self.refused:
            raise OSError(errno.EIO, "Input/output error")
        self.real(*arguments)

    def refuse(self, *calls: int) -> None:
        self.refused = {self.calls + call for call in calls}


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    # what is not waited for is confirmed with what is
    monkeypatch.setattr("sweep.journal.LONGEST_WAIT_S", math.inf)
    return Disk(monkeypatch)


def held(folder: Path) -> list[list[int | None]]:
    """The weightings in each journal of a folder that has any."""
    found = []
    for path in folder.glob(f"*{SUFFIX}"):
        alone = folder / path.stem
        alone.mkdir()
        shutil.copy(path, alone)
        found.append(
            [each.weighting_index for each in JournalReader(alone).refresh() if isinstance(each, Record)]
        )
    return sorted(each for each in found if each)


def test_a_journal_alone_takes_nothing_more_after_a_failed_fsync(tmp_path: Path, disk: Disk) -> None:
    journal = Journal.create(tmp_path)
    disk.refuse(1)
    with pytest.raises(OSError, match="Input/output error"):
        journal.append(record(0))
    assert journal.closed
    with pytest.raises(JournalError, match="open another journal"):
        journal.append(record(1))


def test_a_worker_goes_on_in_another_journal(tmp_path: Path, disk: Disk) -> None:
    told: list[str] = []
    journal = LastingJournal(tmp_path, told.append)
    journal.append(record(0))
    journal.append(record(1), wait=False)
    disk.refuse(1)
    journal.append(record(2))
    (line,) = told
    assert "is left ([Errno 5] Input/output error); records go on in " in line
    journal.append(record(3))
    journal.close()
    # the one that was not waited for had not been confirmed either
    assert held(tmp_path) == [[0, 1, 2], [1, 2, 3]]


def test_a_failed_sync_is_made_up_for(tmp_path: Path, disk: Disk) -> None:
    journal = LastingJournal(tmp_path, lambda _: None)
    journal.append(record(0), wait=False)
    disk.refuse(1)
    journal.sync()
    journal.close()
    assert held(tmp_path) == [[0], [0]]


def test_a_disk_that_refuses_for_good_is_told_and_tried_again(tmp_path: Path, disk: Disk) -> None:
    journal = LastingJournal(tmp_path, lambda _: None)
    disk.refuse(*range(1, 100))
    for _ in range(2):
        with pytest.raises(OSError, match="Input/output error"):
            journal.append(record(0))
    disk.refuse()
    journal.append(record(1))
    journal.close()
    assert [0, 1] in held(tmp_path)


def test_a_worker_that_has_left_records_nothing_more(tmp_path: Path) -> None:
    journal = LastingJournal(tmp_path, lambda _: None)
    journal.close()
    with pytest.raises(JournalError, match="it is closed"):
        journal.append(record(0))
    assert held(tmp_path) == []


def test_a_torn_record_that_cannot_be_cut_off_goes_into_another_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = LastingJournal(tmp_path, lambda _: None)
    journal.append(record(0))
    write = os.write
    with monkeypatch.context() as patched:
        torn = iter([True])
        patched.setattr(
            "sweep.journal.os.write",
            lambda to, data: write(to, data[:-3]) if next(torn, False) else write(to, data),
        )
        Disk(patched, "ftruncate").refuse(1)
        journal.append(record(1))
    journal.append(record(2))
    journal.close()
    assert held(tmp_path) == [[0], [1, 2]]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.sampled_from(["wait", "no wait", "sync"]), max_size=12),
    refused=st.sets(st.integers(1, 40), max_size=12),
)
def test_whatever_the_disk_refuses_what_was_answered_for_was_confirmed(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], refused: set[int]
) -> None:
    """What a file held when it was last confirmed is all that counts after a power cut."""
    folder, confirmed = tmp_path_factory.mktemp("disk"), dict[int, int]()
    answered, accepted = set[int](), set[int]()
    with pytest.MonkeyPatch.context() as patch:
        journal = LastingJournal(folder, lambda _: None)
        disk = Disk(patch)
        sync = disk.real

        def confirm(descriptor: int) -> None:
            sync(descriptor)
            status = os.fstat(descriptor)
            confirmed[status.st_ino] = status.st_size

        disk.real = confirm
        disk.refuse(*refused)
        for number, step in enumerate(steps):
            try:
                if step == "sync":
                    journal.sync()
                else:
                    journal.append(record(number), wait=step == "wait")
                    accepted.add(number)
            except OSError:
                continue
            if step != "no wait":
                answered |= accepted
        journal.close()
    for path in folder.glob(f"*{SUFFIX}"):
        os.truncate(path, confirmed.get(path.stat().st_ino, 0))
    found = {each.weighting_index for each in JournalReader(folder).refresh() if isinstance(each, Record)}
    assert answered <= found


def test_of_a_journal_that_was_left_it_is_told_too_how_much_is_on_the_disk(
    tmp_path: Path, disk: Disk
) -> None:
    journal = LastingJournal(tmp_path, lambda _: None)
    journal.append(record(0))
    disk.refuse(1)
    journal.append(record(1))
    reader = JournalReader(tmp_path)
    assert len(journal.sizes) == 2
    assert set(reader.behind(journal.sizes)) == set(journal.sizes)
    reader.refresh()
    assert reader.behind(journal.sizes) == ()
    journal.close()
