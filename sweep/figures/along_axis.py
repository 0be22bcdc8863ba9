"""An error against an axis of the grid, by weighting, with fitted and expected rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweep.figures.errors import FigureError
from sweep.figures.labels import axis_label, number, places, sentence, unit_of, words
from sweep.figures.replicas import REPLICA, interval_words, median_interval
from sweep.figures.slices import (
    DISLOCATION,
    fixed_labels,
    fullest_slice,
    measured,
    positive,
    require,
    selected,
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
    scale_abscissa,
    wrapped,
)
from sweep.figures.weightings import WeightLine, weight_line
from sweep.rates import fit_rate
from sweep.rates.expectations import KNOWN
from sweep.rates.of_store import length_of


def error_along(
    ds: xr.Dataset,
    error: str = "geometry_error",
    along: str = "domain_radius",
    *,
    select: Mapping[str, Any] | None = None,
    length: float | None = None,
) -> Figure:
    """Draw an error against an axis of the grid: a panel for each dislocation, a line for each weighting.

    Marks are medians over replicas, bars their intervals, lines the fitted rates with their 95 % intervals; where
    theory has a rate, it is drawn too. Of the dimensions that are not drawn the slice with most points is shown,
    of equals the one with the largest labels: the title names it.

    Parameters
    ----------
    ds
        A store, as `sweep.open_store` or `xarray.open_zarr` gives it.
    error
        Name of a variable: ``"geometry_error"``, ``"energy_error"``, ``"truncation_geometry_error"``, ...
    along
        Name of a dimension whose labels are numbers.
    select
        Labels by dimension, to draw those.
    length
        Unit of the abscissa within a law's logarithm; of radii unless given the Burgers vector's length (Å), as
        `sweep.rates.of_store.rate_of` takes it.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    FigureError
        If the store has no such variable or dimension, or no point with a value.

    References
    ----------
    `sweep.fit_rate` for the rates, `sweep.figures.replicas.median_interval` for the bars.
    """
    return picture_along(ds, error, along, select=select, length=length).figure


def picture_along(
    ds: xr.Dataset,
    error: str = "geometry_error",
    along: str = "domain_radius",
    *,
    select: Mapping[str, Any] | None = None,
    length: float | None = None,
) -> Picture:
    """Draw what `error_along` draws, with its description."""
    require(ds, error)
    if along not in ds[error].dims or along in (DISLOCATION, REPLICA):
        others = [str(name) for name in ds[error].dims if name not in (DISLOCATION, REPLICA)]
        raise FigureError(f"{error} has no axis {along!r} to be drawn along; it has {', '.join(others)}")
    ds = fullest_slice(selected(ds, select), error, [along])
    values = positive(measured(ds, error)).sortby(along)
    if not bool(values.notnull().any()):
        raise FigureError(
            f"{error} is nowhere above zero in this slice ({places(ds, fixed_labels(ds, error))})"
        )
    line = weight_line(values if along not in _weights(values) else values.median(along, keep_attrs=True))
    if along in _weights(values):
        line = WeightLine("", (0,), {name: at for name, at in line.fixed.items() if name != along})
    curves = line.choose(values)
    for name in [str(dim) for dim in curves.dims if dim not in (DISLOCATION, REPLICA, along, line.dim)]:
        curves = curves.isel({name: 0}, drop=True)
    names = line.names(values)
    unit_length = length_of(ds, along) if length is None else length
    rates = fit_rate(curves.rename(error), along, length=unit_length)
    with drawing():
        figure, axes = panels(curves.sizes[DISLOCATION])
        told = []
        for at, axis in enumerate(axes):
            one, fits = curves.isel({DISLOCATION: at}), rates.isel({DISLOCATION: at})
            within = float(unit_length[at]) if isinstance(unit_length, xr.DataArray) else unit_length
            told.append(_panel(axis, one, fits, line.dim, along, names, within))
            name = str(curves[DISLOCATION].values[at])
            axis.set_title(wrapped(", ".join(filter(None, [name, places(ds, fixed_labels(ds, error))]))))
            axis.set_ylabel(axis_label(values.assign_attrs(long_name=words(error))))
        axes[-1].set_xlabel(_abscissa_label(values[along]))
        counts = curves.notnull().sum(REPLICA) if REPLICA in curves.dims else curves.notnull().astype(int)
        footnote(figure, interval_words(counts), line.note(values), "lines: fitted rates, 95 % intervals")
    title = f"{sentence(words(error))} against {words(along)}"
    return Picture(figure, title, f"{title}. {' '.join(told)}")


def _weights(values: xr.DataArray) -> list[str]:
    return [str(name) for name in values.dims if str(name).startswith("weight_")]


def _abscissa_label(labels: xr.DataArray) -> str:
    return axis_label(labels.assign_attrs(long_name=words(str(labels.name))))


def _panel(
    axis: Axes,
    curves: xr.DataArray,
    rates: xr.Dataset,
    dim: str,
    along: str,
    names: list[str],
    length: float,
) -> str:
    """Draw one dislocation's curves, and tell what they are."""
    labels = np.asarray(curves[along].values, dtype=float)
    found = median_interval(curves.transpose(dim, ..., along))
    told = []
    for at, name in enumerate(names):
        one, fit = found.isel({dim: at}), rates.isel({dim: at})
        median, low, high = (one[part].values for part in ("median", "low", "high"))
        there = np.isfinite(median)
        if not there.any():
            continue
        # side by side, lest bars hide each other
        shifted = labels * 1.012 ** (at - (len(names) - 1) / 2)
        bars = np.nan_to_num([median - low, high - median])[:, there]
        colour, mark = COLOURS[at % len(COLOURS)], MARKERS[at % len(MARKERS)]
        rate = _rate_words(fit)
        axis.errorbar(
            shifted[there],
            median[there],
            yerr=bars,
            fmt=mark,
            color=colour,
            capsize=2.5,
            label=": ".join(filter(None, [name, rate])),
        )
        _draw_law(axis, labels, fit, length, color=colour)
        ends = f"{number(median[there][0])} to {number(median[there][-1])} {unit_of(curves)}".strip()
        told.append(f"{name or 'error'} {ends}, {rate}.")
    scale_abscissa(axis, labels)
    logarithmic_ordinate(
        axis, np.concatenate([found[part].values.ravel() for part in ("median", "low", "high")])
    )
    _draw_expected(
        axis, str(curves.name or rates.attrs["error"]), along, labels, found["median"].values, length
    )
    if told:
        axis.legend(loc="best")
    first, last = (number(labels[at], 6) for at in (0, -1))
    where = f"{curves[DISLOCATION].item()}, {words(along)} {first} to {last} {unit_of(curves[along])}".strip()
    return f"{where}: {' '.join(told)}"


def _rate_words(fit: xr.Dataset) -> str:
    rate, low, high = (float(fit[name]) for name in ("rate", "rate_low", "rate_high"))
    if not np.isfinite(rate):
        return "no rate"
    if not np.isfinite(low):
        return f"rate {number(rate, 2)}, no interval"
    return f"rate {number(rate, 2)} ({number(low, 2)} to {number(high, 2)})"


def _draw_law(axis: Axes, labels: np.ndarray, fit: xr.Dataset, length: float, **style: Any) -> None:
    """Draw a fitted law where it was fitted."""
    if not np.isfinite(float(fit["rate"])) or len(labels) < 2:
        return
    x = np.geomspace(float(fit["first"]), float(fit["last"]), 50)
    exponent = float(fit["log_exponent"])
    logarithm = np.log(x / length) ** exponent if exponent else 1.0
    axis.plot(x, float(fit["prefactor"]) * x ** -float(fit["rate"]) * logarithm, **style)


def _draw_expected(
    axis: Axes, error: str, along: str, labels: np.ndarray, medians: np.ndarray, length: float
) -> None:
    """Draw theory's law through the largest error at the smallest abscissa, where theory has a law."""
    theory = KNOWN.get((error, along))
    start = medians[..., 0]
    if theory is None or not np.isfinite(start).any() or labels[0] <= length:
        return
    x = np.geomspace(labels[0], labels[-1], 50)
    law = x**-theory.expectation.rate * np.log(x / length) ** theory.log_exponent
    bound = "bound" if theory.expectation.at_least else "law"
    words_of_it = rf"theory's {bound}: $R^{{-{theory.expectation.rate:g}}}\,\log^{theory.log_exponent:g} R$"
    axis.plot(x, law / law[0] * np.nanmax(start), color=GREY, linestyle=":", label=words_of_it)
