"""Ends at which a law does not hold are found, left out, and said to be."""

import numpy as np
import pytest
import xarray as xr

import sweep
from tests.sweep.rates.laws import coverage, drawn, labelled

RADII = tuple(np.geomspace(6, 40, 8))
R = np.array(RADII)


def scattered(law: np.ndarray, noise: float = 0.05, replicas: int = 10) -> xr.DataArray:
    scatter = np.random.default_rng(3).normal(size=(300, replicas, len(R)))
    return labelled(law * np.exp(noise * scatter), RADII)


@pytest.mark.parametrize(
    ("law", "end", "within"),
    [
        (np.maximum(2 / R, 2 / 18), "saturated end", (R[0], 18)),
        (np.maximum(2 / R, 2 / 14), "saturated end", (R[0], 14)),
        (np.minimum(2 / R, 2 / 10), "pre-asymptotic end", (10, R[-1])),
        (2 / R * np.maximum(1, 14 / R), "pre-asymptotic end", (13, R[-1])),
    ],
    ids=["floor", "long floor", "plateau", "steep beginning"],
)
def test_an_end_is_found_and_left_out(law: np.ndarray, end: str, within: tuple[float, float]) -> None:
    fit = sweep.fit_rate(scattered(law), "domain_radius")
    assert float(fit["reason"].str.contains(end).mean()) > 0.8
    assert abs(float(fit["rate"].median()) - 1) < 0.05
    assert coverage(fit, 1.0) > 0.75
    between = (fit["first"] > within[0] * 0.99) & (fit["last"] < within[1] * 1.01)
    assert float(between.mean()) > 0.75
    kept = sweep.fit_rate(scattered(law), "domain_radius", ends="keep")
    assert abs(float(kept["rate"].median()) - 1) > 0.15, "the end would have shown"


def test_both_ends_are_found() -> None:
    radii = tuple(np.geomspace(6, 40, 12))
    law = np.clip(2 / np.array(radii), 2 / 28, 2 / 9)
    scatter = np.random.default_rng(4).normal(size=(200, 10, 12))
    fit = sweep.fit_rate(labelled(law * np.exp(0.03 * scatter), radii), "domain_radius")
    reasons = fit["reason"].str
    both = reasons.contains("saturated end") & reasons.contains("pre-asymptotic end")
    assert float(both.mean()) > 0.9
    assert abs(float(fit["rate"].median()) - 1) < 0.1


def test_a_floor_below_a_small_force_error_is_at_its_small_end() -> None:
    """Against another error a law is asymptotic towards zero: geometry_error = max(force error, 0.02)."""
    force = np.geomspace(0.01, 0.3, 10)
    random = np.random.default_rng(5)
    error = np.maximum(force, 0.02) * np.exp(0.03 * random.normal(size=(8, 10)))
    along = xr.DataArray(force, dims="degree", name="rmse_forces")
    fit = sweep.fit_rate(xr.DataArray(error, dims=("replica", "degree")), along)
    assert "saturated end" in fit["reason"].item()
    assert float(fit["first"]) > 0.019
    assert abs(float(fit["rate"]) + 1) < 0.1


def test_a_power_law_is_cut_short_once_in_a_hundred_times() -> None:
    for replicas in (1, 5):
        fit = sweep.fit_rate(drawn(draws=4000, replicas=replicas, noise=0.3), "domain_radius")
        cut = float(fit["reason"].str.contains("left out").mean())
        assert 0.004 < cut < 0.02


def test_what_is_no_power_law_anywhere_has_an_interval_that_says_so() -> None:
    """exp(-R/8) falls like R^(-R/8): the interval must reach the local rates of what it used."""
    fit = sweep.fit_rate(scattered(np.exp(-R / 8), noise=0.002), "domain_radius", ends="keep")
    assert bool(fit["reason"].str.contains("not a power law").all())
    local = np.diff(R / 8) / np.diff(np.log(R))
    assert bool((fit["rate_low"] < local[0] + 0.05).all())
    assert bool((fit["rate_high"] > local[-1] - 0.05).all())
    cut = sweep.fit_rate(scattered(np.exp(-R / 8), noise=0.002), "domain_radius")
    assert float(cut["last"].min()) == R[-1], "a rate that grows is not yet asymptotic"


def test_a_truncated_comparison_bends_its_last_point_only() -> None:
    """A comparison radius that is too small makes the last error too small: the last point goes, not the others."""
    law = 2 / R
    law[-1] *= 0.6
    fit = sweep.fit_rate(scattered(law, noise=0.03), "domain_radius")
    assert float((fit["reason"].str.contains("where the rate changes")).mean()) > 0.9
    assert abs(float(fit["rate"].median()) - 1) < 0.02
