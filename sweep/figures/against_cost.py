"""An error against what its training set costs to label, a line for each radius of the training domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweep.figures.errors import FigureError
from sweep.figures.labels import axis_label, number, place, places, sentence, unit_of, words
from sweep.figures.replicas import REPLICA, interval_words, median_interval
from sweep.figures.slices import (
    DISLOCATION,
    fullest_slice,
    measured,
    positive,
    require,
    selected,
    weight_dims,
)
from sweep.figures.style import (
    COLOURS,
    MARKERS,
    Picture,
    drawing,
    footnote,
    logarithmic_ordinate,
    panels,
    wrapped,
)
from sweep.figures.weightings import best_weighting

COST, RADIUS, NUMBER = "labelled_atoms", "domain_radius", "n_train"


def error_against_cost(
    ds: xr.Dataset, error: str = "geometry_error", *, select: Mapping[str, Any] | None = None
) -> Figure:
    """Draw an error against the number of labelled atoms: a panel for each dislocation, a line for each domain radius.

    Lines that lie on each other say that only the number of labelled atoms matters; one below the others, that its
    radius is the better way to spend them. Along a line the number of configurations grows. Marks are medians over
    replicas, bars their intervals, at the weighting of the lowest median.

    Parameters
    ----------
    ds
        A store, as `sweep.open_store` or `xarray.open_zarr` gives it.
    error
        Name of a variable.
    select
        Labels by dimension, to draw those.

    Raises
    ------
    FigureError
        If the store lacks a variable, has no point with a value, or one training set only.

    References
    ----------
    theory.md, *Why virials matter*, hypothesis H3.
    """
    return picture_against_cost(ds, error, select=select).figure


def picture_against_cost(
    ds: xr.Dataset, error: str = "geometry_error", *, select: Mapping[str, Any] | None = None
) -> Picture:
    """Draw what `error_against_cost` draws, with its description."""
    require(ds, error, COST)
    ds = fullest_slice(selected(ds, select), error, [RADIUS, NUMBER])
    if ds.sizes[RADIUS] * ds.sizes[NUMBER] < 2:
        raise FigureError("one training set only; give a study's domain_radius and n_train several values")
    values = positive(measured(ds, error)).sortby([RADIUS, NUMBER])
    # a training set costs the same whatever the weights and the replica
    cost = ds[COST].sortby([RADIUS, NUMBER]).max([REPLICA, *weight_dims(ds[COST])])
    best = best_weighting(values)
    found = median_interval(values.isel(best))
    kept = (DISLOCATION, RADIUS, NUMBER)
    found = found.isel({name: 0 for name in found.dims if name not in kept}, drop=True)
    cost = cost.isel({name: 0 for name in cost.dims if name not in kept}, drop=True)
    with drawing():
        figure, axes = panels(values.sizes[DISLOCATION])
        told = []
        for at, axis in enumerate(axes):
            told.append(_panel(axis, found.isel({DISLOCATION: at}), cost.isel({DISLOCATION: at}), values))
            fixed = places(ds, ["simulation_radius", "degree"])
            axis.set_title(wrapped(", ".join([str(ds[DISLOCATION].values[at]), fixed])))
            axis.set_ylabel(axis_label(values.assign_attrs(long_name=words(error))))
        axes[-1].set_xlabel("labelled atoms of the training set")
        several = [place(name, ds[name].values[at]) for name, at in best.items() if ds.sizes[name] > 1]
        note = f"at {', '.join(several)}, where the median error is lowest" if several else ""
        footnote(figure, interval_words(found["count"]), note)
    title = f"{sentence(words(error))} against the cost of labels"
    return Picture(figure, title, f"{title}. {' '.join(told)}")


def _panel(axis: Axes, found: xr.Dataset, cost: xr.DataArray, values: xr.DataArray) -> str:
    """Draw one dislocation's lines, and tell where they begin and end."""
    told, drawn = [], []
    for at, radius in enumerate(found[RADIUS].values):
        one = found.isel({RADIUS: at}).transpose(NUMBER)
        atoms = cost.isel({RADIUS: at}).values
        median, low, high = (one[part].values for part in ("median", "low", "high"))
        there = np.isfinite(median) & np.isfinite(atoms)
        if not there.any():
            continue
        name = place(RADIUS, radius, unit_of(found[RADIUS]))
        axis.errorbar(
            atoms[there],
            median[there],
            yerr=np.nan_to_num([median - low, high - median])[:, there],
            fmt=MARKERS[at % len(MARKERS)] + "-",
            color=COLOURS[at % len(COLOURS)],
            capsize=2.5,
            label=name,
        )
        drawn.append(median[there])
        ends = f"{number(median[there][0])} to {number(median[there][-1])} {unit_of(values)}"
        told.append(f"{name}: {ends} at {atoms[there][0]:.0f} to {atoms[there][-1]:.0f} labelled atoms.")
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")
    axis.tick_params(axis="x", which="minor", labelsize=8)
    if drawn:
        logarithmic_ordinate(axis, np.concatenate(drawn))
        axis.legend(loc="best")
    return f"{found[DISLOCATION].item()}: {' '.join(told)}"
