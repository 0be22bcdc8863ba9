from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sweep.grid import Block
from sweep.records import Record
from sweep.store.merge import apply_records, derive
from sweep.variables import VARIABLES, Status, StatusSource

BLOCK = Block("screw", 25.0, 6, 8.0, 4, 0)
N = 4
EXTRA = {"config_kind": 2, "radial_bin": 3}
BLOCK_WORDS = ("pending", "estimated", "failed", "excluded")
POINT_WORDS = ("relaxed", "unconverged", "other_minimum", "failed")

numbers = st.floats(0.0, 10.0) | st.just(np.nan)
block_values = st.fixed_dictionaries(
    {},
    optional={
        "rank": numbers,
        "geometry_estimate": st.lists(numbers, min_size=N, max_size=N),
        "rmse_forces": st.lists(st.lists(numbers, min_size=2, max_size=2), min_size=N, max_size=N),
        # A block that relaxes all its points at once may give these as well.
        "geometry_error": st.lists(numbers, min_size=N, max_size=N),
    },
)
point_values = st.fixed_dictionaries(
    {},
    optional={"geometry_error": numbers, "strain_error_profile": st.lists(numbers, min_size=3, max_size=3)},
)
times = st.floats(0.0, 9.0)
block_records = st.builds(
    lambda words, values, time: Record(BLOCK, None, words, values, wall_time_s=time),
    st.sampled_from(BLOCK_WORDS) | st.tuples(*[st.sampled_from(BLOCK_WORDS)] * N),
    block_values,
    times,
)
point_records = st.builds(
    lambda index, word, values, time: Record(BLOCK, index, word, values, wall_time_s=time),
    st.integers(0, N - 1),
    st.sampled_from(POINT_WORDS),
    point_values,
    times,
)


def merged(records: Sequence[Record], *, at_once: bool = False) -> dict[str, np.ndarray]:
    cells = {
        variable.name: np.full(
            (N, *(EXTRA[name] for name in variable.extra_dims)), variable.fill, dtype=variable.dtype
        )
        for variable in VARIABLES
    }
    for some in [records] if at_once else [[record] for record in records]:
        apply_records(cells, {0: some}, N)
    derive(cells)
    return cells


def same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return all(first[name].tobytes() == second[name].tobytes() for name in first)


@st.composite
def two_orders(draw: st.DrawFn) -> tuple[list[Record], list[Record]]:
    """A block's record and some of its points', as can be: no point is worked on whose fit failed."""
    block = draw(block_records)
    words = block.statuses * (N if len(block.statuses) == 1 else 1)
    points = draw(st.lists(point_records, max_size=N, unique_by=lambda record: record.weighting_index))
    possible = [block, *(point for point in points if words[point.weighting_index or 0] != "failed")]
    return draw(st.permutations(possible)), draw(st.permutations(possible))


@given(st.lists(block_records, max_size=2), st.lists(point_records, max_size=3 * N))
def test_records_taken_in_at_once_are_those_taken_in_one_by_one(
    blocks: list[Record], points: list[Record]
) -> None:
    assert same(merged([*blocks, *points]), merged([*blocks, *points], at_once=True))


@given(two_orders())
def test_the_order_of_records_does_not_matter(orders: tuple[list[Record], list[Record]]) -> None:
    assert same(merged(orders[0]), merged(orders[1]))


@given(st.lists((block_records | point_records).filter(lambda r: "failed" not in r.statuses), max_size=8))
def test_merging_the_last_records_again_changes_nothing(records: list[Record]) -> None:
    last_of_each = {record.weighting_index: record for record in records}
    assert same(merged(records), merged([*records, *last_of_each.values()]))


@given(st.lists(block_records | point_records, max_size=8))
def test_the_last_result_of_a_point_is_its_status(records: list[Record]) -> None:
    cells = merged(records)
    for index in range(N):
        own = [record.statuses[0] for record in records if record.weighting_index == index]
        results = [word for word in own if word != "failed"]
        if own:
            assert cells["status"][index] == Status[(results or own)[-1]]
            assert cells["status_source"][index] == StatusSource.point
        else:
            assert cells["status_source"][index] != StatusSource.point


@given(st.lists(block_records | point_records, max_size=8))
def test_effectivity_is_estimate_over_error(records: list[Record]) -> None:
    cells = merged(records)
    for estimate, error, ratio in zip(
        cells["geometry_estimate"], cells["geometry_error"], cells["effectivity"], strict=True
    ):
        if np.isfinite(estimate) and np.isfinite(error) and error > 0:
            assert ratio == float(estimate) / float(error)
        else:
            assert np.isnan(ratio)
