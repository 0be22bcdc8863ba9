"""An error against the error of the fit, with and without virials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweep.figures.errors import FigureError
from sweep.figures.labels import axis_label, number, places, sentence, unit_of, words
from sweep.figures.replicas import interval_words
from sweep.figures.scatter import MOST_POINTS, binned_medians, thinned
from sweep.figures.slices import (
    DISLOCATION,
    fullest_slice,
    kind_of,
    measured,
    positive,
    require,
    selected,
    status_name,
)
from sweep.figures.style import (
    COLOURS,
    GREY,
    MARKERS,
    Picture,
    drawing,
    footnote,
    logarithmic_ordinate,
    panels,
    wrapped,
)
from sweep.figures.weightings import with_virials
from sweep.rates import fit_rate

_RADIUS = "simulation_radius"


def error_against_fit_error(
    ds: xr.Dataset,
    error: str = "geometry_error",
    fit_error: str = "rmse_forces",
    *,
    select: Mapping[str, Any] | None = None,
) -> Figure:
    """Draw an error against the error of the fit, fits with virials and without apart: a panel for each dislocation.

    Dots are points (of many a sample), large marks the medians of up to ten bins over replicas with their intervals.
    The slope is that of the bins' medians with its 95 % interval; a dotted line shows proportionality.

    Parameters
    ----------
    ds
        A store, as `sweep.open_store` or `xarray.open_zarr` gives it.
    error
        Name of a variable.
    fit_error
        Name of a held-out RMSE; of its kinds the core's is taken, of virials the bulk's.
    select
        Labels by dimension, to draw those.

    Raises
    ------
    FigureError
        If the store lacks a variable, or has no point where both are known.

    References
    ----------
    theory.md, *Why virials matter*, hypotheses H1 and H2.
    """
    return picture_against_fit(ds, error, fit_error, select=select).figure


def picture_against_fit(
    ds: xr.Dataset,
    error: str = "geometry_error",
    fit_error: str = "rmse_forces",
    *,
    select: Mapping[str, Any] | None = None,
) -> Picture:
    """Draw what `error_against_fit_error` draws, with its description."""
    require(ds, error, fit_error)
    ds = selected(ds, select)
    # errors grow with the simulated radius: one of them; all else is the cloud
    keep = [str(name) for name in ds[status_name(error)].dims if name != _RADIUS]
    ds = fullest_slice(ds, error, keep)
    errors, forces = positive(measured(ds, error)), positive(measured(ds, fit_error))
    groups = _groups(ds)
    if not bool((errors.notnull() & forces.notnull()).any()):
        raise FigureError(f"no point has both {error} and {fit_error}; run the study on")
    with drawing():
        figure, axes = panels(errors.sizes[DISLOCATION])
        told, counts = [], []
        for at, axis in enumerate(axes):
            name = str(ds[DISLOCATION].values[at])
            axis.set_title(wrapped(", ".join([name, places(ds, [_RADIUS])])))
            axis.set_ylabel(axis_label(errors.assign_attrs(long_name=words(error))))
            one, other = errors.isel({DISLOCATION: at}), forces.isel({DISLOCATION: at})
            said, found = _panel(axis, other, one, groups)
            told.append(f"{name}: {said}")
            counts += found
        kind = ""
        if "config_kind" in ds[fit_error].dims:
            kind = f" on held-out {'cores' if kind_of(fit_error) == 'core' else 'bulk'}"
        axes[-1].set_xlabel(axis_label(forces.assign_attrs(long_name=words(fit_error) + kind)))
        number_of_points = int((errors.notnull() & forces.notnull()).sum())
        sample = (
            f"dots: a sample of {number_of_points} points"
            if number_of_points > MOST_POINTS
            else "dots: points"
        )
        footnote(figure, f"{sample}; large marks: medians of bins", interval_words(xr.concat(counts, "bin")))
    title = f"{sentence(words(error))} against {words(fit_error)}"
    return Picture(figure, title, f"{title}. {' '.join(told)}")


def _groups(ds: xr.Dataset) -> list[tuple[str, xr.DataArray | None]]:
    seen = with_virials(ds)
    if seen is None:
        return [("all fits", None)]
    return [
        (name, chosen)
        for name, chosen in (("without virials", ~seen), ("with virials", seen))
        if bool(chosen.any())
    ]


def _panel(
    axis: Axes, x: xr.DataArray, y: xr.DataArray, groups: list[tuple[str, xr.DataArray | None]]
) -> tuple[str, list[xr.DataArray]]:
    """Draw one dislocation's clouds; tell what they are, and how many replicas are behind each bin."""
    told, counts, drawn = [], [], []
    for at, (name, chosen) in enumerate(groups):
        one, other = (values if chosen is None else values.where(chosen) for values in (x, y))
        points, errors = thinned(one, other)
        if not points.size:
            continue
        colour, mark = COLOURS[at], MARKERS[at]
        axis.scatter(points, errors, s=5, color=colour, alpha=0.35, linewidths=0)
        found = binned_medians(one, other)
        slope = _slope_words(found)
        centres, median = found["centre"].values, found["median"].values
        bars = np.nan_to_num([median - found["low"].values, found["high"].values - median])
        axis.errorbar(
            centres, median, yerr=bars, fmt=mark + "-", color=colour, capsize=2.5, label=f"{name}: {slope}"
        )
        drawn.append((points, errors))
        counts.append(found["count"])
        low, high = (number(end) for end in (points.min(), points.max()))
        told.append(
            f"{name} {slope}, median error {number(float(np.median(errors)))} {unit_of(y)} "
            f"at fit errors from {low} to {high} {unit_of(x)}."
        )
    if drawn:
        _frame(axis, np.concatenate([one for one, _ in drawn]), np.concatenate([two for _, two in drawn]))
    return " ".join(told), counts


def _frame(axis: Axes, x: np.ndarray, y: np.ndarray) -> None:
    axis.set_xscale("log")
    logarithmic_ordinate(axis, y)
    middle = np.exp(np.log(y).mean() - np.log(x).mean())
    ends = np.array([x.min(), x.max()])
    axis.plot(ends, middle * ends, color=GREY, linestyle=":", label="proportional")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if x.max() < 8 * x.min() else "")
    axis.tick_params(axis="x", which="minor", labelsize=8, rotation=45)
    axis.legend(loc="best")


def _slope_words(found: xr.Dataset) -> str:
    """Fit the bins' medians: the slope is minus the rate at which the error falls as the fit error grows."""
    fit = fit_rate(found["y"], found["x"].rename("fit_error"), over="bin", ends="keep")
    rate, low, high = (-float(fit[name]) for name in ("rate", "rate_high", "rate_low"))
    if not np.isfinite(rate):
        return "no slope"
    if not np.isfinite(low):
        return f"slope {number(rate, 2)}, no interval"
    return f"slope {number(rate, 2)} ({number(low, 2)} to {number(high, 2)})"
