"""A small store's grid and records, shared by the tests of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sweep.grid import BLOCK_DIMENSIONS, DIMENSIONS, WEIGHTING_DIMENSIONS, Axis, Block, Grid
from sweep.records import Record
from sweep.store import create_store, open_store

EDGES = [0.0, 5.0, 10.0, 25.0]
ATTRIBUTES = {"study": "study: small\n", "fingerprint": {"seed": 0, "λ": 1e-6}, "packages": {"numpy": "2.0"}}
VALUES: dict[str, tuple[Any, ...]] = {
    "dislocation": ("screw", "edge"),
    "simulation_radius": (25.0,),
    "degree": (6, 8),
    "domain_radius": (6.0, 8.5),
    "n_train": (4,),
    "replica": (0, 1),
    "weight_energy": (1.0,),
    "weight_forces": (0.0, 1.0),
    "weight_virial": (0.0, 1.0, 10.0),
}
N_WEIGHTINGS = 6
BLOCK = Block("edge", 25.0, 8, 8.5, 4, 1)


def grid_with(**values: Sequence[Any]) -> Grid:
    labels = {**VALUES, **values}
    return Grid(
        tuple(Axis(name, tuple(labels[name]), *DIMENSIONS[name]) for name in DIMENSIONS if name in labels)
    )


GRID = grid_with()


def new_store(path: Path) -> Path:
    create_store(path, GRID, EDGES, ATTRIBUTES)
    return path


def block_record(block: Block = BLOCK, seed: int = 0, status: Any = "estimated") -> Record:
    random = np.random.default_rng(seed)
    values = {
        "rmse_forces": random.random((N_WEIGHTINGS, 2)),
        "geometry_estimate": random.random(N_WEIGHTINGS),
        "pressure": [1.0, -2.0, np.nan, np.inf, 0.0, 5e-324],
        "basis_size": 61,
        "rank": 60.0,
    }
    return Record(block, None, status, values, wall_time_s=3.0)


def point_record(index: int, block: Block = BLOCK, status: str = "relaxed", seed: int = 1) -> Record:
    random = np.random.default_rng([seed, index])
    values = {
        "geometry_error": random.random(),
        "energy_difference": -0.25,
        "strain_error_profile": random.random(3),
        "force_evaluations": 8,
    }
    return Record(block, index, status, values, wall_time_s=0.3)


def at(dataset: xr.Dataset, block: Block) -> xr.Dataset:
    weights = [str(name) for name in dataset["status"].dims if name in WEIGHTING_DIMENSIONS]
    return dataset.sel(labels_of(block)).stack(weighting=weights, create_index=False)


def labels_of(block: Block) -> dict[str, Any]:
    labels = {name: getattr(block, name) for name in BLOCK_DIMENSIONS}
    return {name: label for name, label in labels.items() if label is not None}


def assert_equal_stores(first: Path, second: Path) -> None:
    xr.testing.assert_identical(open_store(first).load(), open_store(second).load())
