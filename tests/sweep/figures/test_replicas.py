"""Medians over replicas, and intervals that hold them as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom

from sweep.figures.replicas import confidence_of, interval_words, median_interval

numbers = st.floats(1e-6, 1e6) | st.just(np.nan)


@given(arrays(float, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=numbers))
def test_the_median_is_numpys_and_lies_in_its_interval(values: np.ndarray) -> None:
    found = median_interval(xr.DataArray(values, dims=("replica", "lane")))
    for lane, column in enumerate(values.T):
        known = column[np.isfinite(column)]
        one = found.isel(lane=lane)
        assert int(one["count"]) == len(known)
        if not len(known):
            assert np.isnan(one["median"])
            continue
        assert float(one["median"]) == pytest.approx(float(np.median(known)))
        if len(known) > 1:
            assert known.min() <= one["low"] <= one["median"] * (1 + 1e-12)
            assert one["median"] * (1 - 1e-12) <= one["high"] <= known.max()


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=15), st.randoms())
def test_the_order_of_replicas_does_not_matter(values: list[float], random: object) -> None:
    shuffled = values.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (median_interval(xr.DataArray(each, dims="replica")) for each in (values, shuffled))
    xr.testing.assert_identical(one, other)


@pytest.mark.parametrize("count", [2, 5, 6, 9, 20])
def test_intervals_hold_the_median_as_often_as_they_say(count: int) -> None:
    draws = np.random.default_rng(0).exponential(size=(20_000, count))
    found = median_interval(xr.DataArray(draws, dims=("lane", "replica")))
    held = float(((found["low"] <= np.log(2)) & (found["high"] >= np.log(2))).mean())
    assert held == pytest.approx(confidence_of(count), abs=4 * (0.25 / len(draws)) ** 0.5)


def test_the_interval_is_the_narrowest_of_its_confidence() -> None:
    for count in range(6, 60):
        assert confidence_of(count) >= 0.95
        further_in = next(
            k for k in range(1, count) if 1 - 2 * binom.cdf(k - 1, count, 0.5) < confidence_of(count) - 1e-12
        )
        assert 1 - 2 * binom.cdf(further_in - 1, count, 0.5) < 0.95


def test_what_bars_are_is_said() -> None:
    assert "50 %" in interval_words(xr.DataArray([2, 2]))
    assert "95 %" in interval_words(xr.DataArray([0, 9]))
    assert "no intervals" in interval_words(xr.DataArray([1, 0]))
    assert "no intervals" in interval_words(xr.DataArray([], dims="none"))


def test_values_without_replicas_have_no_interval() -> None:
    found = median_interval(xr.DataArray([1.0, 2.0], dims="lane"))
    assert found["median"].values.tolist() == [1.0, 2.0]
    assert np.isnan(found["low"]).all()
