from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from sweep.grid import Block
from sweep.records import Record
from sweep.store import (
    StoreError,
    StoreMissingError,
    UnstorableRecordError,
    create_store,
    open_store,
    read_status,
    write_records,
)
from sweep.variables import VARIABLES, Source, Status, StatusSource
from tests.sweep.small_store import (
    ATTRIBUTES,
    BLOCK,
    EDGES,
    GRID,
    N_WEIGHTINGS,
    assert_equal_stores,
    at,
    block_record,
    grid_with,
    labels_of,
    new_store,
    point_record,
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return new_store(tmp_path / "small.zarr")


def test_plain_xarray_opens_the_same(store: Path) -> None:
    write_records(store, [block_record(), point_record(2)])
    # Warnings are errors here, those of xarray and Zarr included.
    xr.testing.assert_identical(xr.open_zarr(store).load(), open_store(store).load())


def test_values_written_are_values_read(store: Path) -> None:
    block, points = block_record(), [point_record(index) for index in (2, 5)]
    assert write_records(store, [*points, block]) == 1
    found = at(open_store(store), BLOCK)
    for name in ("geometry_estimate", "pressure"):
        np.testing.assert_array_equal(found[name], block.values[name])
    np.testing.assert_array_equal(
        found.rmse_forces.transpose("weighting", "config_kind"), block.values["rmse_forces"]
    )
    assert found.basis_size.values.tolist() == [61] * N_WEIGHTINGS
    assert found.rmse_energy.isnull().all()
    for record in points:
        point = found.isel(weighting=record.weighting_index)
        for name, value in record.values.items():
            np.testing.assert_array_equal(point[name], value)
        assert point.effectivity == point.geometry_estimate / point.geometry_error
    assert found.status.values.tolist() == [1, 1, 2, 1, 1, 2]
    assert found.status_source.values.tolist() == [1, 1, 2, 1, 1, 2]
    assert found.effectivity.notnull().values.tolist() == [False, False, True, False, False, True]
    np.testing.assert_allclose(found.wall_time, [0.5, 0.5, 0.3, 0.5, 0.5, 0.3])
    # The weightings in C order: the virial weight runs fastest.
    labelled = open_store(store).sel(labels_of(BLOCK))
    assert labelled.status.sel(weight_forces=0.0, weight_virial=10.0).item() == Status.relaxed
    assert labelled.status.sel(weight_forces=1.0, weight_virial=10.0).item() == Status.relaxed
    # Every other block is untouched.
    status = read_status(store)
    assert np.count_nonzero(status) == N_WEIGHTINGS


def test_merging_again_writes_nothing(store: Path) -> None:
    records = [block_record(), point_record(2), point_record(3, status="failed")]
    assert write_records(store, records) == 1
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    assert write_records(store, records) == 0
    assert write_records(store, reversed(records)) == 0
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before
    assert write_records(store, []) == 0


def test_order_and_batches_do_not_matter(store: Path) -> None:
    other = store.with_name("other.zarr")
    new_store(other)
    records = [
        record
        for number, block in enumerate(itertools.islice(GRID.blocks(), 0, None, 3))
        for record in (
            point_record(number % N_WEIGHTINGS, block, "failed" if number % 2 else "relaxed"),
            block_record(block, number),
            point_record((number + 1) % N_WEIGHTINGS, block, "unconverged"),
        )
    ]
    write_records(store, records)
    for start in range(len(records), 0, -4):
        write_records(other, records[max(0, start - 4) : start][::-1])
    assert_equal_stores(store, other)


def test_a_points_own_record_outlives_its_blocks(store: Path) -> None:
    write_records(store, [point_record(2)])
    write_records(store, [block_record(status="estimated")])
    found = at(open_store(store), BLOCK)
    assert found.status.values.tolist() == [1, 1, 2, 1, 1, 1]
    assert found.geometry_error[2] == point_record(2).values["geometry_error"]
    assert found.effectivity.notnull()[2]


@pytest.mark.parametrize("index", [None, 3])
def test_a_failure_never_replaces_a_result_and_a_result_replaces_a_failure(
    store: Path, index: int | None
) -> None:
    good = block_record() if index is None else point_record(index)
    failure = Record(BLOCK, index, "failed", {}, "the gang died")
    cell = index or 0
    write_records(store, [failure])
    assert at(open_store(store), BLOCK).status[cell] == Status.failed
    write_records(store, [good])
    after = open_store(store).load()
    assert at(after, BLOCK).status[cell] == Status[good.statuses[0]]
    write_records(store, [failure])
    xr.testing.assert_identical(open_store(store).load(), after)


def test_a_points_failure_outlives_its_blocks_success(store: Path) -> None:
    write_records(store, [Record(BLOCK, 3, "failed")])
    write_records(store, [block_record()])
    found = at(open_store(store), BLOCK)
    assert found.status[3] == Status.failed
    assert found.status_source[3] == StatusSource.point
    # Its fit is known all the same.
    assert found.basis_size[3] == 61


def test_a_later_record_leaves_nothing_of_an_earlier_one(store: Path) -> None:
    write_records(store, [point_record(2, status="unconverged")])
    write_records(store, [Record(BLOCK, 2, "relaxed", {"geometry_error": 0.5})])
    point = at(open_store(store), BLOCK).isel(weighting=2)
    assert point.geometry_error == 0.5
    assert point.strain_error_profile.isnull().all()
    assert point.wall_time.isnull()


def test_no_effectivity_without_an_error_to_divide_by(store: Path) -> None:
    write_records(store, [block_record(), Record(BLOCK, 0, "relaxed", {"geometry_error": 0.0})])
    assert at(open_store(store), BLOCK).effectivity.isnull().all()


def test_a_crash_before_the_status_leaves_points_pending(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [block_record(), point_record(2)]
    write = zarr.Array.__setitem__
    written: list[str] = []

    def crash(array: zarr.Array[Any], region: Any, values: Any) -> None:
        if array.path == "status":
            raise KeyboardInterrupt
        written.append(array.path)
        write(array, region, values)

    with monkeypatch.context() as patch:
        patch.setattr(zarr.Array, "__setitem__", crash)
        with pytest.raises(KeyboardInterrupt):
            write_records(store, records)
    assert {"geometry_error", "status_source"} <= set(written)
    assert (read_status(store) == Status.pending).all()
    # A block's record alone must not leave the half-written point looking finished.
    write_records(store, records[:1])
    assert at(open_store(store), BLOCK).status.values.tolist() == [1] * N_WEIGHTINGS
    write_records(store, records)
    other = store.with_name("uninterrupted.zarr")
    new_store(other)
    write_records(other, records)
    assert_equal_stores(store, other)


REFUSED: list[tuple[Record, str]] = [
    (Record(BLOCK, 2, "relaxed", {"geometry_eror": 1.0}), "geometry_eror is not a variable"),
    (Record(BLOCK, 2, "relaxed", {"status": 1}), "status is not a variable"),
    (Record(BLOCK, 2, "relaxed", {"effectivity": 1.0}), "effectivity is not a variable"),
    (Record(BLOCK, 2, "relaxed", {"wall_time": 1.0}), "wall_time is not a variable"),
    (Record(BLOCK, 2, "relaxed", {"pressure": 1.0}), "pressure is known for a block at once"),
    (Record(BLOCK, 2, "relaxed", {"geometry_error": [1.0] * 6}), r"geometry_error has shape \(6,\)"),
    (Record(BLOCK, 2, "relaxed", {"strain_error_profile": [1.0] * 4}), r"may have \(3,\)"),
    (Record(BLOCK, None, "estimated", {"pressure": [1.0] * 5}), r"pressure has shape \(5,\)"),
    (Record(BLOCK, None, "estimated", {"rmse_forces": 1.0}), r"may have \(2,\) or \(6, 2\)"),
    (Record(BLOCK, None, ("estimated",) * 5), "status has 5 words"),
    (Record(BLOCK, 6, "relaxed"), "a block has 6 weightings"),
    (Record(Block("edge", 25.0, 7, 8.5, 4, 1), 2, "relaxed"), "degree has no 7; it has 6, 8"),
    (Record(Block("mixed", 25.0, 8, 8.5, 4, 1), None, "relaxed"), "dislocation has no 'mixed'"),
]


@pytest.mark.parametrize(("record", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_a_record_that_does_not_fit_is_refused_before_anything_is_written(
    store: Path, record: Record, says: str
) -> None:
    with pytest.raises(UnstorableRecordError, match=says) as refusal:
        write_records(store, [block_record(), record])
    assert record.block.key in str(refusal.value)
    assert (read_status(store) == Status.pending).all()


def test_a_refusal_names_the_chunk(store: Path) -> None:
    with pytest.raises(UnstorableRecordError, match=r"chunk \(0, 0, 0, 0, 0, 0, 0, 0, 0\)"):
        write_records(store, [Record(BLOCK, 2, "relaxed", {"rank": 1.0})])


def test_records_find_their_chunks(tmp_path: Path) -> None:
    # 2 × 2 × 2 × 7 × 6 × 3000 points: several chunks along every axis that can have them.
    grid = grid_with(
        domain_radius=range(3, 10),
        n_train=range(1, 7),
        weight_forces=np.arange(30.0),
        weight_virial=np.arange(100.0),
    )
    path = tmp_path / "chunks.zarr"
    create_store(path, grid, EDGES, ATTRIBUTES)
    chosen = [block for number, block in enumerate(grid.blocks()) if number % 29 == 0]
    expected = np.zeros(grid.shape, dtype=np.uint8)
    records = []
    for number, block in enumerate(chosen):
        index = (37 * number) % 3000
        records.append(Record(block, index, "relaxed", {"geometry_error": float(number)}))
        expected[grid.index(block)].reshape(-1)[index] = Status.relaxed
    assert write_records(path, records) == len(chosen)
    np.testing.assert_array_equal(read_status(path), expected)
    dataset = open_store(path)
    for number, block in enumerate(chosen):
        cell = dataset.geometry_error[grid.index(block)].values.reshape(-1)[records[number].weighting_index]
        assert cell == number


def test_what_is_no_store_is_said_so(tmp_path: Path, store: Path) -> None:
    with pytest.raises(StoreMissingError, match="no store at") as missing:
        open_store(tmp_path / "none.zarr")
    assert isinstance(missing.value, FileNotFoundError)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("no")
    xr.Dataset({"x": ("i", [1.0])}).to_zarr(tmp_path / "other.zarr", zarr_format=3, consolidated=False)
    for name in ("empty", "file", "other.zarr"):
        with pytest.raises(StoreError, match="is not a store of Farfield's"):
            open_store(tmp_path / name)
    (tmp_path / "study.yaml").write_text("study: mine")
    with pytest.raises(StoreError, match="give the store that `sweep run` made of it"):
        open_store(tmp_path / "study.yaml")
    zarr.open_group(store, mode="r+").attrs["farfield_format"] = 2
    with pytest.raises(StoreError, match="newer version of Farfield"):
        read_status(store)


def test_every_recorded_variable_can_be_stored(store: Path) -> None:
    sizes = {"config_kind": 2, "radial_bin": 3}
    values: dict[Source, dict[str, Any]] = {source: {} for source in Source}
    for number, variable in enumerate(each for each in VARIABLES if each.in_every_store):
        shape = tuple(sizes[name] for name in variable.extra_dims)
        values[variable.source][variable.name] = np.full(shape, number + 0.5)
    del values[Source.point]["wall_time"]
    write_records(
        store,
        [
            Record(BLOCK, None, "estimated", values[Source.block]),
            Record(BLOCK, 4, "relaxed", values[Source.point]),
        ],
    )
    point = at(open_store(store), BLOCK).isel(weighting=4)
    for name, value in {**values[Source.block], **values[Source.point]}.items():
        np.testing.assert_array_equal(point[name], value)
