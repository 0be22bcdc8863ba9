"""Variables that measures give: set up with the store, written with a point's record, and NaN where they failed."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweep.gang import GangDied, KernelError
from sweep.measured import Measure, collision
from sweep.measuring import measure_lines, measured, unmeasured
from sweep.store import UnstorableRecordError, create_store, open_store, write_records
from tests.sweep.small_store import ATTRIBUTES, BLOCK, EDGES, GRID, at, block_record, point_record

DECLARED = {"mine:core": [["width", "angstrom", "width of the core"], ["depth", "eV", "depth of it"]]}


def new_store(path: Path) -> Path:
    create_store(path, GRID, EDGES, {**ATTRIBUTES, "measures": DECLARED})
    return path


def test_a_store_has_what_measures_declare_and_takes_it_from_points_records(tmp_path: Path) -> None:
    store = new_store(tmp_path / "s.zarr")
    point = point_record(3)
    point = replace(point, values={**point.values, "width": 2.5, "depth": math.nan})
    write_records(store, [block_record(), point])
    ds = open_store(store)
    assert (ds["width"].attrs["units"], ds["depth"].attrs["long_name"]) == ("angstrom", "depth of it")
    width = at(ds, BLOCK)["width"].values
    assert width[3] == 2.5
    assert np.isnan(np.delete(width, 3)).all()
    assert np.isnan(ds["depth"]).all()
    assert json.loads(ds.attrs["measures"]) == DECLARED
    # a point that is tried again and gives none has none
    write_records(store, [point_record(3, seed=2)])
    assert np.isnan(open_store(store)["width"]).all()


@pytest.mark.parametrize("values", [{"width": [1.0, 2.0]}, {"length": 1.0}])
def test_other_shapes_and_names_are_refused(tmp_path: Path, values: dict[str, Any]) -> None:
    store = new_store(tmp_path / "s.zarr")
    with pytest.raises(UnstorableRecordError, match=next(iter(values))):
        write_records(store, [replace(point_record(3), values=values)])


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"a:b": [("status", "1", "x")]}, "a:b measures 'status', which is a name of the store's own"),
        ({"a:b": [("degree", "1", "x")]}, "which is a name of the store's own"),
        ({"a:b": [("transfer_status", "1", "x")]}, "which is a name of the store's own"),
        ({"a:b": [("radial_bin", "1", "x")]}, "which is a name of the store's own"),
        ({"a:b": [("width", "1", "x")], "c:d": [("width", "1", "x")]}, "c:d measures 'width', as a:b does"),
        (DECLARED, ""),
    ],
)
def test_names_that_collide_are_told(declared: Any, said: str) -> None:
    assert said in collision(declared)
    assert bool(said) == bool(collision(declared))


def test_a_measure_that_fails_costs_its_own_numbers_and_says_why() -> None:
    def call(function: str, arguments: Any) -> dict[str, float]:
        assert function == "kernels.measured:measure"
        assert arguments["weighting"] == 4
        if arguments["function"] == "a:raises":
            raise KernelError("…", kind="ValueError", reason="no core; none")
        if arguments["function"] == "a:kills":
            raise GangDied("rank 0 of 1 went away\nlog: …", ranks=(0,))
        return {"width": arguments["options"]["scale"]}

    measures = [
        Measure("a:raises", {}, ("x", "y")),
        Measure("a:good", {"scale": 2.0}, ("width",)),
        Measure("a:kills", {}, ("z",)),
    ]
    given = dict.fromkeys(("basis", "dislocation", "equilibrium", "fit", "tolerance"))
    values, told = measured(call, measures, given, 4, np.zeros((1, 3)))
    assert values["width"] == 2.0
    assert all(math.isnan(values[name]) for name in "xyz")
    records = [replace(point_record(1), message="; ".join(told)), point_record(2)]
    assert list(measure_lines(unmeasured(records))) == [
        "not measured 1 time: a:raises failed: ValueError: no core, none",
        "not measured 1 time: a:kills failed: rank 0 of 1 went away",
    ]
