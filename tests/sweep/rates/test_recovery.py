"""Known rates are recovered: without bias, and with intervals that hold them as often as they say."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

import sweep
from tests.sweep.rates.laws import BURGERS, RADII, coverage, drawn, labelled

DRAWS = 4000
# 0.95 has a standard deviation of 0.0034 over so many draws: these bounds are six of them away.
LEAST, MOST = 0.93, 0.97


@pytest.mark.parametrize(
    ("replicas", "law", "options"),
    [
        (1, {}, {}),
        (2, {}, {}),
        (3, {"rate": -1.0}, {"ends": "keep"}),
        (8, {"rate": 2.0}, {}),
        (1, {"rate": 1.5}, {"interval": "bootstrap", "resamples": 500}),
        (6, {}, {"interval": "bootstrap", "resamples": 500}),
        (1, {"log_exponent": 1.0}, {"model": "power-log", "log_exponent": 1.0, "length": BURGERS}),
        (
            5,
            {"rate": 2.0, "log_exponent": 2.0},
            {"model": "power-log", "log_exponent": 2.0, "length": BURGERS},
        ),
        (5, {"log_exponent": 2.0}, {"model": "power-log", "length": BURGERS}),
    ],
)
def test_intervals_hold_the_rate_as_often_as_they_say(
    replicas: int, law: dict[str, float], options: dict[str, Any]
) -> None:
    rate = law.get("rate", 1.0)
    fit = sweep.fit_rate(drawn(draws=DRAWS, replicas=replicas, **law), "domain_radius", **options)
    assert LEAST < coverage(fit, rate) < MOST
    bias = (fit["rate"] - rate).mean() / fit["rate"].std()
    assert abs(float(bias)) < 0.1


def test_the_confidence_asked_for_is_the_one_given() -> None:
    fit = sweep.fit_rate(drawn(draws=DRAWS, replicas=4), "domain_radius", confidence=0.5)
    assert 0.46 < coverage(fit, 1.0) < 0.54


def test_dependent_errors_within_a_replica_do_not_narrow_the_interval() -> None:
    """A training set is a prefix of the next larger one: errors along a curve are a random walk."""
    walk = np.random.default_rng(1).normal(size=(DRAWS, 5, len(RADII))).cumsum(axis=-1)
    error = labelled(2 / np.array(RADII) * np.exp(0.1 * walk))
    # a random walk bends by itself, so that only its whole is a sample of one law
    together = sweep.fit_rate(error, "domain_radius", ends="keep")
    assert LEAST < coverage(together, 1.0) < MOST + 0.01
    independent = sweep.fit_rate(error.isel(replica=0), "domain_radius", ends="keep")
    assert coverage(independent, 1.0) < 0.9, "taken for independent, such points promise too much"


def test_replicas_with_different_points_are_weighed_fairly() -> None:
    """Half of the first replicas' points are missing; the interval still holds the rate as often as it says."""
    error = drawn(draws=DRAWS, replicas=6)
    missing = (error.replica < 3) & (error.domain_radius > 10)
    fit = sweep.fit_rate(error.where(~missing), "domain_radius", ends="keep")
    assert LEAST < coverage(fit, 1.0) < MOST
    assert int(fit["points"][0]) == 6 * len(RADII) - 3 * 3


def test_a_law_without_a_known_logarithm_covers_both_readings() -> None:
    """Six radii cannot tell R^-1 log R from a power: either truth must lie within the interval."""
    options: dict[str, Any] = {"log_exponent": 1.0, "length": BURGERS, "model": "auto"}
    for log_exponent in (0.0, 1.0):
        error = drawn(draws=1000, replicas=5, log_exponent=log_exponent)
        fit = sweep.fit_rate(error, "domain_radius", **options)
        assert coverage(fit, 1.0) > LEAST
        assert float(fit["reason"].str.contains("covers both").mean()) > 0.9


def test_without_noise_the_law_itself_comes_back() -> None:
    radius = np.array(RADII)
    error = labelled(np.stack([2 / radius, 3 / radius**2]))
    fit = sweep.fit_rate(error.rename(replica="draw"), "domain_radius")
    np.testing.assert_allclose(fit["rate"], [1, 2], rtol=1e-12)
    np.testing.assert_allclose(fit["prefactor"], [2, 3], rtol=1e-12)
    np.testing.assert_allclose(fit["rate_high"] - fit["rate_low"], 0, atol=1e-12)
    logarithmic = sweep.fit_rate(
        labelled(5 * radius**-2.0 * np.log(radius / BURGERS) ** 3),
        "domain_radius",
        "power-log",
        length=BURGERS,
    )
    values = [float(logarithmic[name]) for name in ("rate", "prefactor", "log_exponent")]
    np.testing.assert_allclose(values, [2, 5, 3], rtol=1e-8)


def test_an_error_against_another_falls_with_it() -> None:
    """error = 0.5·force_error^1.2 over fits of many kinds, each replica with a level of its own."""
    random = np.random.default_rng(2)
    force = xr.DataArray(
        random.uniform(0.01, 0.2, (4, 5, 3)), dims=("replica", "degree", "n_train"), name="rmse"
    )
    level = xr.DataArray(random.uniform(0.5, 2, 4), dims="replica")
    error = level * force**1.2 * np.exp(0.05 * random.normal(size=force.shape))
    fit = sweep.fit_rate(error, force, over=["degree", "n_train"], expected=-1.2)
    assert float(fit["rate_low"]) < -1.2 < float(fit["rate_high"])
    assert fit["verdict"].item() == "agrees"
    assert int(fit["points"]) == force.size
