"""Axes that grow: what is there stays and is found, what is new is pending, and no cut leaves a broken store."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweep.exporting.tables import export_netcdf
from sweep.grid import Block, Cylinder, Grid
from sweep.identity import Identity
from sweep.location import StoreLike, location_of
from sweep.prepared import prepare
from sweep.setting_up import set_up
from sweep.store import (
    StoreError,
    create_store,
    grow_store,
    open_store,
    read_on_grid,
    undo_growth,
    write_failures,
    write_records,
    write_truncations,
)
from sweep.truncations import TruncationRecord
from sweep.variables import Status
from tests.small_study import SMALLER
from tests.sweep.small_store import (
    ATTRIBUTES,
    BLOCK,
    EDGES,
    GRID,
    VALUES,
    at,
    block_record,
    grid_with,
    new_store,
    point_record,
)

TEXT = "study: grown\n"
LONGER: dict[str, tuple[Any, ...]] = {
    "dislocation": ("mixed", "screw", "edge"),
    "simulation_radius": (10.0, 25.0),
    "n_train": (2, 4, 16),
    "replica": (0, 1, 2, 3),
}
ERRORS = {"truncation_geometry_error": 0.5, "truncation_energy_error": 0.01}
NEW = Block("mixed", 10.0, 8, 6.0, 16, 3)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = new_store(tmp_path / "small.zarr")
    write_records(path, [block_record(), point_record(3)])
    return path


def same_where_it_was(before: xr.Dataset, path: Path) -> None:
    after = (
        open_store(path)[list(before)]
        .sel({name: list(before[name].values) for name in before["status"].dims})
        .load()
    )
    # the text of the study changes with its axes
    xr.testing.assert_identical(before.drop_attrs(deep=False), after.drop_attrs(deep=False))


def test_what_is_there_stays_and_what_is_new_is_pending(store: Path) -> None:
    before = open_store(store).load()
    new = grow_store(store, grid_with(**LONGER), TEXT)
    assert new == {
        "dislocation": ("mixed",),
        "simulation_radius": (10.0,),
        "n_train": (2, 16),
        "replica": (2, 3),
    }
    same_where_it_was(before, store)
    dataset = open_store(store)
    assert dataset.attrs["study"] == TEXT
    assert int((dataset["status"] != Status.pending).sum()) == int((before["status"] != Status.pending).sum())
    for name in ("simulation_radius", "n_train", "replica"):
        assert dataset[name].values.tolist() == sorted(LONGER[name])


def test_new_points_are_written_beside_the_old(store: Path) -> None:
    before = open_store(store).load()
    grow_store(store, grid_with(**LONGER), TEXT)
    write_records(store, [block_record(NEW, seed=7), point_record(2, NEW)])
    write_truncations(store, [TruncationRecord(Cylinder("mixed", 10.0), "relaxed", ERRORS)])
    same_where_it_was(before, store)
    found = at(open_store(store), NEW)
    np.testing.assert_array_equal(found["rmse_forces"].T, block_record(NEW, seed=7).values["rmse_forces"])
    assert int(found["status"][2]) == Status.relaxed
    assert float(found["truncation_geometry_error"]) == 0.5


def test_weights_keep_their_order_whatever_it_is(tmp_path: Path) -> None:
    """Records name a weighting by its place: sorting these axes would give points each other's results."""
    weights = (10.0, 0.0, 1.0)
    path, grid = tmp_path / "unordered.zarr", grid_with(weight_virial=weights)
    create_store(path, grid, EDGES, ATTRIBUTES)
    write_records(path, [block_record()])
    before = open_store(path).load()
    longer = grid_with(weight_virial=weights, **LONGER)
    grow_store(path, longer, TEXT)
    same_where_it_was(before, path)
    assert tuple(open_store(path)["weight_virial"].values) == weights
    assert tuple(Identity.of_store(path).axes["weight_virial"]) == weights
    with pytest.raises(StoreError, match="weights of a store keep their order"):
        grow_store(path, grid_with(weight_virial=sorted(weights), **LONGER), TEXT)


def test_a_grown_store_is_written_as_netcdf(store: Path, tmp_path: Path) -> None:
    grow_store(store, grid_with(**LONGER), TEXT)
    export_netcdf(open_store(store), tmp_path / "grown.nc")
    with xr.open_dataset(tmp_path / "grown.nc") as found:
        assert found["n_train"].values.tolist() == [2, 4, 16]


def test_growing_again_changes_nothing(store: Path) -> None:
    grow_store(store, grid_with(**LONGER), TEXT)
    once = open_store(store).load()
    assert grow_store(store, grid_with(**LONGER), TEXT) == {}
    xr.testing.assert_identical(once, open_store(store).load())


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    radii=st.permutations([25.0, 10.0, 60.0]),
    sizes=st.permutations([4, 2, 16]),
    names=st.permutations(["screw", "edge", "mixed"]),
)
def test_flags_are_read_in_the_studys_order(
    tmp_path_factory: pytest.TempPathFactory, radii: list[float], sizes: list[int], names: list[str]
) -> None:
    path = new_store(tmp_path_factory.mktemp("order") / "small.zarr")
    write_records(path, [block_record()])
    grid = grid_with(simulation_radius=radii, n_train=sizes, dislocation=names)
    before = read_on_grid(path, "status", grid, Status.pending)
    grow_store(path, grid, TEXT)
    after = read_on_grid(path, "status", grid, Status.pending)
    np.testing.assert_array_equal(before, after)
    assert set(after[grid.index(BLOCK)].ravel().tolist()) == {Status.estimated}
    assert int((after != Status.pending).sum()) == len(grid.weightings())


@pytest.mark.parametrize(
    "place",
    ["sweep.location.FolderLocation.sync_all", "sweep.store.growth.consolidate", "sweep.store.growth.np"],
)
def test_growth_that_was_cut_short_is_completed(
    store: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    before = open_store(store).load()

    class Cut:
        def __call__(self, *_: Any, **__: Any) -> Any:
            raise OSError("the disk is full")

        __getattr__ = __call__

    with monkeypatch.context() as patched:
        patched.setattr(place, Cut())
        with pytest.raises(OSError, match="full"):
            grow_store(store, grid_with(**LONGER), TEXT)
    same_where_it_was(before, store)
    assert open_store(store)["status"].shape == GRID.shape
    # a run of the study as it was gathers the metadata anew: what was cut short must not come to be seen by that
    undo_growth(store)
    write_failures(store, {})
    same_where_it_was(before, store)
    assert open_store(store)["status"].shape == GRID.shape
    grow_store(store, grid_with(**LONGER), TEXT)
    same_where_it_was(before, store)
    assert open_store(store)["status"].shape == grid_with(**LONGER).shape
    assert not open_store(store)["n_train"].isnull().any()


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (grid_with(weight_virial=(0.0, 1.0, 10.0, 100.0)), "weights of a store cannot be added to"),
        (grid_with(cutoff=(4.0,)), "has the dimensions"),
    ],
)
def test_weights_and_dimensions_stay(store: Path, grid: Grid, message: str) -> None:
    shutil.copytree(store, store.with_name("copy.zarr"))
    with pytest.raises(StoreError, match=message):
        grow_store(store, grid, TEXT)
    xr.testing.assert_identical(open_store(store).load(), open_store(store.with_name("copy.zarr")).load())


def test_labels_that_only_the_store_has_stay(store: Path) -> None:
    before = open_store(store).load()
    grow_store(store, grid_with(degree=(8, 10)), TEXT)
    same_where_it_was(before, store)
    assert open_store(store)["degree"].values.tolist() == [*VALUES["degree"], 10]


def test_a_run_of_the_study_as_it_was_undoes_growth_before_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tmp_path / "small-iron.yaml"
    study.write_text(SMALLER)
    prepared = prepare(study, tmp_path / "small-iron.zarr", None)
    set_up(prepared)
    path, grid = prepared.folders.store, prepared.grid
    study.write_text(SMALLER.replace("replica: 1", "replica: 3"))
    with monkeypatch.context() as patched:
        patched.setattr("sweep.store.growth.consolidate", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            set_up(prepare(study, path, None))
    assert hidden_shape(path) != grid.shape
    set_up(prepared)
    assert hidden_shape(path) == grid.shape


def hidden_shape(path: StoreLike) -> tuple[int, ...]:
    """What an array's own metadata say, not what is gathered of them."""
    array: Any = zarr.open_group(location_of(path).zarr_store(), mode="r", use_consolidated=False)["status"]
    return tuple(array.shape)
