"""What `fit_rate` makes of arrays: their labels, their gaps, their oddities, and how it refuses."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import sweep
from sweep.rates import RateError
from sweep.variables import Status
from tests.sweep.rates.laws import RADII, drawn, labelled

R = np.array(RADII)
NUMBERS = ("rate", "rate_low", "rate_high", "standard_error", "prefactor", "points", "replicas")

errors = arrays(np.float64, (3, len(R)), elements=st.floats(1e-3, 1e3))


def assert_same(one: xr.Dataset, other: xr.Dataset, rtol: float = 1e-7) -> None:
    for name in NUMBERS:
        np.testing.assert_allclose(one[name], other[name], rtol=rtol, atol=1e-7, err_msg=name)


def test_every_other_dimension_gets_its_own_rates() -> None:
    error = xr.concat([drawn(draws=3, replicas=2, seed=k) for k in range(4)], dim="dislocation")
    error = error.assign_coords(dislocation=list("abcd"), draw=[10, 20, 30])
    fit = sweep.fit_rate(error.transpose("domain_radius", "draw", "replica", "dislocation"), "domain_radius")
    assert fit["rate"].dims == ("draw", "dislocation")
    assert fit["dislocation"].values.tolist() == list("abcd")
    # gaps and ends of other curves are none of its business
    error = error.where((error.draw != 10) | (error.domain_radius < 12))
    error = error * xr.where((error.draw == 30) & (error.domain_radius > 12), 5.0, 1.0)
    fit = sweep.fit_rate(error, "domain_radius")
    one = sweep.fit_rate(error.sel(draw=20, dislocation="c"), "domain_radius")
    assert_same(fit.sel(draw=20, dislocation="c"), one)
    assert one["dislocation"].item() == "c"


def test_results_say_what_they_are() -> None:
    fit = sweep.fit_rate(drawn(draws=1, replicas=3), "domain_radius", expected=1.0)
    for name, variable in fit.data_vars.items():
        assert variable.attrs.get("units"), name
        assert variable.attrs.get("long_name"), name
    assert fit["prefactor"].attrs["units"] == "angstrom"
    assert fit["first"].attrs["units"] == "angstrom"
    assert [float(fit["first"][0]), float(fit["last"][0])] == [RADII[0], RADII[-1]]
    assert fit.attrs["along"] == "domain_radius"


@pytest.mark.parametrize(
    ("values", "rate", "reason"),
    [
        (np.full(6, np.nan), None, "no point to fit; points left out: 6 without a value"),
        (np.zeros(6), None, "no point to fit; points left out: 6 not above zero"),
        (-R, None, "no point to fit; points left out: 6 not above zero"),
        (np.full(6, np.inf), None, "no point to fit; points left out: 6 without a value"),
        (np.array([1.0, *[np.nan] * 5]), None, "no rate: 1 value of domain_radius"),
        (
            np.array([6.0, 8.0, *[np.nan] * 4]),
            -1.0,
            "no interval: 2 values of domain_radius, without replicas",
        ),
        (np.ones(6), 0.0, "every value is the same"),
        (np.full(6, 5e-324), 0.0, "every value is the same"),
        (np.array([[1.0, *[np.nan] * 5], [np.nan, 2.0, *[np.nan] * 4]]), None, "no replica has two values"),
        (np.zeros((0, 6)), None, "no rate: no point to fit"),
    ],
)
def test_odd_data_have_a_defined_result_and_a_reason(
    values: np.ndarray, rate: float | None, reason: str
) -> None:
    fit = sweep.fit_rate(labelled(values), "domain_radius", expected=1.0)
    assert reason in fit["reason"].item()
    if rate is None:
        assert np.isnan([fit[name].item() for name in NUMBERS[:5]]).all()
        assert fit["verdict"].item() == "cannot tell"
    else:
        assert fit["rate"].item() == pytest.approx(rate)


def test_a_single_value_has_no_rate() -> None:
    fit = sweep.fit_rate(labelled([[1.0], [2.0]], (6.0,)), "domain_radius")
    assert np.isnan(fit["rate"].item())
    assert fit["reason"].item() == "no rate: 1 value of domain_radius"


def test_axes_of_length_zero_are_no_accident() -> None:
    empty = labelled(np.zeros((0, 2, 6)))
    assert sweep.fit_rate(empty, "domain_radius").sizes == {"draw": 0}
    nothing = sweep.fit_rate(labelled(np.zeros((2, 0)), ()), "domain_radius")
    assert nothing["reason"].item() == "no rate: no point to fit"


def test_points_that_are_no_measurements_are_left_out_and_counted() -> None:
    error = labelled(np.stack([2 / R, 2.2 / R, 1.8 / R]))
    status = xr.full_like(error, Status.relaxed).astype("uint8")
    wrong = error.copy()
    for place, flag in (
        ((0, 2), Status.failed),
        ((1, 4), Status.other_minimum),
        ((1, 5), Status.unconverged),
    ):
        status[place] = flag
        wrong[place] = 77.0
    fit = sweep.fit_rate(wrong, "domain_radius", status=status)
    assert "points left out: 1 unconverged, 1 other_minimum, 1 failed" in fit["reason"].item()
    assert fit["rate"].item() == pytest.approx(1.0)
    assert fit["points"].item() == 15
    assert_same(fit, sweep.fit_rate(error.where(wrong != 77.0), "domain_radius"))


def test_values_of_the_axis_without_a_logarithm_are_left_out() -> None:
    weights = (0.0, 1.0, 10.0, 100.0, 1000.0)
    error = labelled(np.array([5.0, 1.0, 0.1, 0.01, 0.001]), weights)
    fit = sweep.fit_rate(error, "domain_radius")
    assert fit["rate"].item() == pytest.approx(1.0)
    assert "1 abscissa not above zero" in fit["reason"].item()
    logarithmic = sweep.fit_rate(error, "domain_radius", "power-log", log_exponent=1.0, length=1.0)
    assert "left out below the logarithm's length: 1 points" in logarithmic["reason"].item()


@settings(max_examples=60)
@given(errors, st.floats(0.01, 100), st.floats(0.1, 10))
def test_units_do_not_matter(values: np.ndarray, scale: float, stretch: float) -> None:
    fit = sweep.fit_rate(labelled(values), "domain_radius", ends="keep")
    other = sweep.fit_rate(labelled(values * scale, tuple(R * stretch)), "domain_radius", ends="keep")
    for name in ("rate", "rate_low", "rate_high"):
        np.testing.assert_allclose(other[name], fit[name], rtol=1e-6, atol=1e-6)
    expected = fit["prefactor"] * scale * stretch ** fit["rate"]
    np.testing.assert_allclose(np.log(other["prefactor"]), np.log(expected), atol=1e-6)


@settings(max_examples=60)
@given(errors, st.permutations(range(3)), st.permutations(range(len(R))))
def test_the_order_of_replicas_and_of_labels_does_not_matter(
    values: np.ndarray, replicas: list[int], places: list[int]
) -> None:
    error = labelled(values)
    shuffled = error.isel(replica=replicas, domain_radius=places)
    assert_same(sweep.fit_rate(shuffled, "domain_radius"), sweep.fit_rate(error, "domain_radius"), rtol=1e-5)


@settings(max_examples=60)
@given(
    arrays(np.float64, (2, 3, len(R)), elements=st.floats(width=64)),
    st.sampled_from(["analytic", "bootstrap"]),
)
def test_whatever_the_data_the_result_is_defined(values: np.ndarray, interval: Any) -> None:
    fit = sweep.fit_rate(labelled(values), "domain_radius", expected=1.0, interval=interval, resamples=100)
    rate, low, high = (fit[name].values for name in ("rate", "rate_low", "rate_high"))
    assert (np.isnan(low) == np.isnan(high)).all()
    assert not np.isnan(rate[np.isfinite(low)]).any()
    assert (fit["reason"] != "").all()
    assert set(fit["verdict"].values) <= {"agrees", "differs", "cannot tell"}


def test_a_narrow_interval_around_the_mean_of_many_replicas() -> None:
    """The bootstrap sees what Student sees where the sample is large and normal."""
    error = drawn(draws=50, replicas=40)
    student, resampled = (
        sweep.fit_rate(error, "domain_radius", interval=interval, ends="keep")
        for interval in ("analytic", "bootstrap")
    )
    np.testing.assert_array_equal(student["rate"], resampled["rate"])
    ratio = (resampled["rate_high"] - resampled["rate_low"]) / (student["rate_high"] - student["rate_low"])
    assert abs(float(ratio.mean()) - 1) < 0.05
    few = sweep.fit_rate(drawn(draws=1, replicas=2), "domain_radius", interval="bootstrap")
    assert "too few to resample" in few["reason"].item()


def test_theory_is_asked_where_it_has_an_answer() -> None:
    radii = (20.0, 30.0, 40.0, 50.0, 60.0, 70.0)
    law = np.array(radii) ** -1.0 * np.log(np.array(radii) / 2.74)
    noise = np.exp(0.01 * np.random.default_rng(0).normal(size=(2, 6)))
    error = xr.DataArray(
        law * noise,
        dims=("dislocation", "simulation_radius"),
        coords={"simulation_radius": list(radii), "dislocation": ["screw", "edge"]},
        name="truncation_geometry_error",
    )
    burgers = xr.DataArray([2.74, 2.74], coords={"dislocation": ["screw", "edge"]})
    fit = sweep.fit_rate(error, "simulation_radius", "power-log", length=burgers)
    assert (fit["log_exponent"] == 1).all()
    assert (fit["rate"] - 1 < 0.1).all()
    assert fit["verdict"].values.tolist() == ["agrees", "agrees"]
    assert "at least 1" in fit.attrs["expected"]
    slow = sweep.fit_rate(
        (error * error.simulation_radius**0.6).rename(error.name), "simulation_radius", "power"
    )
    assert slow["verdict"].values.tolist() == ["differs", "differs"]


@pytest.mark.parametrize(("power", "verdict"), [(1.0, "agrees"), (0.6, "differs")])
def test_errors_on_a_bound_with_a_logarithm_agree_with_it(power: float, verdict: str) -> None:
    """The bound's power is judged by the law with its logarithm, though the data would fit one without as well."""
    radius = xr.DataArray([20.0, 30.0, 45.0, 70.0, 100.0, 150.0], dims="simulation_radius")
    noise = xr.DataArray(
        np.exp(0.05 * np.random.default_rng(0).normal(size=(200, 6))), dims=("draw", "simulation_radius")
    )
    error = (radius**-power * np.log(radius / 2.74) * noise).assign_coords(simulation_radius=radius)
    fit = sweep.fit_rate(error.rename("truncation_geometry_error"), "simulation_radius", length=2.74)
    # 95 % intervals of about 0.08 within a tolerance of 0.2
    assert float((fit["verdict"] == verdict).mean()) > 0.95
    open_law = fit.where(fit["reason"].str.contains("fit alike"), drop=True)
    assert open_law.sizes["draw"] > 150
    assert (open_law["rate_low"] < open_law["compared_low"]).all()
    assert open_law["reason"].str.contains("by the law with the logarithm").all()


ERROR = drawn(draws=2, replicas=2)
FORCE = xr.DataArray(np.ones((2, 6)), dims=("draw", "domain_radius"), name="rmse_forces")


@pytest.mark.parametrize(
    ("along", "options", "said"),
    [
        ("radius", {}, "'radius'; it has draw, replica, domain_radius"),
        ("draw", {}, "'draw'"),
        ("replica", {}, "sampling unit"),
        (ERROR["domain_radius"].astype(str).rename("name"), {}, "no numbers"),
        (FORCE, {}, "name with `over`"),
        (FORCE, {"over": "nothing"}, "over nothing"),
        (FORCE, {"over": ["domain_radius", "replica"]}, "sampling unit"),
        (
            FORCE.isel(draw=0, domain_radius=slice(3)).assign_coords(domain_radius=[1, 2, 3]),
            {},
            "different labels",
        ),
        ("domain_radius", {"over": "draw"}, "lie over it alone"),
        ("domain_radius", {"model": "linear"}, "model is 'linear'"),
        ("domain_radius", {"interval": "exact"}, "interval is 'exact'"),
        ("domain_radius", {"ends": "cut"}, "ends is 'cut'"),
        ("domain_radius", {"confidence": 95}, "confidence is 95"),
        ("domain_radius", {"resamples": 3}, "resamples is 3"),
        ("domain_radius", {"log_exponent": np.nan}, "log_exponent is nan"),
        ("domain_radius", {"expected": 1.0, "at_least": 1.0}, "give one of them"),
        ("domain_radius", {"expected": np.inf}, "expected rate is inf"),
        ("domain_radius", {"expected": 1.0, "tolerance": -1.0}, "tolerance is -1.0"),
        ("domain_radius", {"length": 0.0}, "length: give finite lengths above 0"),
        ("domain_radius", {"length": ERROR["domain_radius"]}, "length varies with domain_radius"),
    ],
)
def test_what_has_no_answer_is_refused(along: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(RateError, match=said.replace("'", ".")) as refusal:
        sweep.fit_rate(ERROR, along, **options)
    assert isinstance(refusal.value, ValueError)


def test_words_are_no_errors() -> None:
    with pytest.raises(RateError, match="real numbers"):
        sweep.fit_rate(ERROR.astype(str), "domain_radius")
