"""Weightings that do well where they relax and fail in most other slices are not called better."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from sweep.advice import Advice, advise
from sweep.advice.regret import regrets
from sweep.variables import Status
from tests.sweep.advice.made import falling, marked, store

DEGREES = list(range(4, 16))
LABELS: dict[str, Any] = {
    "dislocation": ["screw"],
    "degree": DEGREES,
    "domain_radius": [6.0],
    "n_train": [4],
    "weight_energy": [1.0],
    "weight_forces": [1.0],
    "weight_virial": [0.0, 1.0],
}


def halved(ds: xr.Dataset) -> xr.DataArray:
    """Virials take off half of the error."""
    return falling(ds) * xr.where(ds["weight_virial"] > 0, 0.5, 1.0)


def failing(slices: int, weight: float = 1.0, **labels: Any) -> xr.Dataset:
    """The store in which one virial weight fails in so many of its twelve slices."""
    ds = store(halved, **{**LABELS, **labels})
    for degree in DEGREES[:slices]:
        ds = marked(ds, Status.failed, weight_virial=weight, degree=degree)
    return ds


def weight(advice: Advice) -> float:
    assert advice.weighting.weighting is not None
    return float(advice.weighting.weighting["weight_virial"])


def test_the_weighting_that_fails_in_most_slices_is_not_recommended() -> None:
    advice = advise(failing(8), 0.2)
    assert weight(advice) == 0.0
    assert advice.weighting.slices == 12


def test_a_few_failures_are_counted_beside_the_choice() -> None:
    advice = advise(failing(3), 0.2)
    assert weight(advice) == 1.0
    assert "12 slices compared, 3 of them without a value of it" in advice.weighting.reason


def test_regret_of_a_weighting_is_infinite_where_all_but_another_fail() -> None:
    means = np.log([[0.1, np.inf, np.inf]] * 8 + [[0.1, 0.05, 0.06]] * 4)
    assert np.exp(regrets(means[None, None])).tolist() == [[1.0, np.inf, np.inf]]
    # nothing is compared with what nobody tried, and nothing where all failed
    unknown = np.log([[0.1, np.nan], [np.inf, np.inf]])
    assert np.isnan(regrets(unknown[None, None])).all()


def test_observations_whose_weightings_fail_in_most_slices_are_not_said_to_help() -> None:
    advice = advise(failing(8), 0.2)
    (effect,) = [effect for effect in advice.effects if effect.observation == "virial"]
    assert (effect.verdict, effect.failed_with, effect.failed_without) == ("cannot tell", 8, 0)
    assert effect.high < 1
    assert advice.add_next is None
    assert "every weighting with it failed in 8 slices" in str(advice)


def test_observations_that_fail_in_a_few_slices_help_and_the_failures_are_said() -> None:
    advice = advise(failing(3), 0.2)
    assert advice.add_next == "virial"
    assert "every weighting with it failed in 3 slices" in str(advice)


def test_failures_without_an_observation_do_not_make_it_harmful() -> None:
    """Virials double the error in the four slices where fits without them do not fail: that is no harm."""
    ds = failing(8, weight=0.0)
    ds["geometry_error"] = ds["geometry_error"] * xr.where(ds["weight_virial"] > 0, 4.0, 1.0)
    (effect,) = [effect for effect in advise(ds, 0.2).effects if effect.observation == "virial"]
    assert effect.low > 1
    assert (effect.verdict, effect.failed_without) == ("cannot tell", 8)


def test_a_choice_that_fails_on_the_dislocation_left_out_is_not_as_good_as_its_own() -> None:
    """Edge and mixed choose virials, with which the screw fails in most slices: the others say nothing of those."""

    def alike(ds: xr.Dataset) -> xr.DataArray:
        helped = xr.where(ds["dislocation"] == "screw", 0.99, 0.5)
        return falling(ds) * xr.where(ds["weight_virial"] > 0, helped, 1.0)

    ds = store(alike, scatter=0.01, **{**LABELS, "dislocation": ["screw", "edge", "mixed"]})
    for degree in DEGREES[:8]:
        ds = marked(ds, Status.failed, dislocation="screw", weight_virial=1.0, degree=degree)
    screw = next(each for each in advise(ds, 0.2).transfers if each.left_out == "screw")
    assert (screw.weighting, screw.own) != (None, None)
    assert screw.weighting["weight_virial"] == 1.0  # type: ignore[index]
    assert screw.own["weight_virial"] == 0.0  # type: ignore[index]
    assert screw.high < 1.1
    assert (screw.verdict, screw.failed) == ("cannot tell", 8)
    assert "it failed in 8 slices at theirs alone" in screw.failures
