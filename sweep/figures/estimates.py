"""How good the linear-response estimate is: estimate over error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweep.figures.errors import FigureError
from sweep.figures.labels import axis_label, number, places
from sweep.figures.scatter import MOST_POINTS, thinned
from sweep.figures.slices import (
    DISLOCATION,
    fullest_slice,
    measured,
    positive,
    require,
    selected,
    status_name,
)
from sweep.figures.style import (
    COLOURS,
    GREY,
    Picture,
    drawing,
    footnote,
    logarithmic_ordinate,
    panels,
    wrapped,
)

ESTIMATE, ERROR = "geometry_estimate", "geometry_error"
SADDLE_ERROR, STIFFNESS = "saddle_geometry_error", "relative_stiffness"
#: Estimates within this factor of the error count as good.
GOOD = 1.25


def effectivity(ds: xr.Dataset, *, select: Mapping[str, Any] | None = None) -> Figure:
    """Draw the estimate of the geometry error over the error, against the estimate: a panel for each dislocation.

    Where the reference's core is a saddle of the fit, the relaxed core is another one, below it, of which an estimate
    made at the reference's core cannot know: such points are drawn apart, and once more against the saddle's own
    error.

    Parameters
    ----------
    ds
        A store, as `sweep.open_store` or `xarray.open_zarr` gives it.
    select
        Labels by dimension, to draw those.

    Raises
    ------
    FigureError
        If the store lacks estimates or errors, or has no point with both.

    References
    ----------
    theory.md, *The linear-response estimate*.
    """
    return picture_of_effectivity(ds, select=select).figure


def picture_of_effectivity(ds: xr.Dataset, *, select: Mapping[str, Any] | None = None) -> Picture:
    """Draw what `effectivity` draws, with its description."""
    require(ds, ESTIMATE, ERROR)
    ds = selected(ds, select)
    keep = [str(name) for name in ds[status_name(ERROR)].dims if name != "simulation_radius"]
    ds = fullest_slice(ds, ERROR, keep)
    estimate = positive(measured(ds, ESTIMATE))
    groups = _groups(ds)
    if not any(bool((estimate.notnull() & error.notnull()).any()) for _, error, _ in groups):
        raise FigureError(f"no point has both {ESTIMATE} and {ERROR}; relax some points of the study")
    with drawing():
        figure, axes = panels(estimate.sizes[DISLOCATION])
        told = []
        for at, axis in enumerate(axes):
            one = [(name, error.isel({DISLOCATION: at}), mark) for name, error, mark in groups]
            name = str(ds[DISLOCATION].values[at])
            axis.set_title(wrapped(", ".join([name, places(ds, ["simulation_radius"])])))
            axis.set_ylabel("effectivity: estimate / error")
            told.append(f"{name}: {_panel(axis, estimate.isel({DISLOCATION: at}), one)}")
        axes[-1].set_xlabel(axis_label(estimate.assign_attrs(long_name="estimate of the geometry error")))
        footnote(
            figure,
            f"band: within a factor of {GOOD:g}; of more than {MOST_POINTS} points a sample is drawn",
            "medians with the middle 80 % of points in the legend",
        )
    title = "Effectivity of the estimate"
    return Picture(figure, title, f"{title}. {' '.join(told)}")


def _groups(ds: xr.Dataset) -> list[tuple[str, xr.DataArray, str]]:
    """Give the errors that estimates are compared with, apart where the reference's core is a saddle."""
    error = positive(measured(ds, ERROR))
    if STIFFNESS not in ds:
        return [("all points", error, "o")]
    saddle = measured(ds, STIFFNESS) < 0
    groups = [("core kept", error.where(~saddle), "o"), ("core a saddle", error.where(saddle), "x")]
    if SADDLE_ERROR in ds:
        groups.append(("the saddle itself", positive(measured(ds, SADDLE_ERROR)).where(saddle), "^"))
    return groups


def _panel(axis: Axes, estimate: xr.DataArray, groups: list[tuple[str, xr.DataArray, str]]) -> str:
    told, drawn = [], [np.array([1.0])]
    axis.axhspan(1 / GOOD, GOOD, color="#EEEEEE", zorder=0)
    axis.axhline(1.0, color=GREY, linewidth=1)
    for at, (name, error, mark) in enumerate(groups):
        ratio = estimate / error
        values = np.asarray(ratio.values).ravel()
        values = values[np.isfinite(values)]
        if not values.size:
            continue
        low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
        share = float(((values >= 1 / GOOD) & (values <= GOOD)).mean())
        x, y = thinned(estimate, ratio)
        label = f"{name}: {number(middle, 2)} ({number(low, 2)} to {number(high, 2)})"
        axis.scatter(x, y, s=14, marker=mark, color=COLOURS[at], alpha=0.6, linewidths=0.9, label=label)
        drawn.append(y)
        told.append(f"{label}, {values.size} points, {100 * share:.0f} % within a factor of {GOOD:g}.")
    axis.set_xscale("log")
    everything = np.concatenate(drawn)
    logarithmic_ordinate(axis, everything)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")
    if told:
        axis.legend(loc="best")
    return " ".join(told) if told else "no point with both."
