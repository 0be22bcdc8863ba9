"""Estimates against relaxed errors: what `sweep status` says of stores whose answers are known."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from sweep.effectivity import effectivities, effectivity_table, warnings_of
from sweep.records import Record
from sweep.status import show_status
from sweep.store import open_store, write_records
from tests.sweep.small_store import GRID, N_WEIGHTINGS, new_store

TRUSTED = {"trust_ratio": 0.05, "stiffness_estimate": 0.9}


def store_with(
    folder: Path,
    errors: Sequence[float],
    estimate: float = 0.1,
    point: dict[str, Any] | None = None,
    status: str = "relaxed",
    **block: Any,
) -> Path:
    """Every block alike: one estimate, and these relaxed errors in turn."""
    store, records = new_store(folder / "small.zarr"), []
    for each in GRID.blocks():
        values = {"geometry_estimate": estimate, "energy_estimate": 0.02, "energy_estimate_affine": 0.03}
        records.append(Record(each, None, "estimated", values | TRUSTED | block))
        for place in range(len(errors)):
            found = {"geometry_error": errors[place], "energy_difference": 0.024}
            records.append(Record(each, place, status, found | (point or {})))
    write_records(store, records)
    return store


def shown(store: Path) -> tuple[int, str]:
    written = io.StringIO()
    console = Console(width=200, file=written)
    return show_status(store, console, console), written.getvalue()


def test_medians_and_ranges_are_those_of_the_points(tmp_path: Path) -> None:
    errors = [0.08, 0.1, 0.1, 0.1, 0.1, 0.125]
    found = effectivities(open_store(store_with(tmp_path, errors)))
    # two dislocations, two degrees
    assert [(each.dislocation, each.degree) for each in found] == [
        *[("screw", 6), ("screw", 8), ("edge", 6), ("edge", 8)]
    ]
    ratios = np.repeat(0.1 / np.array(errors), 4)
    for each in found:
        assert each.geometry.count == each.trusted.count == 4 * N_WEIGHTINGS
        assert each.geometry.median == pytest.approx(1.0)
        assert [each.geometry.low, each.geometry.high] == pytest.approx(np.percentile(ratios, [5, 95]))
        assert each.geometry.good
        # |0.02 - 0.024| over |0.03| + |0.03 - 0.02|
        assert each.energy.median == pytest.approx(0.1)
    assert warnings_of(found) == []


def test_a_range_that_leaves_its_limits_is_named(tmp_path: Path) -> None:
    status, text = shown(store_with(tmp_path, [0.1, 0.1, 1.0], trust_ratio=3.0))
    assert status == 0
    for where in ("screw, degree 6", "screw, degree 8", "edge, degree 6", "edge, degree 8"):
        assert f"{where}: effectivity from 0.10 to 1.00, outside 0.8–1.25" in text
    assert "no estimate of it was trusted" in text


def test_only_trusted_ones_being_good_is_said(tmp_path: Path) -> None:
    trust = np.array([0.05, 0.05, 3.0, 0.05, 0.05, 0.05])
    store = store_with(tmp_path, [0.1, 0.1, 1.0], trust_ratio=trust)
    [first, *_] = effectivities(open_store(store))
    assert (first.geometry.count, first.trusted.count) == (12, 8)
    assert not first.geometry.good
    assert first.trusted.good
    assert "rely on estimate_trusted" in warnings_of([first])[0]


def test_the_continued_core_is_the_saddle_where_there_is_one(tmp_path: Path) -> None:
    point = {"saddle_geometry_error": 0.125, "relative_stiffness": -0.5}
    store = store_with(tmp_path, [1.0, 1.0], point=point)
    [first, *_] = effectivities(open_store(store))
    assert first.geometry.median == pytest.approx(0.1)
    assert first.continued.median == pytest.approx(0.8)
    assert "32 of 32 relaxed fits the reference's core is a saddle" in shown(store)[1].replace("\n", " ")


def test_other_minima_are_counted_and_never_averaged(tmp_path: Path) -> None:
    found = effectivities(open_store(store_with(tmp_path, [2.6, 2.6], status="other_minimum")))
    assert [each.elsewhere for each in found] == [8] * 4
    assert all(each.geometry.count == 0 for each in found)
    assert warnings_of(found) == []
    assert effectivity_table(found).row_count == 4 * 5


def test_a_store_without_relaxed_points_says_so(tmp_path: Path) -> None:
    status, text = shown(store_with(tmp_path, []))
    assert status == 0
    assert "96 estimated" in text
    assert "0 unknown, 96 trusted, 0 distrusted" in text
    assert "nothing to compare the estimates with" in text


def test_an_empty_store_has_only_pending_points(tmp_path: Path) -> None:
    status, text = shown(new_store(tmp_path / "small.zarr"))
    assert status == 0
    assert "96 pending" in text
    assert "estimates" not in text


def test_no_store_is_refused(tmp_path: Path) -> None:
    status, text = shown(tmp_path / "none.zarr")
    assert status == 2
    assert "no store at" in text
