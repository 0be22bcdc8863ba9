"""Transfers in a store: the own dislocation's column, what is taken and what stays, added dislocations, cuts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

import sweep.store.transfers
from sweep.grid import Block
from sweep.store import create_store, grow_store, open_store, write_records
from sweep.store.transfers import read_transfer_status, write_relaxed_transfer, write_transfers
from sweep.transfers.variables import GIVEN, PREFIX, TARGET, TRANSFER_VARIABLES
from sweep.variables import VARIABLE_OF, Status, Trust
from tests.sweep.small_store import (
    ATTRIBUTES,
    BLOCK,
    EDGES,
    GRID,
    N_WEIGHTINGS,
    VALUES,
    block_record,
    grid_with,
    labels_of,
    new_store,
    point_record,
)
from tests.sweep.transfers.known import STATUSES, known_of


def test_the_own_dislocation_has_what_the_grid_says(store: Path) -> None:
    ds = open_store(store).load()
    for variable in TRANSFER_VARIABLES:
        own = ds[variable.name].sel(dislocation="edge", **{TARGET: "edge"}, drop=True)
        ordinary = ds[variable.name.removeprefix(PREFIX)].sel(dislocation="edge", drop=True)
        xr.testing.assert_equal(own.drop_attrs(), ordinary.drop_attrs())
        assert ds[variable.name].attrs["units"] == VARIABLE_OF[variable.name.removeprefix(PREFIX)].units


def test_another_dislocation_has_what_was_found_there(store: Path) -> None:
    found = open_store(store).sel({**labels_of(BLOCK), TARGET: "screw"})
    expected = known_of(BLOCK, "screw")
    for name in GIVEN:
        values = found[PREFIX + name].values.reshape(expected[name].shape)
        np.testing.assert_array_equal(values, expected[name], err_msg=name)
    words = [Status(int(flag)).name for flag in found["transfer_status"].values.ravel()]
    assert tuple(words) == STATUSES
    # a second step as large as this is none to be trusted
    assert set(found["transfer_estimate_trusted"].values.ravel().tolist()) == {Trust.distrusted}


def test_blocks_without_a_record_are_pending_everywhere(store: Path) -> None:
    status = open_store(store)["transfer_status"].load()
    assert int((status != Status.pending).sum()) == 2 * N_WEIGHTINGS
    on_grid = read_transfer_status(store, GRID)
    assert on_grid is not None
    np.testing.assert_array_equal(on_grid, status.values)


def test_a_point_that_is_not_asked_for_has_no_transfers_until_it_is(tmp_path: Path) -> None:
    path = new_store(tmp_path / "listed.zarr")
    cell = (1, 0, 1, 1, 0, 1, 0, 1, 1)
    array: Any = zarr.open_group(path, mode="r+")["status"]
    array[cell] = Status.not_asked
    write_records(path, [block_record(status=STATUSES)])
    write_transfers(path, known_of)
    ds = open_store(path).load()
    assert ds["transfer_status"].values[cell].tolist() == [Status.not_asked, Status.not_asked]
    assert np.isnan(ds["transfer_geometry_estimate"].values[cell]).all()
    assert int((ds["transfer_status"] == Status.estimated).sum()) == 2 * (N_WEIGHTINGS - 2)
    assert write_transfers(path, lambda *_: pytest.fail("asked again")) == 0
    array[cell] = Status.estimated
    write_transfers(path, known_of)
    after = open_store(path)["transfer_geometry_estimate"].values[(*cell, 0)]
    assert after == known_of(BLOCK, "screw")["geometry_estimate"][4]


def test_what_is_known_is_not_asked_for_again(store: Path) -> None:
    before = open_store(store).load()
    assert write_transfers(store, lambda *_: pytest.fail("asked again")) == 0
    xr.testing.assert_identical(open_store(store).load(), before)


def test_a_relaxed_transfer_stays_beside_its_estimate(store: Path) -> None:
    relaxed: dict[str, Any] = {"geometry_error": 2.0, "energy_difference": -0.1}
    write_relaxed_transfer(store, BLOCK, 2, "screw", Status.relaxed, relaxed)
    write_records(store, [block_record(seed=5, status=STATUSES)])
    write_transfers(store, known_of)
    point = open_store(store).sel({**labels_of(BLOCK), TARGET: "screw"})
    at = {name: point[name].values.ravel()[2] for name in ("transfer_geometry_error", "transfer_status")}
    assert at == {"transfer_geometry_error": 2.0, "transfer_status": Status.relaxed}
    estimate = known_of(BLOCK, "screw")["geometry_estimate"][2]
    assert point["transfer_effectivity"].values.ravel()[2] == estimate / 2.0
    assert np.isnan(point["transfer_effectivity"].values.ravel()[[0, 1, 3]]).all()


def test_a_target_that_is_none_is_refused(store: Path) -> None:
    with pytest.raises(LookupError, match="target_dislocation has no 'mixed'; it has screw, edge"):
        write_relaxed_transfer(store, BLOCK, 2, "mixed", Status.relaxed, {})


def test_the_order_of_the_dislocations_is_a_name_only(store: Path, tmp_path: Path) -> None:
    turned = tmp_path / "turned.zarr"
    create_store(turned, grid_with(dislocation=VALUES["dislocation"][::-1]), EDGES, ATTRIBUTES)
    write_records(turned, [block_record(status=STATUSES), point_record(3)])
    write_transfers(turned, known_of)
    order = {"dislocation": ["screw", "edge"], TARGET: ["screw", "edge"]}
    xr.testing.assert_identical(open_store(turned).load().sel(order), open_store(store).load())


def test_an_added_dislocation_is_another_target(store: Path) -> None:
    longer = grid_with(dislocation=("mixed", "screw", "edge"))
    before = open_store(store).load()
    grow_store(store, longer, "study: grown\n")
    new = Block("mixed", *list(labels_of(BLOCK).values())[1:])
    write_records(store, [block_record(new, seed=3)])
    assert write_transfers(store, known_of) > 0
    after = open_store(store).load()
    assert sorted(after[TARGET].values.tolist()) == ["edge", "mixed", "screw"]
    there: dict[str, Any] = {"dislocation": ["screw", "edge"], TARGET: ["screw", "edge"]}
    for variable in TRANSFER_VARIABLES:
        xr.testing.assert_identical(after[variable.name].sel(there), before[variable.name])
    status = after["transfer_status"].sel(labels_of(BLOCK)).sel({TARGET: "mixed"})
    assert int((status == Status.estimated).sum()) == N_WEIGHTINGS - 1
    wider = read_transfer_status(store, longer)
    assert wider is not None
    assert int((wider == Status.pending).sum()) == int((after["transfer_status"] == Status.pending).sum())
    assert (
        wider[2, ..., 0] == after["transfer_status"].sel({"dislocation": "edge", TARGET: "mixed"}).values
    ).all()


def test_a_cut_before_the_metadata_leaves_the_store_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = new_store(tmp_path / "cut.zarr")
    write_records(path, [block_record(status=STATUSES)])
    before = open_store(path).load()
    with monkeypatch.context() as patched:
        patched.setattr(
            sweep.store.transfers, "consolidate", lambda _: (_ for _ in ()).throw(OSError("full"))
        )
        with pytest.raises(OSError, match="full"):
            write_transfers(path, known_of)
    xr.testing.assert_identical(open_store(path).load(), before)
    assert read_transfer_status(path, GRID) is None
    assert write_transfers(path, known_of) == 1
