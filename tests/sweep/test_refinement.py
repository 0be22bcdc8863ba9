"""Which points are relaxed next: the front, and estimates in doubt near it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.grid import Block, Weighting
from sweep.records import Record
from sweep.refine import refine_store
from sweep.refinement import points_to_refine, times_off_front
from sweep.refusals import RefusedError
from sweep.store import open_store, write_records
from tests.sweep.small_store import GRID, new_store

pairs = st.lists(st.tuples(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3)), min_size=1, max_size=25)


def dominated(one: np.ndarray, others: np.ndarray) -> bool:
    return bool((others < one).all(axis=1).any())


@given(pairs)
def test_a_point_is_as_far_off_as_it_must_shrink(rows: list[tuple[float, float]]) -> None:
    errors = np.array(rows)
    for one, off in zip(errors, times_off_front(errors), strict=True):
        assert off >= 1.0
        assert not dominated(one / (off * (1 + 1e-9)), errors)
        if off > 1.0 + 1e-6:
            assert dominated(one / (off * (1 - 1e-9)), errors)


@given(pairs, st.sampled_from([0.125, 8.0]))
def test_units_do_not_matter(rows: list[tuple[float, float]], unit: float) -> None:
    errors = np.array(rows)
    np.testing.assert_array_equal(times_off_front(errors * [unit, 1.0]), times_off_front(errors))


FIRST, SECOND = Block("screw", 25.0, 6, 6.0, 4, 0), Block("screw", 25.0, 6, 6.0, 4, 1)
WEIGHTINGS = GRID.weightings()


def store_with(
    folder: Path, estimates: dict[Block, list[float]], points: list[Record] | None = None, **more: object
) -> Path:
    store = new_store(folder / "small.zarr")
    words = tuple("excluded" if each.excluded else "estimated" for each in WEIGHTINGS)
    records = []
    for block, geometry in estimates.items():
        values = {"geometry_estimate": geometry, "energy_estimate": [0.1 * each for each in geometry]}
        values |= {"trust_ratio": [0.01] * 6, "stiffness_estimate": [1.0] * 6, **more}
        records.append(Record(block, None, words, values))
    write_records(store, [*records, *(points or [])])
    return store


def test_the_nearest_to_the_front_come_first(tmp_path: Path) -> None:
    store = store_with(tmp_path, {FIRST: [9, 5, 2, 8, 7, 6], SECOND: [5.5, 4, 3, 9, 9, 9]})
    found = points_to_refine(open_store(store), 4)
    expected = [(FIRST, 2), (SECOND, 2), (SECOND, 1), (FIRST, 1)]
    assert found == [(block, WEIGHTINGS[place]) for block, place in expected]
    assert points_to_refine(open_store(store), 0) == []


def test_an_estimate_in_doubt_comes_before_a_nearer_one_that_is_not(tmp_path: Path) -> None:
    trust = {"trust_ratio": [0.01, 0.01, 0.01, 0.01, 0.01, 3.0]}
    store = store_with(tmp_path, {FIRST: [9, 5, 2, 8, 7, 6]}, None, **trust)
    # three times off, and perhaps ten times wrong; the nearest is on the front, and at most a quarter wrong
    assert points_to_refine(open_store(store), 2) == [(FIRST, WEIGHTINGS[5]), (FIRST, WEIGHTINGS[2])]


def test_what_relaxed_points_showed_counts_for_more(tmp_path: Path) -> None:
    trust = {"trust_ratio": [0.01, 0.01, 0.01, 0.01, 3.0, 3.0]}
    relaxed = Record(FIRST, 4, "relaxed", {"geometry_error": 7.0, "energy_error": 0.7})
    store = store_with(tmp_path, {FIRST: [9, 5, 2, 8, 7, 6]}, [relaxed], **trust)
    # distrusted estimates proved right: the one left is three times off and no more
    assert points_to_refine(open_store(store), 1) == [(FIRST, WEIGHTINGS[2])]


def test_relaxed_and_excluded_points_are_never_asked_for(tmp_path: Path) -> None:
    relaxed = [
        Record(FIRST, place, "relaxed", {"geometry_error": 1.0, "energy_error": 0.1}) for place in (1, 2)
    ]
    store = store_with(tmp_path, {FIRST: [9, 5, 2, 8, 7, 6]}, relaxed)
    found = points_to_refine(open_store(store), 100)
    left = {place for place in range(6) if not WEIGHTINGS[place].excluded} - {1, 2}
    assert {weighting for _, weighting in found} == {WEIGHTINGS[place] for place in left}


def test_the_front_is_of_one_dislocation(tmp_path: Path) -> None:
    edge = Block("edge", 25.0, 6, 6.0, 4, 0)
    store = store_with(tmp_path, {FIRST: [9, 5, 2, 8, 7, 6], edge: [90, 50, 20, 80, 70, 60]})
    found = points_to_refine(open_store(store), 2)
    assert set(found) == {(FIRST, WEIGHTINGS[2]), (edge, WEIGHTINGS[2])}


def test_a_refinement_needs_a_budget_and_a_store(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="--points, --minutes"):
        refine_store(tmp_path / "none.zarr")
    with pytest.raises(RefusedError, match="no store at"):
        refine_store(tmp_path / "none.zarr", points=3)
    assert refine_store(new_store(tmp_path / "small.zarr"), points=3) == 0
    assert Weighting(1.0, 1.0, 0.0) in WEIGHTINGS
