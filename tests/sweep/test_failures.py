"""What failed: from records into the store's group, out of it by what succeeds later, and told by cause."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from sweep.causes import Cause
from sweep.compaction import Compaction, failure_records
from sweep.failure_groups import by_cause
from sweep.grid import Block, Cylinder
from sweep.journal import Journal
from sweep.lock import LOCK_NAME, driver_lock
from sweep.records import Record
from sweep.remaining import Remaining
from sweep.schedule import Failure
from sweep.status import show_status
from sweep.store import open_failures, read_failures, write_failures
from tests.sweep.small_store import BLOCK, GRID, block_record, new_store, point_record

CAUSE = Cause(
    "relaxations", "rank 0 went away\nand why", "3", 2, "its last words\nλ", "2026-11-28T21:00:00.000+00:00"
)
CYLINDER = Cylinder("edge", 25.0)
PLACES = [(CYLINDER, None), (BLOCK, None), *((BLOCK, weighting) for weighting in range(3))]


class Run:
    """A store, its run folder, and the driver's compaction."""

    def __init__(self, folder: Path) -> None:
        self.store = new_store(folder / "a.zarr")
        self.folder = folder / "a.zarr.run"
        self.journal = Journal.create(self.folder / "journals")
        self.told: list[str] = []
        self.compaction = self.started()

    def started(self) -> Compaction:
        remaining = Remaining(GRID, self.store, self.folder / "journals", relaxing=True)
        compaction = Compaction(self.store, remaining, self.told.append)
        compaction.begin()
        return compaction

    def merge(self, *records: Record) -> None:
        for record in records:
            self.journal.append(record)
        self.compaction.finish()

    def fail(self, place: Block | Cylinder, *weightings: int, cause: Cause = CAUSE) -> None:
        self.merge(*failure_records(GRID, Failure(place, weightings, cause)))

    def status(self, **options: bool) -> str:
        written = io.StringIO()
        console = Console(file=written, width=200, highlight=False)
        assert show_status(self.store, console, console, **options) == 0
        return written.getvalue()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    made.journal.close()


def test_a_store_without_failures_has_no_row(run: Run) -> None:
    assert open_failures(run.store).sizes["failure"] == 0
    run.merge(block_record(), point_record(0))
    assert not (run.store / "failures").exists()
    assert "nothing is failed" in run.status(failures=True)


def test_failures_are_read_back_with_xarray(run: Run) -> None:
    run.fail(BLOCK, 1, 4)
    run.fail(CYLINDER)
    rows = xr.open_zarr(run.store, group="failures").load()
    assert dict(rows.sizes) == {"failure": 3}
    point = rows.isel(failure=2)
    assert (point.dislocation, point.degree, point.weight_forces, point.weight_virial) == (
        "edge",
        8,
        1.0,
        1.0,
    )
    assert (point.stage, point.attempts, point.worker) == ("relaxations", 2, "3")
    assert point.log_tail == CAUSE.log_tail
    cylinder = rows.isel(failure=0)
    assert cylinder.simulation_radius == 25.0
    assert bool(np.isnan(cylinder.degree))
    assert all({"units", "long_name"} <= set(rows[name].attrs) for name in (*rows.data_vars, *rows.coords))
    assert read_failures(run.store) == {(BLOCK, 1): CAUSE, (BLOCK, 4): CAUSE, (CYLINDER, None): CAUSE}


causes = st.builds(
    Cause,
    st.text(),
    st.text(),
    st.text(),
    st.integers(1, 9),
    st.text(),
    st.text(st.characters(codec="ascii")),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_store(tmp_path_factory.mktemp("failures") / "a.zarr")


@settings(max_examples=10)
@given(st.dictionaries(st.sampled_from(PLACES), causes))
def test_what_was_written_last_is_read(
    store: Path, failures: dict[tuple[Block | Cylinder, int | None], Cause]
) -> None:
    write_failures(store, failures)
    assert read_failures(store) == failures
    assert [path.name for path in store.parent.iterdir()] == ["a.zarr"]


def test_what_succeeds_later_is_failed_no_more(run: Run) -> None:
    run.fail(BLOCK)
    assert set(read_failures(run.store)) == {(BLOCK, None)}
    run.merge(block_record())
    run.fail(BLOCK, 0, 1)
    assert set(read_failures(run.store)) == {(BLOCK, 0), (BLOCK, 1)}
    run.merge(point_record(0))
    run.fail(BLOCK, 1, cause=replace(CAUSE, message="again"))
    assert {where: cause.message for where, cause in read_failures(run.store).items()} == {
        (BLOCK, 1): "again"
    }
    # another worker's late failure of a point that has its result
    run.fail(BLOCK, 0)
    assert set(read_failures(run.store)) == {(BLOCK, 1)}


def test_a_fit_that_is_not_finite_is_among_the_failures(run: Run) -> None:
    run.merge(block_record(status=("estimated",) * 5 + ("failed",)))
    ((where, cause),) = read_failures(run.store).items()
    assert where == (BLOCK, 5)
    assert "not finite" in cause.message


def test_a_driver_that_died_before_it_wrote_failures_lost_none(run: Run) -> None:
    run.fail(BLOCK, 2)
    shutil.rmtree(run.store / "failures")
    run.started()
    assert set(read_failures(run.store)) == {(BLOCK, 2)}
    chunk = run.store / "failures" / "message" / "c" / "0"
    chunk.write_bytes(b"damaged")
    run.started()
    assert "failures cannot be read" in run.told[-1]
    assert read_failures(run.store) == {(BLOCK, 2): CAUSE}


def test_failures_of_a_format_before_have_a_message_at_least(run: Run) -> None:
    run.merge(Record(BLOCK, 3, "failed", message="as it was written then"))
    (cause,) = read_failures(run.store).values()
    assert (cause.message, cause.stage, cause.when) == ("as it was written then", "", "")
    assert "1 failure: as it was written then" in run.status(failures=True)


def test_failures_are_told_by_cause(run: Run) -> None:
    slow = replace(CAUSE, message="took longer than 60 s", log_tail="")
    run.fail(BLOCK, 0, 1, 2, 3)
    run.fail(BLOCK, 4, cause=slow)
    run.fail(CYLINDER, cause=replace(slow, message="took longer than 75.5 s"))
    groups = by_cause(read_failures(run.store))
    assert [len(group.where) for group in groups] == [4, 2]
    told = run.status(failures=True)
    assert "4 failures in relaxations: rank 0 went away\n" in told
    assert f"    {BLOCK.key},weight_energy=1,weight_forces=0,weight_virial=10\n    and 1 more\n" in told
    assert "tried 2 times, by worker 3, 2026-11-28T21:00:00.000+00:00" in told
    assert "      | its last words\n      | λ\n" in told
    assert "2 failures in relaxations: took longer than" in told
    assert "why they failed: sweep status --failures" in run.status()


def test_status_counts_what_is_journaled_and_names_the_driver(run: Run) -> None:
    run.merge(block_record())
    run.journal.append(point_record(0))
    run.journal.append(Record(BLOCK, 1, "failed", message="broken", stage="relaxations"))
    with driver_lock(run.folder):
        told = run.status()
    assert f"at work: process {os.getpid()} on {socket.gethostname()} since 2" in told
    assert "1 relaxed " in told
    assert "1 failed " in told
    assert "4 estimated " in told
    assert f"{GRID.n_points} points, 2 of them journaled and not in the store yet" in told
    assert "1 failure in relaxations: broken" in run.status(failures=True)
    assert "at work" not in run.status()
    run.compaction.finish()
    assert "journaled" not in run.status()


def test_a_lock_that_a_dead_driver_left_names_nobody(run: Run) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    holder = {"host": socket.gethostname(), "pid": dead.pid, "started": "then", "command": "sweep run"}
    (run.folder / LOCK_NAME).write_text(json.dumps(holder))
    assert "at work" not in run.status()
