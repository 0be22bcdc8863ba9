from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.store import (
    StoreError,
    StoreExistsError,
    create_store,
    open_store,
    read_status,
    stored_fingerprint,
)
from sweep.store.layout import LEAST_POINTS, chunk_shape
from sweep.variables import VARIABLES, Status
from tests.sweep.small_store import (
    ATTRIBUTES,
    EDGES,
    GRID,
    VALUES,
    new_store,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return new_store(tmp_path / "small.zarr")


def test_a_new_store_is_wholly_pending(store: Path) -> None:
    dataset = open_store(store)
    assert dataset.status.dtype == np.uint8
    assert (read_status(store) == Status.pending).all()
    assert read_status(store).shape == GRID.shape
    for variable in VARIABLES:
        if not variable.in_every_store:
            assert variable.name not in dataset
            continue
        assert dataset[variable.name].dims == GRID.dims + variable.extra_dims
        if variable.dtype == "float64":
            assert dataset[variable.name].isnull().all()
    for name, labels in VALUES.items():
        assert dataset[name].values.tolist() == list(labels)
    assert dataset.radial_bin.values.tolist() == [2.5, 7.5, 17.5]
    assert dataset.config_kind.values.tolist() == ["bulk", "core"]
    assert {"radial_bin_lower", "radial_bin_upper"} <= set(dataset.coords)
    assert list(store.parent.iterdir()) == [store]


def test_every_variable_and_coordinate_says_what_it_is(store: Path) -> None:
    for name, array in open_store(store).variables.items():
        assert array.attrs["units"], name
        assert array.attrs["long_name"], name


def test_units_are_the_contracts(store: Path) -> None:
    dataset = open_store(store)
    units = {
        "rmse_energy": "eV/atom",
        "rmse_forces": "eV/angstrom",
        "rmse_virial": "eV/atom",
        "far_field_mismatch": "angstrom^2",
        "elastic_error": "GPa",
        "pressure": "GPa",
        "lattice_error": "angstrom",
        "geometry_error": "angstrom",
        "energy_error": "eV",
        "residual_force": "eV/angstrom",
        "wall_time": "s",
        "simulation_radius": "angstrom",
        "domain_radius": "angstrom",
    }
    assert {name: dataset[name].attrs["units"] for name in units} == units


def test_flags_follow_cf_and_never_change(store: Path) -> None:
    attributes = open_store(store).status.attrs
    words = "pending estimated relaxed unconverged other_minimum failed excluded not_asked"
    assert attributes["flag_meanings"] == words
    assert list(attributes["flag_values"]) == list(range(8))


def test_the_root_says_what_it_was_made_from(store: Path) -> None:
    attributes = open_store(store).attrs
    assert attributes["study"] == ATTRIBUTES["study"]
    assert json.loads(attributes["packages"]) == ATTRIBUTES["packages"]
    assert attributes["Conventions"].startswith("CF-")
    assert stored_fingerprint(store) == ATTRIBUTES["fingerprint"]


@given(st.tuples(*[st.integers(1, 40)] * 6, *[st.integers(1, 20)] * 3))
def test_chunks_hold_whole_blocks_and_enough_of_them(shape: tuple[int, ...]) -> None:
    chunk = chunk_shape(shape, 6)
    points, block = math.prod(chunk), math.prod(shape[6:])
    assert chunk[6:] == shape[6:]
    assert all(1 <= part <= whole for part, whole in zip(chunk, shape, strict=True))
    assert points >= min(LEAST_POINTS, math.prod(shape))
    assert points <= max(100_000, block)


def test_a_million_points_take_no_memory(tmp_path: Path) -> None:
    program = """
import resource
import sys
from sweep.store import create_store
from tests.sweep.small_store import ATTRIBUTES, EDGES, grid_with
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
grid = grid_with(replica=range(50), degree=range(2, 27), weight_virial=range(100))
assert grid.n_points == 1_000_000
create_store(sys.argv[1], grid, EDGES, ATTRIBUTES)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    answer = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "large.zarr")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    # One float64 variable alone would be 8 MB, all of them over 200 MB.
    assert int(answer.stdout) < 100_000
    assert open_store(tmp_path / "large.zarr").sizes["replica"] == 50


def test_a_store_is_never_overwritten(store: Path) -> None:
    with pytest.raises(StoreExistsError, match="exists"):
        create_store(store, GRID, EDGES, ATTRIBUTES)


def test_a_half_made_store_never_has_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sweep.location.sync_tree", full)
    with pytest.raises(OSError, match="No space"):
        create_store(tmp_path / "new.zarr", GRID, EDGES, ATTRIBUTES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("edges", "attributes", "says"),
    [
        ([1.0], ATTRIBUTES, "radial_bins"),
        ([0.0, 0.0], ATTRIBUTES, "radial_bins"),
        ([-1.0, 1.0], ATTRIBUTES, "radial_bins"),
        ([0.0, np.nan], ATTRIBUTES, "radial_bins"),
        (EDGES, {"study": ""}, "fingerprint, packages missing"),
        (EDGES, {**ATTRIBUTES, "extra": object()}, "extra cannot be written"),
    ],
)
def test_a_bad_template_is_refused(
    tmp_path: Path, edges: Sequence[float], attributes: Mapping[str, Any], says: str
) -> None:
    with pytest.raises(StoreError, match=says):
        create_store(tmp_path / "new.zarr", GRID, edges, attributes)
    assert list(tmp_path.iterdir()) == []
