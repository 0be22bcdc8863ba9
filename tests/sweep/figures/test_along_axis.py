"""Errors against an axis: what is drawn is the data, with units, intervals and rates."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer

from sweep.figures import FigureError, error_along
from sweep.figures.along_axis import picture_along
from sweep.variables import Status
from tests.sweep.made_up import made_up, marked


def falling(ds: xr.Dataset) -> xr.DataArray:
    return (1 + ds["weight_virial"]) / ds["domain_radius"] / ds["weight_forces"]


def bars(axes: Axes) -> list[ErrorbarContainer]:
    return [one for one in axes.containers if isinstance(one, ErrorbarContainer)]


def texts(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def test_marks_are_medians_over_replicas_and_bars_their_range() -> None:
    ds = made_up(falling, scatter=0.1)
    figure = error_along(ds)
    assert len(figure.axes) == 2
    for axes, name in zip(figure.axes, ("screw", "edge"), strict=True):
        drawn = bars(axes)
        assert len(drawn) == 3
        for weight, container in zip((0.0, 1.0, 10.0), drawn, strict=True):
            at = {
                "dislocation": name,
                "simulation_radius": 50.0,
                "degree": 8,
                "weight_forces": 3.0,
                "weight_virial": weight,
            }
            one = ds["geometry_error"].sel(at).squeeze()
            np.testing.assert_allclose(container[0].get_ydata(), one.median("replica"))
            ends = np.array([segment[:, 1] for segment in container[2][0].get_segments()])
            np.testing.assert_allclose(ends[:, 0], one.min("replica"), rtol=1e-12)
            np.testing.assert_allclose(ends[:, 1], one.max("replica"), rtol=1e-12)


def test_rates_are_in_the_legend_and_the_laws_drawn() -> None:
    figure = error_along(made_up(falling))
    for axes in figure.axes:
        assert all("rate 1 (" in text or "rate 0.9" in text for text in texts(axes))
        # marks are the containers' own lines; the laws come after
        laws = [line for line in axes.lines if len(np.asarray(line.get_xdata())) == 50]
        assert len(laws) == 3
        for weight, line in zip((0.0, 1.0, 10.0), laws, strict=True):
            x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
            np.testing.assert_allclose(y, (1 + weight) / x / 3, rtol=0.05)


def test_truncation_errors_have_the_burgers_vector_in_their_logarithms() -> None:
    """Legends, laws and the dotted bound are those of `rate_of` and the report, each dislocation with its length."""
    radii = np.array([20.0, 30.0, 45.0, 70.0, 100.0, 150.0])
    ds = made_up(simulation_radius=radii.tolist())
    lengths = np.array([2.74, 4.47])
    ds["burgers_length"] = ("dislocation", lengths)
    noise = np.exp(0.01 * np.random.default_rng(1).normal(size=(2, 6)))
    errors = 5 / radii * np.log(radii / lengths[:, None]) * noise
    ds["truncation_geometry_error"] = ds["truncation_geometry_error"].copy(data=errors)
    ds["truncation_status"] = xr.full_like(ds["truncation_status"], Status.relaxed)
    rates = ds.sweep.rate("truncation_geometry_error", "simulation_radius")
    figure = error_along(ds, "truncation_geometry_error", "simulation_radius")
    for at, axes in enumerate(figure.axes):
        found = rates.isel(dislocation=at)
        words = [f"{float(found[name]):.2g}" for name in ("rate", "rate_low", "rate_high")]
        assert f"rate {words[0]} ({words[1]} to {words[2]})" in " ".join(texts(axes))
        *_, law, bound = [line for line in axes.lines if len(np.asarray(line.get_xdata())) == 50]
        x = np.asarray(bound.get_xdata())
        through = np.asarray(bound.get_ydata())
        np.testing.assert_allclose(
            through / through[0], _on_bound(x, lengths[at]) / _on_bound(radii[0], lengths[at])
        )
        np.testing.assert_allclose(np.asarray(law.get_ydata()), 5 * _on_bound(x, lengths[at]), rtol=0.05)


def _on_bound(radius: np.ndarray | float, length: float) -> np.ndarray:
    return np.log(np.asarray(radius) / length) / np.asarray(radius)


def test_axes_have_units_and_titles_say_the_slice() -> None:
    figure = error_along(made_up(falling))
    assert figure.axes[0].get_ylabel() == "geometry error (Å)"
    assert figure.axes[-1].get_xlabel() == "domain radius (Å)"
    title = figure.axes[0].get_title(loc="left")
    for word in ("screw", "simulation radius 50 Å", "degree 8"):
        assert word in title
    assert error_along(made_up(falling), "energy_error").axes[0].get_ylabel() == "energy error (eV)"


def test_points_that_are_no_measurements_are_not_drawn() -> None:
    ds = made_up(falling)
    ds = marked(ds, ds["replica"] == 2, Status.other_minimum, geometry_error=50.0)
    for axes in error_along(ds).axes:
        assert max(np.max(container[0].get_ydata()) for container in bars(axes)) < 5


def test_theory_is_drawn_where_it_has_a_law() -> None:
    radii = [20.0, 30.0, 40.0, 60.0, 80.0]
    ds = made_up(simulation_radius=radii)
    ds["truncation_geometry_error"] = ds["truncation_geometry_error"].copy(
        data=[3 / np.array(radii), 2 / np.array(radii)]
    )
    ds["truncation_status"] = xr.full_like(ds["truncation_status"], Status.relaxed)
    figure = error_along(ds, "truncation_geometry_error", "simulation_radius")
    assert len(figure.axes) == 2
    for axes, factor in zip(figure.axes, (3, 2), strict=True):
        bound = next(line for line in axes.lines if line.get_linestyle() == ":")
        x, y = np.asarray(bound.get_xdata()), np.asarray(bound.get_ydata())
        assert y[0] == pytest.approx(factor / 20)
        np.testing.assert_allclose(y * x / np.log(x), y[0] * x[0] / np.log(x[0]))
        assert any("bound" in text for text in texts(axes))


@pytest.mark.parametrize("along", ["degree", "simulation_radius", "weight_virial", "weight_forces", "order"])
def test_every_numbered_axis_can_be_drawn(along: str) -> None:
    picture = picture_along(made_up(falling, order=[2, 3]), "geometry_error", along)
    assert np.isfinite([axes.dataLim.bounds for axes in picture.figure.axes]).all()
    picture.figure.savefig("/dev/null", format="svg")


def test_one_replica_and_one_label_are_drawn_without_intervals() -> None:
    picture = picture_along(made_up(replica=[0], domain_radius=[6.0]))
    assert "no rate" in picture.alt
    picture.figure.savefig("/dev/null", format="png")


def test_labels_can_be_selected() -> None:
    figure = error_along(made_up(falling), select={"dislocation": "edge", "degree": 6})
    assert len(figure.axes) == 1
    assert "edge" in figure.axes[0].get_title(loc="left")
    assert "degree 6" in figure.axes[0].get_title(loc="left")


def test_the_alternative_text_has_the_numbers() -> None:
    ds = made_up(falling, scatter=0.0)
    alt = picture_along(ds, select={"dislocation": "screw", "weight_forces": 1.0}).alt
    assert "virial weight 0 0.167 to 0.0625 Å" in alt
    assert "rate 1" in alt


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("geometry_eror",), "no geometry_eror; its variables are"),
        (("geometry_error", "radius"), "no axis 'radius'"),
        (("geometry_error", "dislocation"), "no axis 'dislocation'"),
        (("truncation_geometry_error", "simulation_radius"), "excluded"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(FigureError, match=said):
        error_along(made_up(), *arguments)


def test_too_many_dislocations_are_refused() -> None:
    with pytest.raises(FigureError, match="select fewer dislocations"):
        error_along(made_up(dislocation=["a", "b", "c", "d", "e"]))


def test_errors_that_are_nowhere_above_zero_are_refused() -> None:
    ds = made_up()
    ds["geometry_error"] = ds["geometry_error"] * 0
    with pytest.raises(FigureError, match="nowhere above zero"):
        error_along(ds)
