"""One coefficient with replicas as the sampling unit, against peers."""

import numpy as np
import scipy.stats

from sweep.rates.regression import coefficient

RANDOM = np.random.default_rng(0)


def test_one_replica_is_a_plain_regression() -> None:
    x, y = RANDOM.normal(size=(2, 7))
    ours = coefficient([x[None, None]], y[None, None], np.ones((1, 1, 7), dtype=bool))
    peer = scipy.stats.linregress(x, y)
    np.testing.assert_allclose([ours.value[0], ours.standard_error[0]], [peer.slope, peer.stderr], rtol=1e-12)
    assert ours.freedom[0] == 5
    half = scipy.stats.t(5).ppf(0.95) * peer.stderr
    np.testing.assert_allclose(ours.half_width(0.9), half, rtol=1e-12)


def test_further_regressors_are_fitted_beside_it() -> None:
    design = RANDOM.normal(size=(3, 9))
    y = RANDOM.normal(size=9)
    ours = coefficient([row[None, None] for row in design], y[None, None], np.ones((1, 1, 9), dtype=bool))
    matrix = np.column_stack([*design, np.ones(9)])
    solution, squares, *_ = np.linalg.lstsq(matrix, y)
    error = np.sqrt(squares[0] / 5 * np.linalg.inv(matrix.T @ matrix)[0, 0])
    np.testing.assert_allclose([ours.value[0], ours.standard_error[0]], [solution[0], error], rtol=1e-10)


def test_replicas_alike_are_a_sample_of_slopes() -> None:
    x = np.broadcast_to(RANDOM.normal(size=6), (1, 5, 6))
    y = RANDOM.normal(size=(1, 5, 6)) + RANDOM.normal(size=(1, 5, 1)) * 10
    ours = coefficient([x], y, np.ones(x.shape, dtype=bool))
    slopes = [scipy.stats.linregress(*pair).slope for pair in zip(x[0], y[0], strict=True)]
    peer = scipy.stats.ttest_1samp(slopes, 0.0).confidence_interval(0.95)
    half = ours.half_width(0.95)[0]
    np.testing.assert_allclose([ours.value[0] - half, ours.value[0] + half], peer, rtol=1e-10)
    assert abs(ours.freedom[0] - 4) < 1e-9


def test_unlike_replicas_have_the_variance_that_they_show() -> None:
    """Bell and McCaffrey's variance is unbiased for equal errors, and its degrees of freedom are its moments'."""
    lanes, used = 20_000, np.ones((20_000, 3, 8), dtype=bool)
    used[:, 0, 3:] = False
    used[:, 1, 5:] = False
    x = np.broadcast_to(np.linspace(-1, 1, 8), used.shape)
    ours = coefficient([x], RANDOM.normal(size=(lanes, 3, 8)), used)
    variance = ours.standard_error**2
    truth = ours.value.var()
    assert abs(variance.mean() / truth - 1) < 0.04
    # a scaled chi-squared: variance over squared mean is 2/f
    assert abs(2 * variance.mean() ** 2 / variance.var() / ours.freedom[0] - 1) < 0.1


def test_what_the_data_do_not_determine_is_unknown() -> None:
    x = np.broadcast_to(np.array([1.0, 2.0, 3.0]), (4, 1, 3))
    used = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]], dtype=bool)[:, None]
    ours = coefficient([x], x, used)
    assert np.isfinite(ours.value).tolist() == [False, False, True, True]
    assert np.isfinite(ours.standard_error).tolist() == [False, False, False, True]
    same = coefficient([np.ones((1, 1, 3))], np.ones((1, 1, 3)), np.ones((1, 1, 3), dtype=bool))
    assert np.isnan(same.value).all()


def test_collinear_regressors_leave_nothing() -> None:
    x = RANDOM.normal(size=(1, 2, 6))
    ours = coefficient([x, 3 * x], RANDOM.normal(size=(1, 2, 6)), np.ones(x.shape, dtype=bool))
    assert np.isnan(ours.value).all()
    assert ours.replicas.tolist() == [0]
