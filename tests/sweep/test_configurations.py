from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sweep.store import (
    StoreError,
    StoreMissingError,
    open_store,
)
from sweep.store.configurations import configuration_path, write_configuration
from tests.sweep.small_store import (
    new_store,
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return new_store(tmp_path / "small.zarr")


def configuration(n_sites: int = 5) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    vectors = ("sites", "displacement_predictor", "displacement_corrector")
    return {**{name: random.random((n_sites, 3)) for name in vectors}, "free": np.arange(n_sites) < 3}


def test_configurations_open_in_xarray(store: Path) -> None:
    for dislocation, radius in itertools.product(("screw", "edge"), (25, 40.5)):
        write_configuration(store, dislocation, radius, configuration())
    write_configuration(store, "edge", 40.5, configuration(7))
    for radius, n_sites in ((25.0, 5), (40.5, 7)):
        group = xr.open_zarr(store, group=configuration_path("edge", radius))
        for name, values in configuration(n_sites).items():
            np.testing.assert_array_equal(group[name], values)
            assert group[name].dims == ("site", "xyz")[: values.ndim]
        assert group.free.dtype == bool
        for name, array in group.variables.items():
            assert array.attrs["units"], name
            assert array.attrs["long_name"], name
    tree = xr.open_datatree(store, engine="zarr")
    assert tree["configurations/screw/25.0"]["sites"].shape == (5, 3)
    xr.testing.assert_identical(xr.open_zarr(store).load(), open_store(store).load())
    assert list(store.parent.iterdir()) == [store]


def test_configurations_that_do_not_fit_are_refused(store: Path, tmp_path: Path) -> None:
    arrays = configuration()
    with pytest.raises(StoreError, match=r"sites has shape \(4, 3\)"):
        write_configuration(store, "screw", 25.0, {**arrays, "sites": np.zeros((4, 3))})
    with pytest.raises(StoreError, match="arrays are free"):
        write_configuration(store, "screw", 25.0, {"free": arrays["free"]})
    with pytest.raises(StoreMissingError):
        write_configuration(tmp_path / "none.zarr", "screw", 25.0, arrays)
    assert not (store / "configurations").exists()
