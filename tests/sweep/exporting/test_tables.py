"""Tables of every point against the store they were made from, and in any number of pieces."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from sweep.exporting.errors import ExportError
from sweep.exporting.rows import columns_of, rows_of, slabs
from sweep.exporting.tables import export_csv, export_netcdf, export_parquet
from sweep.store import create_store, open_store
from sweep.variables import VARIABLES, Status
from tests.sweep.exporting.stores import filled_store
from tests.sweep.small_store import ATTRIBUTES, EDGES, GRID, grid_with

AXES = list(GRID.dims)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return filled_store(tmp_path_factory.mktemp("exports") / "small.zarr")


@pytest.fixture(scope="module")
def dataset(store):
    return open_store(store)


def as_table(path):
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)


@pytest.mark.parametrize("export", [export_csv, export_parquet])
def test_a_table_holds_every_value_of_every_point(dataset, tmp_path, export):
    path = tmp_path / f"table.{export.__name__.removeprefix('export_')}"
    assert export(dataset, path) == GRID.n_points
    table = as_table(path)
    assert len(table) == GRID.n_points
    assert not table.duplicated(AXES).any()
    expected = dataset.compute().stack(point=AXES, create_index=False)
    for name in AXES:
        assert table[name].tolist() == expected[name].values.tolist()
    assert [Status[word] for word in table["status"]] == expected.status.values.tolist()
    for variable in VARIABLES:
        if variable.flags is None and variable.name in expected:
            for column, values in columns_in(expected[variable.name]):
                np.testing.assert_array_equal(table[column], values, err_msg=column)


def columns_in(variable):
    """Columns of a variable as a person would name them."""
    if variable.ndim == 1:
        return [(variable.name, variable.values)]
    dim = variable.dims[0]
    labels = [f"{label:g}" if dim == "radial_bin" else label for label in variable[dim].values]
    return [
        (f"{variable.name}_{label}", values) for label, values in zip(labels, variable.values, strict=True)
    ]


def test_rows_follow_the_axes_and_the_status_comes_first(dataset, tmp_path):
    export_csv(dataset, tmp_path / "table.csv")
    table = pd.read_csv(tmp_path / "table.csv")
    assert list(table.columns[: len(AXES) + 1]) == [*AXES, "status"]
    assert [column.name for column in columns_of(dataset)] == list(table.columns)
    expected = pd.MultiIndex.from_product([dataset[name].values for name in AXES]).to_frame(index=False)
    assert (table[AXES].values == expected.values).all()


@pytest.mark.parametrize("most", [7, 30, GRID.n_points])
def test_pieces_of_any_size_make_one_table(dataset, most):
    (whole,) = rows_of(dataset, most=GRID.n_points)
    pieces = list(rows_of(dataset, most=most))
    assert max(len(piece) for piece in pieces) <= most
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), whole)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(1, 100))
def test_slabs_cover_a_grid_once_in_order(lengths, most):
    sizes = {f"axis{place}": length for place, length in enumerate(lengths)}
    numbers = np.arange(math.prod(lengths)).reshape(lengths)
    pieces = [numbers[tuple(region.values())].ravel() for region in slabs(sizes, most)]
    assert max(map(len, pieces)) <= most
    assert np.concatenate(pieces).tolist() == numbers.ravel().tolist()


def test_further_axes_become_columns(tmp_path):
    """Whatever axes a store has: only those of the status count."""
    grid = grid_with(cutoff=(4.5, 5.0))
    create_store(tmp_path / "wider.zarr", grid, EDGES, ATTRIBUTES)
    assert export_csv(open_store(tmp_path / "wider.zarr"), tmp_path / "table.csv") == grid.n_points
    table = pd.read_csv(tmp_path / "table.csv")
    assert list(table.columns[:10]) == list(grid.dims)
    assert table.cutoff.tolist()[:12] == [4.5] * 6 + [5.0] * 6
    assert set(table.status) == {"pending"}


def test_parquet_carries_units_and_the_study(dataset, tmp_path):
    export_parquet(dataset, tmp_path / "table.parquet")
    schema = parquet.read_schema(tmp_path / "table.parquet")
    assert schema.field("geometry_error").metadata[b"units"] == b"angstrom"
    assert schema.field("rmse_forces_core").metadata[b"long_name"] == b"held-out force RMSE"
    assert schema.field("simulation_radius").metadata[b"units"] == b"angstrom"
    assert schema.metadata[b"study"] == b"study: small\n"


@pytest.mark.parametrize("format_", ["netCDF 4", "netCDF 3"])
def test_netcdf_is_the_store(dataset, tmp_path, format_, monkeypatch):
    if format_ == "netCDF 3":
        without(monkeypatch, "netCDF4")
    assert export_netcdf(dataset, tmp_path / "store.nc") == GRID.n_points
    magic = (tmp_path / "store.nc").read_bytes()[:4]
    assert magic == (b"CDF\x02" if format_ == "netCDF 3" else b"\x89HDF")
    with xr.open_dataset(tmp_path / "store.nc") as read:
        assert dict(read.attrs) == dict(dataset.attrs)
        assert set(read.variables) == set(dataset.variables)
        for name in dataset.variables:
            assert read[name].dims == dataset[name].dims
            np.testing.assert_array_equal(read[name].values, dataset[name].values, err_msg=str(name))
            assert read[name].attrs["units"] == dataset[name].attrs["units"]


def without(monkeypatch, package):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == package else found(name, *rest)
    )


def test_without_pyarrow_the_message_says_how_to_get_it(dataset, tmp_path, monkeypatch):
    without(monkeypatch, "pyarrow")
    with pytest.raises(ExportError, match=r"pip install 'farfield\[parquet\]'"):
        export_parquet(dataset, tmp_path / "table.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".nc"])
def test_a_damaged_store_leaves_nothing_behind(tmp_path, suffix):
    store = filled_store(tmp_path / "damaged.zarr")
    chunk = next(path for path in (store / "geometry_error" / "c").rglob("*") if path.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-3])
    earlier = tmp_path / f"table{suffix}"
    earlier.write_text("what was there before")
    export = {".csv": export_csv, ".parquet": export_parquet, ".nc": export_netcdf}[suffix]
    with pytest.raises(ExportError):
        export(open_store(store), earlier)
    assert earlier.read_text() == "what was there before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged.zarr", earlier.name]


def test_a_folder_that_is_not_there_is_named(dataset, tmp_path):
    with pytest.raises(ExportError, match="there is no folder"):
        export_csv(dataset, tmp_path / "none" / "table.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ExportError, match="it is a folder"):
        export_csv(dataset, Path(tmp_path / "folder.csv"))
