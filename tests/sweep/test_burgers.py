"""Lengths of Burgers vectors: kept in the store, there when it has grown, and what radii are measured in by default."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sweep import fit_rate
from sweep.rates.of_store import rate_of
from sweep.store import grow_store, open_store
from sweep.store.burgers import read_burgers_lengths, write_burgers_lengths
from tests.sweep.small_store import grid_with, new_store

LENGTHS = {"screw": 2.74, "edge": 2.0}


def test_lengths_are_kept_as_far_as_they_are_known(tmp_path: Path) -> None:
    store = new_store(tmp_path / "small.zarr")
    assert read_burgers_lengths(store) == {}
    write_burgers_lengths(store, {"edge": 2.0})
    assert read_burgers_lengths(store) == {"edge": 2.0}
    write_burgers_lengths(store, {"screw": 2.74})
    assert read_burgers_lengths(store) == LENGTHS
    kept = open_store(store)["burgers_length"]
    assert (kept.dims, kept.attrs["units"]) == (("dislocation",), "angstrom")
    grow_store(store, grid_with(dislocation=("screw", "edge", "mixed")), "study: grown\n")
    assert read_burgers_lengths(store) == LENGTHS
    write_burgers_lengths(store, {"mixed": 2.5})
    assert open_store(store)["burgers_length"].sel(dislocation="mixed").item() == 2.5


def truncated() -> xr.Dataset:
    """Truncation errors 3 log(R/b)/R, with each dislocation's own b."""
    radius = xr.DataArray(np.geomspace(8, 60, 9), dims="simulation_radius")
    burgers = xr.DataArray(list(LENGTHS.values()), dims="dislocation")
    ds = xr.Dataset({"truncation_geometry_error": 3 * np.log(radius / burgers) / radius})
    ds = ds.assign_coords(dislocation=list(LENGTHS), simulation_radius=radius.values)
    ds["truncation_status"] = xr.full_like(ds["truncation_geometry_error"], 2, dtype=np.uint8)
    return ds.assign(burgers_length=burgers)


def test_the_logarithm_of_a_rate_is_of_radii_over_burgers_lengths() -> None:
    ds, along = truncated(), ("truncation_geometry_error", "simulation_radius")
    found = rate_of(ds, *along, model="power-log")
    np.testing.assert_allclose(found["rate"], 1.0, atol=1e-6)
    np.testing.assert_allclose(found["prefactor"], 3.0, rtol=1e-6)
    of_one = rate_of(ds, *along, model="power-log", select={"dislocation": "edge"})
    assert of_one.attrs["law"] == "C R^-a log^1(R / 2)"
    np.testing.assert_allclose(of_one["rate"], 1.0, atol=1e-6)
    # what is asked for counts for more than what the store knows, and an old store knows nothing
    asked = rate_of(ds, *along, model="power-log", length=1.0)
    older = rate_of(ds.drop_vars("burgers_length"), *along, model="power-log")
    plain = fit_rate(ds["truncation_geometry_error"], "simulation_radius", "power-log", length=1.0)
    for fit in (asked, older):
        np.testing.assert_allclose(fit["rate"], plain["rate"])
    assert (np.abs(plain["rate"] - 1.0) > 0.05).all()


@pytest.mark.parametrize("along", ["degree", "rmse_forces"])
def test_other_abscissae_have_no_such_length(along: str) -> None:
    from sweep.rates.of_store import length_of

    assert length_of(truncated(), along) == 1.0
