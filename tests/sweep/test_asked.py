"""Stores whose study lists its points: what is not asked for is never pending, and lists may grow and shrink."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from sweep.grid import Grid, PointList
from sweep.journal import Journal
from sweep.remaining import Remaining
from sweep.store import create_store, mark_asked, open_store, read_status, write_records
from sweep.variables import Status
from sweep.verify.agreement import check_status
from tests.sweep.small_store import ATTRIBUTES, BLOCK, EDGES, GRID, N_WEIGHTINGS, block_record, point_record

# of BLOCK the weightings (forces, virial) = (0, 1) and (1, 10), which are 1 and 5
LISTED = replace(
    GRID,
    listed=PointList(
        ("degree", "dislocation", "domain_radius", "replica", "weight_forces", "weight_virial"),
        ((8, "edge", 8.5, 1, 0.0, 1.0), (8, "edge", 8.5, 1, 1.0, 10.0), (6, "screw", 6.0, 0, 1.0, 0.0)),
    ),
)
WANTED = (1, 5)


def new_store(path: Path, grid: Grid = LISTED) -> Path:
    create_store(path, grid, EDGES, ATTRIBUTES)
    mark_asked(path, grid, "study: small\n")
    return path


def of_block(store: Path) -> list[int]:
    return read_status(store)[LISTED.index(BLOCK)].ravel().tolist()


def test_what_is_not_listed_is_not_asked_for_and_the_rest_pending(tmp_path: Path) -> None:
    store = new_store(tmp_path / "s.zarr")
    status = read_status(store)
    assert (status == Status.pending).sum() == LISTED.n_asked == 3
    assert (status == Status.not_asked).sum() == status.size - 3
    assert [w for w, flag in enumerate(of_block(store)) if flag == Status.pending] == list(WANTED)
    meanings = open_store(store)["status"].attrs["flag_meanings"].split()
    assert meanings[Status.not_asked] == "not_asked"


def test_a_blocks_record_leaves_what_is_not_asked_for_without_numbers(tmp_path: Path) -> None:
    store = new_store(tmp_path / "s.zarr")
    write_records(store, [block_record(), point_record(5)])
    ds = open_store(store)
    flags = [Status.not_asked] * N_WEIGHTINGS
    flags[1], flags[5] = Status.estimated, Status.relaxed
    assert of_block(store) == flags
    for name in ("rmse_forces", "geometry_estimate", "basis_size", "wall_time", "geometry_error"):
        has = np.isfinite(ds[name].values)
        has = has.reshape(*LISTED.shape, -1).any(axis=-1)
        where = set(zip(*np.nonzero(has), strict=True))
        asked = {(*LISTED.index(BLOCK), *np.unravel_index(w, LISTED.shape[6:])) for w in WANTED}
        assert where <= asked, name
        assert where, name


def test_only_listed_points_are_left_to_do(tmp_path: Path) -> None:
    store, journals = new_store(tmp_path / "s.zarr"), tmp_path / "journals"
    remaining = Remaining(LISTED, store, journals, relaxing=True)
    assert len(list(LISTED.blocks())) == 2
    work = remaining(BLOCK)
    assert (work.recorded, work.weightings) == (False, WANTED)
    with Journal.create(journals) as journal:
        journal.append(block_record())
        journal.append(point_record(5))
    work = Remaining(LISTED, store, journals, relaxing=True)(BLOCK)
    assert (work.recorded, work.weightings) == (True, (1,))
    assert Remaining(LISTED, store, journals, relaxing=False)(BLOCK).finished


def test_who_only_looks_sees_what_is_not_asked_for_and_finds_no_fault(tmp_path: Path) -> None:
    store, journals = new_store(tmp_path / "s.zarr"), tmp_path / "journals"
    with Journal.create(journals) as journal:
        journal.append(block_record())
    seen = Remaining(GRID, store, journals, relaxing=True, asking=False).status[LISTED.index(BLOCK)].ravel()
    flags = [Status.not_asked] * N_WEIGHTINGS
    flags[1] = flags[5] = Status.estimated
    assert seen.tolist() == flags
    write_records(store, [block_record()])
    assert list(check_status(open_store(store).load())) == []


def test_a_longer_list_makes_its_new_points_pending_and_a_shorter_one_keeps_results(tmp_path: Path) -> None:
    store, journals = new_store(tmp_path / "s.zarr"), tmp_path / "journals"
    records = [block_record(), point_record(5)]
    with Journal.create(journals) as journal:
        for record in records:
            journal.append(record)
    write_records(store, records)
    row = (8, "edge", 8.5, 1, 0.0, 10.0)
    assert LISTED.listed is not None
    longer = replace(LISTED, listed=replace(LISTED.listed, rows=(row, *LISTED.listed.rows)))
    # what is newly asked for of a block that is recorded has only to be relaxed
    assert Remaining(longer, store, journals, relaxing=True)(BLOCK).weightings == (1, 2)
    assert mark_asked(store, longer, "study: longer\n") == 1
    assert of_block(store)[2] == Status.pending
    assert open_store(store).attrs["study"] == "study: longer\n"
    write_records(store, records)
    assert of_block(store)[2] == Status.estimated
    shorter = replace(LISTED, listed=replace(LISTED.listed, rows=LISTED.listed.rows[2:]))
    assert mark_asked(store, shorter, "study: shorter\n") == 0
    assert of_block(store)[5] == Status.relaxed
    assert list(shorter.blocks()) == [block for block in LISTED.blocks() if block != BLOCK]


def test_a_list_that_is_dropped_asks_for_every_point(tmp_path: Path) -> None:
    store = new_store(tmp_path / "s.zarr")
    assert mark_asked(store, GRID, "study: all\n") == GRID.n_points - 3
    assert (read_status(store) == Status.pending).all()
    assert mark_asked(store, GRID, "study: all\n") == 0


def test_a_store_without_a_list_is_not_looked_at(tmp_path: Path) -> None:
    create_store(tmp_path / "s.zarr", GRID, EDGES, ATTRIBUTES)
    before = (tmp_path / "s.zarr" / "zarr.json").stat().st_mtime_ns
    assert mark_asked(tmp_path / "s.zarr", GRID, "study: other\n") == 0
    assert (tmp_path / "s.zarr" / "zarr.json").stat().st_mtime_ns == before
