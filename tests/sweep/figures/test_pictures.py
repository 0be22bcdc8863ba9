"""Scatter, heat map, profile and effectivity: each shows what is in the data."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from sweep.figures import (
    FigureError,
    effectivity,
    error_against_fit_error,
    error_along,
    strain_profile,
    weight_heat_map,
)
from sweep.figures.against_fit import picture_against_fit
from sweep.figures.estimates import picture_of_effectivity
from sweep.figures.heat_map import picture_of_weights
from sweep.figures.profile import picture_of_profile
from sweep.figures.scatter import MOST_POINTS, binned_medians
from sweep.variables import Status
from tests.sweep.made_up import EDGES, made_up, marked

ROOT = Path(__file__).resolve().parents[3]
ALL = (error_along, error_against_fit_error, weight_heat_map, strain_profile, effectivity)


def varied(ds: xr.Dataset) -> xr.DataArray:
    return (1 + ds["weight_virial"]) / ds["domain_radius"] ** 2 / ds["weight_forces"]


def legend(figure: Figure, at: int = 0) -> str:
    found = figure.axes[at].get_legend()
    assert found is not None
    return " ".join(text.get_text() for text in found.get_texts())


def test_proportional_errors_have_slope_1_with_virials_and_without() -> None:
    figure = error_against_fit_error(made_up(varied, scatter=0.2))
    for at in range(2):
        words = legend(figure, at)
        for group in ("without virials: slope 1", "with virials: slope 1", "proportional"):
            assert group in words
    assert figure.axes[-1].get_xlabel() == "force RMSE on held-out cores (eV/Å)"


def test_a_cloud_is_thinned_and_its_medians_are_not() -> None:
    random = np.random.default_rng(0)
    x = xr.DataArray(np.exp(random.normal(size=(4, 5000))), dims=("replica", "fit"))
    y = 3 * x**2
    figure = error_against_fit_error(made_up(varied, n_train=list(range(1, 30))))
    for axes in figure.axes:
        for cloud in axes.collections:
            assert len(cloud.get_offsets()) <= MOST_POINTS  # type: ignore[arg-type]
    found = binned_medians(x, y)
    assert int(found["count"].max()) == 4
    # a bin's median lies among the errors at its ends
    width = np.log(x.max() / x.min()) / found.sizes["bin"]
    np.testing.assert_allclose(
        np.log(found["median"]), np.log(3 * found["centre"] ** 2), atol=0.5 * float(width)
    )


def test_the_star_is_at_the_lowest_median() -> None:
    ds = made_up(lambda ds: varied(ds) * abs(ds["weight_virial"] - 0.9), scatter=0.001)
    figure = weight_heat_map(ds, select={"dislocation": "edge"})
    axes = figure.axes[0]
    stars = [text for text in axes.texts if "★" in text.get_text()]
    assert [text.get_position() for text in stars] == [(1, 1)]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "1", "10"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["1", "3"]
    image = axes.images[0].get_array()
    shown = {"dislocation": "edge", "simulation_radius": 50.0, "degree": 8, "domain_radius": 16.0}
    expected = (
        ds["geometry_error"]
        .sel(shown)
        .squeeze()
        .median("replica")
        .transpose("weight_forces", "weight_virial")
    )
    np.testing.assert_allclose(np.asarray(image), expected)
    assert figure.axes[1].get_ylabel() == "geometry error (Å)"


def test_cells_that_replicas_cannot_tell_from_the_lowest_have_a_dot() -> None:
    alike = picture_of_weights(made_up(scatter=0.3), select={"dislocation": "edge"})
    assert sum("•" in text.get_text() for text in alike.figure.axes[0].texts) >= 1
    apart = picture_of_weights(made_up(varied, scatter=0.001), select={"dislocation": "edge"})
    assert not any("•" in text.get_text() for text in apart.figure.axes[0].texts)
    assert "0 others not told from it" in apart.alt


def test_a_map_over_long_weight_axes_has_dots_and_one_text_each_panel() -> None:
    weights = np.geomspace(0.01, 100, 40).tolist()
    ds = made_up(scatter=0.3, weight_virial=weights, degree=[8], domain_radius=[6.0])
    picture = picture_of_weights(ds)
    for axes, told in zip(picture.figure.axes, picture.alt.split("others not told")[:-1], strict=False):
        assert [text.get_text() for text in axes.texts] == ["★"]
        ((dots),) = axes.collections
        assert len(dots.get_offsets()) == int(told.split()[-1]) > 0  # type: ignore[arg-type]
        # on cells, and not on the star's
        places = {tuple(map(int, place)) for place in np.asarray(dots.get_offsets())}
        assert places <= {(column, row) for column in range(40) for row in range(2)}
        assert tuple(map(int, axes.texts[0].get_position())) not in places


def test_one_weight_is_drawn_against_the_degree() -> None:
    figure = weight_heat_map(made_up(varied, weight_forces=[1.0]))
    assert figure.axes[0].get_ylabel() == "degree"
    alone = made_up(varied, weight_forces=[1.0], degree=[6], domain_radius=[6.0])
    assert weight_heat_map(alone).axes[0].get_xlabel() == "virial weight"
    with pytest.raises(FigureError, match="every weight"):
        weight_heat_map(made_up(weight_forces=[1.0], weight_virial=[1.0]))


def test_a_profile_shows_each_bin_and_the_mismatch_alone() -> None:
    ds = made_up(varied)
    figure = strain_profile(ds, select={"dislocation": "screw", "weight_forces": 1.0})
    axes = figure.axes[0]
    medians = [container[0].get_ydata() for container in axes.containers]
    at = {
        "dislocation": "screw",
        "simulation_radius": 50.0,
        "degree": 8,
        "domain_radius": 16.0,
        "weight_forces": 1.0,
    }
    expected = ds["strain_error_profile"].sel(at).squeeze().median("replica").transpose("weight_virial", ...)
    np.testing.assert_allclose(np.array(medians), expected)
    tails = [line for line in axes.lines if line.get_linestyle() == ":"]
    mismatch = ds["far_field_mismatch"].sel(at).squeeze().median("replica")
    for tail, s in zip(tails, mismatch.values, strict=True):
        np.testing.assert_allclose(tail.get_ydata(), np.sqrt(s * np.log(EDGES[2:] / EDGES[1:-1])))


def test_the_last_bin_of_a_profile_ends_where_sites_do() -> None:
    """At 30 Å the bin from 25 to 50 Å holds sites up to 30 Å alone: that is what the mismatch is taken over."""
    ds = made_up(varied, simulation_radius=[30.0])
    picture = picture_of_profile(ds, select={"dislocation": "screw"})
    tails = [line for line in picture.figure.axes[0].lines if line.get_linestyle() == ":"]
    ends = np.minimum(EDGES[2:], 30.0)
    for tail in tails:
        ratio = np.asarray(tail.get_ydata()) / np.sqrt(np.log(ends / EDGES[1:-1]))
        np.testing.assert_allclose(ratio, ratio[0])
        np.testing.assert_allclose(tail.get_xdata(), np.sqrt(ends * EDGES[1:-1]))
    assert len(tails) == 3
    assert "in the one up to 30 Å" in picture.alt


def test_a_screened_store_shows_its_estimated_profile() -> None:
    ds = made_up(varied)
    estimate = 0.5 * ds["strain_error_profile"]
    ds["strain_error_profile_estimate"] = estimate.assign_attrs(ds["strain_error_profile"].attrs)
    relaxed = strain_profile(ds)
    assert relaxed.axes[0].get_ylabel() == "geometry error in bin (Å)"
    ds = marked(ds, xr.ones_like(ds["status"], dtype=bool), Status.estimated)
    for name in ("strain_error_profile", "geometry_error"):
        ds[name] = ds[name] * np.nan
    figure = strain_profile(ds)
    assert figure.axes[0].get_ylabel() == "estimated geometry error in bin (Å)"
    for one, other in zip(relaxed.axes[0].containers, figure.axes[0].containers, strict=True):
        np.testing.assert_allclose(other[0].get_ydata(), 0.5 * np.asarray(one[0].get_ydata()))


def test_effectivity_is_told_apart_where_the_core_is_a_saddle() -> None:
    ds = made_up(varied)
    saddle = ds["weight_virial"] > 0
    estimate = ds["geometry_estimate"]
    ds = marked(ds, saddle, Status.relaxed, relative_stiffness=-0.3)
    ds["geometry_error"] = (
        ds["geometry_error"].where(~saddle, 10 * estimate).assign_attrs(ds["geometry_error"].attrs)
    )
    ds["saddle_geometry_error"] = (estimate / 1.1).where(saddle)
    words = legend(effectivity(ds))
    assert "core kept: 0.9" in words
    assert "core a saddle: 0.1 (0.1 to 0.1)" in words
    assert "the saddle itself: 1.1 (1.1 to 1.1)" in words
    assert "0 % within" in picture_of_effectivity(ds).alt


@pytest.mark.parametrize("draw", ALL)
def test_a_store_without_results_is_refused_by_each(draw: Callable[[xr.Dataset], Figure]) -> None:
    ds = made_up()
    ds = marked(ds, xr.ones_like(ds["status"], dtype=bool), Status.pending)
    with pytest.raises(FigureError, match="pending"):
        draw(ds)
    with pytest.raises(ValueError, match="geometry_e"):
        draw(ds.drop_vars(["geometry_error", "geometry_estimate"]))


@pytest.mark.parametrize("draw", ALL)
def test_further_dimensions_change_nothing(draw: Callable[[xr.Dataset], Figure]) -> None:
    labels = {"order": [3], "cutoff": [5.0], "regularisation": [1e-6], "weight_force_constants": [0.0, 1.0]}
    figure = draw(made_up(varied, **labels))
    figure.savefig("/dev/null", format="svg")


@pytest.mark.parametrize(
    "tell", [picture_against_fit, picture_of_effectivity, picture_of_profile, picture_of_weights]
)
def test_alternative_texts_tell_of_each_dislocation_with_units(tell: Callable[[xr.Dataset], object]) -> None:
    alt = str(getattr(tell(made_up(varied)), "alt", ""))
    assert "screw" in alt
    assert "edge" in alt
    assert "Å" in alt or "%" in alt


def test_a_session_keeps_its_own_style_and_needs_no_pyplot() -> None:
    program = """
import sys
import matplotlib
from sweep.figures import error_along
from tests.sweep.made_up import made_up
matplotlib.rcParams["font.size"] = 33
error_along(made_up()).savefig("/dev/null", format="png")
assert matplotlib.rcParams["font.size"] == 33
print("matplotlib.pyplot" in sys.modules, "distributed" in sys.modules)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["False", "False"]
