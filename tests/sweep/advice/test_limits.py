"""Limits of errors: against exact and published factors, under rescaling, and for points chosen after looking."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import t as student

from sweep.advice.limits import Limits, limits_of
from sweep.advice.scatter import shrunk

ALL = np.array([True])


def test_one_point_has_the_limit_of_students_t() -> None:
    errors = np.log(np.array([[0.010, 0.012, 0.009, 0.011]]))
    limits = limits_of(errors, ALL, 0.95, 0.5)
    mean, error = errors.mean(), errors.std(ddof=1) / 2
    np.testing.assert_allclose(np.log(limits.upper), mean + student.ppf(0.95, 3) * error)
    np.testing.assert_allclose(np.log(limits.lower), mean - student.ppf(0.95, 3) * error)
    np.testing.assert_allclose(limits.alone, limits.upper)
    np.testing.assert_allclose(limits.typical, np.exp(mean))


@pytest.mark.parametrize(
    ("replicas", "share", "factor"), [(10, 0.9, 2.355), (10, 0.95, 2.911), (20, 0.99, 3.295)]
)
def test_shares_of_training_sets_have_the_published_tolerance_factors(
    replicas: int, share: float, factor: float
) -> None:
    """One-sided factors with 95 % confidence: NIST Handbook 91 (Natrella, 1963), table A-7."""
    errors = np.random.default_rng(0).normal(size=(1, replicas))
    limits = limits_of(errors, ALL, 0.95, share)
    deviations = (np.log(limits.upper[0]) - errors.mean()) / errors.std(ddof=1)
    assert deviations == pytest.approx(factor, abs=2e-3)


def test_two_replicas_give_no_limit() -> None:
    limits = limits_of(np.log([[0.01, 0.02, np.nan], [0.01, 0.02, 0.03]]), np.array([True, True]), 0.95, 0.5)
    assert np.isnan(limits.upper).tolist() == [True, False]
    assert limits.compared == 1
    assert limits.replicas.tolist() == [2, 3]


def test_replicas_that_do_not_differ_leave_nothing_open() -> None:
    limits = limits_of(np.log(np.full((3, 3), 0.02)), np.ones(3, bool), 0.95, 0.5)
    np.testing.assert_allclose(limits.upper, 0.02)


def test_replicas_that_differ_by_hundreds_of_decades_end_in_infinity() -> None:
    limits = limits_of(np.array([[-600.0, 0.0, 600.0]]), ALL, 0.99, 0.5)
    assert limits.upper[0] == np.inf
    assert limits.lower[0] == 0


# whole hundredths: what differs by less than rounding differs by chance
logs = arrays(float, st.tuples(st.integers(1, 6), st.integers(3, 6)), elements=st.integers(-500, 500)).map(
    lambda values: values / 100
)


@given(logs, st.floats(-3, 3))
def test_limits_do_not_depend_on_units_or_order(errors: np.ndarray, shift: float) -> None:
    def found(values: np.ndarray) -> Limits:
        return limits_of(values, np.ones(len(values), bool), 0.95, 0.5)

    order = np.argsort(np.random.default_rng(len(errors)).random(len(errors)))
    once, again = found(errors), found(errors[order][:, ::-1] + shift)
    for name in ("typical", "upper", "lower", "alone"):
        np.testing.assert_allclose(
            np.log(getattr(again, name)), np.log(getattr(once, name)[order]) + shift, rtol=1e-6, atol=1e-6
        )
    tiny = 1e-9
    assert (once.lower <= once.typical * (1 + tiny)).all()
    assert (once.typical <= once.alone * (1 + tiny)).all()
    assert (once.alone <= once.upper * (1 + tiny)).all()


def test_scatter_is_shrunk_as_far_as_points_agree() -> None:
    """Variances drawn from a prior with 4 degrees of freedom about 0.09: both are found again."""
    random = np.random.default_rng(0)
    freedom = np.full(20_000, 3)
    true = 0.09 * 4 / random.chisquare(4, size=freedom.size)
    raw = true * random.chisquare(3, size=freedom.size) / 3
    variance, total = shrunk(raw, freedom)
    assert total[0] - 3 == pytest.approx(4, rel=0.1)
    raw_error, error = (np.mean(np.log(values / true) ** 2) for values in (raw, variance))
    assert error < 0.6 * raw_error


def test_points_with_one_scatter_share_it() -> None:
    random = np.random.default_rng(0)
    variance, total = shrunk(0.04 * random.chisquare(2, size=5_000) / 2, np.full(5_000, 2))
    assert np.ptp(variance) < 0.01
    assert np.mean(variance) == pytest.approx(0.04, rel=0.1)
    assert total.min() > 20


@pytest.mark.parametrize("shared", [0.0, 0.8])
def test_a_point_chosen_after_looking_meets_what_it_claims(shared: float) -> None:
    """At most 5 % of the points chosen from 72, with 3 replicas and unequal scatter, have a median above."""
    wrong = naive = 0
    draws, points = 300, 72
    for draw in range(draws):
        random = np.random.default_rng(draw)
        median, scatter = 0.6 * random.normal(size=points), random.choice([0.03, 1.0], size=points)
        common, own = random.normal(size=(1, 3)), random.normal(size=(points, 3))
        noise = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
        limits = limits_of(median[:, None] + scatter[:, None] * noise, np.ones(points, bool), 0.95, 0.5)
        dearness = -median + 0.3 * random.normal(size=points)
        for name in ("upper", "alone"):
            meets = np.flatnonzero(getattr(limits, name) <= 1)
            false = len(meets) > 0 and median[meets[dearness[meets].argmin()]] > 0
            wrong, naive = (wrong + false, naive) if name == "upper" else (wrong, naive + false)
    assert wrong <= 0.05 * draws
    # the limits of single points do not survive being chosen by: why those of all together are used
    assert naive > 0.05 * draws
