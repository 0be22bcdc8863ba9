"""What a store is held to wherever it is: in a folder, in memory, in an S3 service."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from rich.console import Console

from sweep.exporting.structures import export_structures
from sweep.figures.gallery import _configurations
from sweep.grid import Cylinder
from sweep.identity import Identity
from sweep.location import GROUP_FILE, Location, location_of
from sweep.remaining import Remaining
from sweep.status import show_status
from sweep.store import (
    StoreError,
    StoreExistsError,
    StoreMissingError,
    accept_packages,
    configuration_path,
    create_store,
    grow_store,
    open_store,
    read_status,
    stored_fingerprint,
    write_configuration,
    write_records,
    write_truncations,
)
from sweep.store.potential_cores import write_potential_core
from sweep.truncations import TruncationRecord
from sweep.variables import Status
from tests.sweep.small_store import (
    ATTRIBUTES,
    BLOCK,
    EDGES,
    GRID,
    N_WEIGHTINGS,
    at,
    block_record,
    grid_with,
    labels_of,
    point_record,
)

SITES = {
    "sites": np.arange(12.0).reshape(4, 3),
    "displacement_predictor": np.ones((4, 3)),
    "displacement_corrector": np.zeros((4, 3)),
    "free": np.array([True, True, False, False]),
}
MADE_FROM = ATTRIBUTES | {"fingerprint": {"seed": 0, "packages": {"numpy": "2.0"}}}
LONGER = grid_with(replica=(0, 1, 2), n_train=(2, 4))


class CrashError(RuntimeError):
    """A process that ends here."""


@pytest.fixture
def store(place: Location) -> Location:
    create_store(place, GRID, EDGES, MADE_FROM)
    return place


def crashing_at(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """End the process when this array is about to be written."""
    write = zarr.Array.__setitem__

    def crash(array: zarr.Array[Any], region: Any, values: Any) -> None:
        if array.path == path:
            raise CrashError
        write(array, region, values)

    monkeypatch.setattr(zarr.Array, "__setitem__", crash)


def test_a_new_store_is_whole_and_made_once(store: Location) -> None:
    dataset = open_store(store).load()
    assert dataset["status"].shape == GRID.shape
    assert (dataset["status"] == Status.pending).all()
    assert {"units", "long_name"} <= set(dataset["geometry_error"].attrs)
    assert stored_fingerprint(os.fspath(store)) == MADE_FROM["fingerprint"]
    with pytest.raises(StoreExistsError, match="exists"):
        create_store(store, GRID, EDGES, ATTRIBUTES)
    xr.testing.assert_identical(
        xr.open_zarr(store.zarr_store(read_only=True), chunks=None).load(), open_store(store).load()
    )


def test_there_is_no_store_before_the_last_file(place: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        crashing_at("dislocation", patch)
        with pytest.raises(CrashError):
            create_store(place, GRID, EDGES, ATTRIBUTES)
    assert not place.exists(GROUP_FILE)
    with pytest.raises(StoreMissingError, match="no store at"):
        open_store(place)
    create_store(place, GRID, EDGES, ATTRIBUTES)
    assert open_store(place).sizes["replica"] == 2


def test_what_was_written_is_read_and_written_once(store: Location) -> None:
    records = [block_record(), point_record(2)]
    assert write_records(store, records) == 1
    assert write_records(store, records) == 0
    found = at(open_store(store), BLOCK)
    np.testing.assert_array_equal(found["pressure"], records[0].values["pressure"])
    assert float(found["geometry_error"][2]) == float(records[1].values["geometry_error"])
    assert found["status"].values.tolist() == [1, 1, 2, 1, 1, 1]


def test_data_come_before_the_status(store: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        crashing_at("status", patch)
        with pytest.raises(CrashError):
            write_records(store, [block_record(), point_record(2)])
    assert (read_status(store) == Status.pending).all()
    assert not at(open_store(store), BLOCK)["geometry_estimate"].isnull().any()
    write_records(store, [block_record(), point_record(2)])
    assert int((read_status(store) != Status.pending).sum()) == N_WEIGHTINGS


def test_growth_is_seen_when_it_is_whole(store: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    write_records(store, [block_record(), point_record(2)])
    before = open_store(store).load()
    with monkeypatch.context() as patch:
        crashing_at("replica", patch)
        with pytest.raises(CrashError):
            grow_store(store, LONGER, "study: longer\n")
    xr.testing.assert_identical(open_store(store).load(), before)
    assert grow_store(store, LONGER, "study: longer\n") == {"n_train": (2,), "replica": (2,)}
    after = open_store(store)
    assert after["replica"].values.tolist() == [0, 1, 2]
    assert Identity.of_store(store).axes["n_train"] == [2.0, 4.0]
    old = after.sel(n_train=[4], replica=[0, 1]).drop_attrs(deep=False).load()
    xr.testing.assert_identical(old[list(before)], before.drop_attrs(deep=False))


def test_cores_and_truncation_errors_are_kept_beside(store: Location, tmp_path: Path) -> None:
    for _ in range(2):
        write_configuration(store, "edge", 25.0, SITES, period=2.8)
    write_potential_core(store, labels_of(BLOCK), SITES["displacement_predictor"], {"geometry_error": 0.1})
    write_truncations(store, [TruncationRecord(Cylinder("edge", 25.0), "relaxed", {})])
    dataset = open_store(store)
    group = xr.open_zarr(
        store.zarr_store(read_only=True), group=configuration_path("edge", 25.0), chunks=None
    )
    np.testing.assert_array_equal(group["sites"], SITES["sites"])
    ((name, configuration, potential),) = _configurations(dataset, store)
    assert name == "edge"
    assert configuration.sizes["site"] == 4
    assert potential is not None
    assert not list(store.folder.glob(".*.tmp"))


def test_what_is_left_is_read_anywhere(store: Location, tmp_path: Path) -> None:
    write_records(store, [block_record(), *(point_record(index) for index in range(N_WEIGHTINGS))])
    accept_packages(store, {"numpy": "3.0"})
    assert stored_fingerprint(store)["packages"] == {"numpy": "3.0"}
    remaining = Remaining(GRID, store, tmp_path / "journals", relaxing=True)
    left = [block for block in GRID.blocks() if not remaining(block).finished]
    assert len(left) == GRID.n_blocks - 1


def test_who_may_not_write_any_more_writes_nothing(store: Location) -> None:
    def stop() -> None:
        raise CrashError("another driver has it")

    for write in (
        lambda place: write_records(place, [block_record()]),
        lambda place: write_truncations(place, [TruncationRecord(Cylinder("edge", 25.0), "relaxed", {})]),
        lambda place: grow_store(place, LONGER, "study: longer\n"),
        lambda place: write_configuration(place, "edge", 25.0, SITES),
        lambda place: accept_packages(place, {}),
    ):
        with pytest.raises(CrashError):
            write(store.guarded(stop))
    dataset = open_store(store)
    assert (dataset["status"] == Status.pending).all()
    assert dataset.sizes["replica"] == 2
    assert not store.exists(configuration_path("edge", 25.0))
    with pytest.raises(CrashError):
        create_store(location_of(f"{store}-2").guarded(stop), GRID, EDGES, ATTRIBUTES)
    assert not location_of(f"{store}-2").exists()


def test_its_status_is_shown_and_files_about_it_go_to_a_folder(store: Location, tmp_path: Path) -> None:
    write_records(store, [block_record(), point_record(2)])
    output = StringIO()
    assert show_status(os.fspath(store), Console(file=output, width=200)) == 0
    assert f"{GRID.n_points} points" in output.getvalue()
    assert store.run_folder.name == "small.zarr.run"
    assert store.beside(".html").name == "small.html"
    assert store.run_folder.parent == (tmp_path if "://" in str(store) else Path(store).parent)
    assert any(key.startswith("status/") for key in store.names())
    with pytest.raises(ValueError, match="element"):
        export_structures(store, tmp_path / "cores.xyz")


def test_a_url_that_nothing_opens_or_answers_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError, match=r"gopher://x/y\.zarr cannot be opened"):
        open_store("gopher://x/y.zarr")


def test_a_service_that_does_not_answer_is_named(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.exceptions

    location = location_of(f"{s3}/gone.zarr")

    def refuse(*_: object) -> bool:
        raise botocore.exceptions.EndpointConnectionError(endpoint_url="http://nowhere")

    monkeypatch.setattr("s3fs.S3FileSystem.exists", refuse)
    with pytest.raises(StoreError, match=r"gone\.zarr cannot be reached: Could not connect") as refusal:
        open_store(location)
    assert isinstance(refusal.value, OSError)
