"""A disk that is really full: what was written before is whole, and goes on once there is room."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweep.journal import Journal, JournalReader
from sweep.merging import merged
from sweep.store import create_store, open_store, write_records
from sweep.variables import Status
from tests.sweep.small_store import (
    ATTRIBUTES,
    BLOCK,
    EDGES,
    GRID,
    assert_equal_stores,
    at,
    block_record,
    new_store,
    point_record,
)

PAGE = 4096


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    ran = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=False)
    if ran.returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path) -> Path:
    """Leave no page free."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(PAGE))
    assert os.statvfs(disk).f_bavail == 0
    return ballast


def free(ballast: Path, pages: int) -> None:
    os.truncate(ballast, max(0, ballast.stat().st_size - pages * PAGE))


def until_full(journal: Journal) -> tuple[int, int | None]:
    """Append records until one is refused: how many were written, and why no more."""
    for number in itertools.count():
        try:
            journal.append(point_record(number % 6))
        except OSError as error:
            return number, error.errno
    raise AssertionError("the disk is never full")


def test_a_journal_keeps_what_it_has_and_takes_more_once_there_is_room(disk: Path) -> None:
    with Journal(disk / "a.journal") as journal:
        journal.append(block_record())
        ballast = fill(disk)
        written, why = until_full(journal)
        assert why == errno.ENOSPC
        assert len(JournalReader(disk).refresh()) == 1 + written
        free(ballast, 4)
        journal.append(point_record(3))
    assert JournalReader(disk).refresh()[-1] == point_record(3)


def test_no_store_is_left_where_one_could_not_be_made(disk: Path) -> None:
    free(fill(disk), 20)
    with pytest.raises(OSError, match="No space left"):
        create_store(disk / "small.zarr", GRID, EDGES, ATTRIBUTES)
    assert [path.name for path in disk.iterdir()] == ["ballast"]


def test_a_store_says_nothing_is_done_that_was_not_written(disk: Path, tmp_path: Path) -> None:
    store, whole = new_store(disk / "small.zarr"), new_store(tmp_path / "whole.zarr")
    records = [block_record(), point_record(3)]
    write_records(whole, records)
    ballast = fill(disk)
    refused: list[int | None] = []
    for pages in (0, 4, 12):
        free(ballast, pages)
        try:
            write_records(store, records)
        except OSError as error:
            refused.append(error.errno)
            assert set(at(open_store(store), BLOCK)["status"].values.tolist()) == {Status.pending}
    assert set(refused) == {errno.ENOSPC}
    ballast.unlink()
    write_records(store, records)
    assert_equal_stores(store, whole)


def test_a_merge_that_did_not_fit_leaves_no_store_and_is_made_when_it_does(
    disk: Path, tmp_path: Path
) -> None:
    sites = [new_store(tmp_path / "a.zarr"), new_store(tmp_path / "b.zarr")]
    write_records(sites[0], [block_record()])
    write_records(sites[1], [point_record(3)])
    ballast = fill(disk)
    free(ballast, 100)
    with pytest.raises(OSError, match="No space left"):
        merged(sites, disk / "c.zarr")
    assert not (disk / "c.zarr").exists()
    subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
    merged(sites, disk / "c.zarr")
    everything = new_store(tmp_path / "all.zarr")
    write_records(everything, [block_record(), point_record(3)])
    assert_equal_stores(disk / "c.zarr", everything)
