"""The accessor `ds.sweep`: where it comes from, what it keeps lazy, and that it asks what the functions ask."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import matplotlib.figure
import numpy as np
import pytest
import xarray as xr

import sweep
from sweep.accessor import UnitsMissingError
from sweep.hypotheses import examine
from sweep.needed import VariableMissingError
from sweep.rates.of_store import rate_of
from sweep.variables import Status
from tests.sweep.advice.made import falling, marked, store
from tests.sweep.small_store import GRID, block_record, new_store, point_record

ROOT = Path(__file__).resolve().parents[2]
PINT = find_spec("pint_xarray") is not None


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with every block estimated and two points relaxed, one of them in another minimum."""
    path = new_store(tmp_path_factory.mktemp("accessor") / "small.zarr")
    records = [block_record(block, seed) for seed, block in enumerate(GRID.blocks())]
    one, another = point_record(1), point_record(2, status="other_minimum")
    sweep.store.write_records(path, [*records, one, another])
    return path


@pytest.mark.parametrize(
    "imports",
    [
        "import sweep, xarray",
        "import xarray, sweep",
        "import sweep.accessor, xarray",
        "import sweep, xarray.core",
        "import sweep, importlib.util; importlib.util.find_spec('xarray'); import xarray",
    ],
)
def test_it_is_there_whichever_is_imported_first(imports: str) -> None:
    command = f"{imports}; print(type(xarray.Dataset().sweep).__name__)"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "SweepAccessor"


def test_importing_sweep_imports_no_xarray() -> None:
    command = (
        "import sys, sweep; print(sorted({'xarray', 'numpy', 'pandas', 'scipy', 'dask'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_the_accessor_imports_none_of_what_it_may_never_be_asked_for() -> None:
    command = (
        "import sys, xarray; import sweep; xarray.Dataset().sweep\n"
        "print(sorted({'matplotlib', 'sweep.rates', 'sweep.advice', 'sweep.engine', 'distributed'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_usable_points_are_masked_and_nothing_is_computed(path: Path) -> None:
    ds = xr.open_zarr(path)
    kept = ds.sweep.ok()
    for name in ("geometry_error", "rmse_forces", "strain_error_profile"):
        # still chunked as it was
        assert kept[name].chunks == ds[name].chunks
        assert kept[name].attrs == ds[name].attrs
    assert int(kept["geometry_error"].notnull().sum()) == 1
    assert int((ds["status"] == Status.other_minimum).sum()) == 1
    xr.testing.assert_identical(kept["status"], ds["status"])
    # what a fit alone gives does not depend on the relaxation
    assert int(ds.sweep.usable("geometry_estimate").sum()) == ds["status"].size


def test_what_has_several_values_a_point_masks_points(path: Path) -> None:
    ds = xr.open_zarr(path).load()
    ds["rmse_forces"][{"config_kind": 0, "degree": 0}] = np.nan
    kept = ds.sweep.ok("rmse_forces")
    assert kept["geometry_estimate"].dims == ds["geometry_estimate"].dims
    assert kept["geometry_estimate"].isnull().any([*set(ds["status"].dims) - {"degree"}]).values.tolist() == [
        True,
        False,
    ]


def test_truncations_have_their_own_status(path: Path) -> None:
    ds = xr.open_zarr(path).load()
    ds["truncation_geometry_error"][...] = 0.1
    ds["truncation_status"][...] = np.array([[Status.relaxed], [Status.other_minimum]], dtype=np.uint8)
    assert ds.sweep.usable("truncation_geometry_error").values.ravel().tolist() == [True, False]


def test_usable_is_above_zero_and_finite() -> None:
    ds = xr.Dataset(
        {
            "geometry_error": ("x", [0.1, 0.0, -1.0, np.nan, np.inf, 0.1, 0.1]),
            "status": ("x", np.array([2, 2, 2, 2, 2, 3, 5], dtype=np.uint8)),
        }
    )
    assert ds.sweep.usable().values.tolist() == [True, *[False] * 6]


def test_it_asks_what_the_functions_ask() -> None:
    ds = marked(store(falling), Status.failed, degree=8, replica=0)
    assert str(ds.sweep.advise(0.05)) == str(sweep.advise(ds, 0.05))
    xr.testing.assert_identical(
        ds.sweep.rate("geometry_error", "degree"), rate_of(ds, "geometry_error", "degree")
    )
    ds["far_field_mismatch"] = ds["geometry_error"] ** 2
    ds["rmse_forces"] = ds["geometry_error"].expand_dims(config_kind=["bulk", "core"], axis=-1)
    ds["rmse_virial"] = 0.1 * ds["rmse_forces"]
    found = ds.sweep.hypotheses()
    for name, finding in examine(ds).items():
        xr.testing.assert_identical(found[name], finding)


def test_a_part_of_a_store_is_asked_too() -> None:
    ds = store(falling)
    ds["far_field_mismatch"] = ds["geometry_error"] ** 2
    ds["rmse_forces"] = ds["geometry_error"].expand_dims(config_kind=["bulk", "core"], axis=-1)
    ds["rmse_virial"] = 0.1 * ds["rmse_forces"]
    part = ds.sel(dislocation="screw", degree=8, weight_energy=1.0)
    found = part.sweep.hypotheses()["H2"]
    assert found["value"].dims == ("dislocation", "simulation_radius")
    assert found["dislocation"].values.tolist() == ["screw"]
    cheapest = part.sweep.advise(0.1).cheapest
    assert len(cheapest) == 1
    assert set(cheapest[0].point) == {"domain_radius", "n_train", "weight_forces", "weight_virial"}
    assert isinstance(part.sweep.plot.error(along="n_train"), matplotlib.figure.Figure)


def test_a_part_at_one_degree_keeps_what_never_had_degrees(path: Path) -> None:
    ds = xr.open_zarr(path).load()
    ds["truncation_geometry_error"][...] = np.array([[0.3, 0.2], [0.4, 0.1]])[
        :, : ds.sizes["simulation_radius"]
    ]
    ds["truncation_status"][...] = Status.relaxed
    ds["burgers_length"] = ("dislocation", [2.7, 4.4])
    options = ("truncation_geometry_error", "simulation_radius")
    for part in (ds.isel(degree=0), ds.isel(degree=0, dislocation=1)):
        drawn = part.sweep.plot.error(*options).axes
        assert len(drawn) == part["dislocation"].size
        heights = np.ravel([container[0].get_ydata() for axes in drawn for container in axes.containers])
        np.testing.assert_allclose(heights, part["truncation_geometry_error"].values.ravel())


def test_what_is_lazy_stays_lazy_whatever_is_asked(path: Path) -> None:
    ds = xr.open_zarr(path)
    ds["burgers_length"] = xr.DataArray([2.7, 4.4], dims="dislocation").chunk()
    ds["labelled_atoms"] = ds["labelled_atoms"].fillna(100.0)
    ds.sweep.rate("geometry_error", "domain_radius")
    ds.sweep.rate("truncation_geometry_error", "simulation_radius")
    ds.sweep.hypotheses()
    ds.sweep.advise(0.1)
    ds.sweep.plot.error("geometry_estimate", "domain_radius")
    assert [name for name, values in ds.data_vars.items() if values.chunks is None] == []


def test_what_a_dataset_lacks_is_named() -> None:
    ds = store(falling)
    with pytest.raises(
        VariableMissingError, match=r"^hypotheses: the dataset has no far_field_mismatch, rmse_forces"
    ):
        ds.sweep.hypotheses()
    with pytest.raises(KeyError, match="no status; its variables are basis_size, geometry_error"):
        ds.drop_vars("status").sweep.ok()
    with pytest.raises(VariableMissingError, match="no truncation_status"):
        ds.rename(geometry_error="truncation_geometry_error").sweep.usable("truncation_geometry_error")
    with pytest.raises(VariableMissingError, match="no geometry_eror; its variables are"):
        ds.sweep.ok("geometry_eror")
    with pytest.raises(VariableMissingError, match="no status"):
        ds.drop_vars("status").isel(degree=0).sweep.hypotheses()


@pytest.mark.skipif(PINT, reason="pint-xarray is installed")
def test_units_without_pint_say_what_to_install() -> None:
    with pytest.raises(UnitsMissingError, match="pip install pint-xarray"):
        store(falling).sweep.quantify()


@pytest.mark.skipif(not PINT, reason="pint-xarray is not installed")
def test_units_with_pint(path: Path) -> None:
    ds = xr.open_zarr(path)
    quantities = ds.sweep.quantify()
    nanometres = quantities["geometry_error"].pint.to("nm").pint.dequantify()
    np.testing.assert_allclose(nanometres, ds["geometry_error"] / 10)
    ratio = (
        quantities["rmse_forces"].isel(config_kind=0)
        * quantities["geometry_error"]
        / quantities["energy_error"]
    )
    assert ratio.pint.units.dimensionality == {}
    assert str(quantities["rmse_energy"].pint.units) == "electron_volt / atom"
    assert quantities["status"].dtype == np.uint8
    assert quantities["domain_radius"].attrs["units"] == "angstrom"
    assert ds["geometry_error"].attrs["units"] == "angstrom"
