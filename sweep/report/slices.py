"""The curves that a reader picks from: medians over replicas, for the page's chart and tables."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from sweep.figures.gallery import main_error, numbered_axes
from sweep.figures.labels import number, sentence, unit_of, words
from sweep.figures.replicas import REPLICA, median_interval
from sweep.figures.slices import block_dims, known, measured, positive
from sweep.figures.weightings import weight_line

#: Rows of a view's table, at the most: a row is a slice and a weighting.
MOST_ROWS = 240
#: Points of a curve, views, and weightings, at the most.
MOST_POINTS, MOST_VIEWS, MOST_WEIGHTINGS = 16, 8, 5
_ERRORS = ("geometry_error", "energy_error", "rmse_forces")


@dataclass(frozen=True)
class Dimension:
    """A dimension that a reader picks from.

    Parameters
    ----------
    name
        In words.
    unit
        Empty where there is none.
    labels
        As text.
    """

    name: str
    unit: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """One error along one axis, at every slice.

    Parameters
    ----------
    error, unit
        The error in words, and its unit.
    along, along_unit
        The axis in words, and its unit.
    points
        Labels along the axis.
    dimensions
        What a slice is picked by; the last is the weighting.
    median, low, high
        Over the dimensions and the axis; NaN where there is none.
    note
        What is not shown.
    """

    error: str
    unit: str
    along: str
    along_unit: str
    points: tuple[float, ...]
    dimensions: tuple[Dimension, ...]
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray
    note: str

    @property
    def title(self) -> str:
        """Name the view."""
        return f"{sentence(self.error)} against {self.along}"

    def data(self) -> dict[str, Any]:
        """Give the view as JSON can hold it."""
        return {
            "title": self.title,
            "error": self.error,
            "unit": self.unit,
            "along": self.along,
            "alongUnit": self.along_unit,
            "points": list(self.points),
            "dimensions": [
                {"name": one.name, "unit": one.unit, "labels": list(one.labels)} for one in self.dimensions
            ],
            **{name: _numbers(getattr(self, name)) for name in ("median", "low", "high")},
        }

    def rows(self) -> list[tuple[list[str], list[str]]]:
        """Give a table's rows: what each is at, and its cells along the axis. Rows without a value are left out."""
        rows = []
        for where in np.ndindex(self.median.shape[:-1]):
            if not np.isfinite(self.median[where]).any():
                continue
            named = [one.labels[at] for one, at in zip(self.dimensions, where, strict=True)]
            cells = [
                _cell(*numbers)
                for numbers in zip(self.median[where], self.low[where], self.high[where], strict=True)
            ]
            rows.append((named, cells))
        return rows


def views(ds: xr.Dataset) -> list[View]:
    """Reduce a store to what a reader can pick from: each error along each axis.

    The main error along all axes comes before other errors; there are at most `MOST_VIEWS`. Of long axes only some
    labels are shown, evenly spread, so that a table has at most `MOST_ROWS` rows; the view's note says so.
    """
    errors = list(dict.fromkeys([main_error(ds), *_ERRORS]))
    pairs = [(error, axis) for error in errors if error in ds for axis in numbered_axes(ds)]
    found = [_view(ds, error, axis) for error, axis in pairs[:MOST_VIEWS] if bool(known(ds, error).any())]
    return [view for view in found if view is not None]


def _view(ds: xr.Dataset, error: str, axis: str) -> View | None:
    values = positive(measured(ds, error))
    if not bool(values.notnull().any()):
        return None
    line = weight_line(values, most=MOST_WEIGHTINGS)
    curves = line.choose(values)
    dims = [name for name in block_dims(ds) if name not in (REPLICA, axis)]
    kept, note = _thinned(curves, dims, axis, len(line.positions))
    found = median_interval(curves.isel({name: list(at) for name, at in kept.items()}).sortby(axis))
    order = (*dims, line.dim, axis)
    median, low, high = (found[name].transpose(*order) for name in ("median", "low", "high"))
    dimensions = [
        Dimension(
            words(name) or name, unit_of(ds[name]), tuple(_text(label) for label in median[name].values)
        )
        for name in dims
    ]
    weightings = tuple(line.names(values)) if line.along else ("all",)
    notes = [text for text in (line.note(values), note) if text]
    return View(
        words(error) + (" on held-out cores" if error.startswith("rmse_") else ""),
        unit_of(values),
        words(axis),
        unit_of(ds[axis]),
        tuple(float(label) for label in median[axis].values),
        (*dimensions, Dimension("weighting", "", weightings)),
        median.values,
        low.values,
        high.values,
        "; ".join(notes),
    )


def _thinned(
    curves: xr.DataArray, dims: list[str], axis: str, weightings: int
) -> tuple[dict[str, tuple[int, ...]], str]:
    """Choose the labels to show along each dimension: the longest gives first."""
    most = {name: curves.sizes[name] for name in dims} | {axis: min(MOST_POINTS, curves.sizes[axis])}
    while math.prod(most[name] for name in dims) * weightings > MOST_ROWS:
        longest = max(dims, key=lambda name: most[name])
        most[longest] -= 1
    kept = {name: _spread(curves.sizes[name], count) for name, count in most.items()}
    cut = [
        f"{len(at)} of {curves.sizes[name]} labels of {words(name) or name}"
        for name, at in kept.items()
        if len(at) < curves.sizes[name]
    ]
    return kept, f"shown are {', '.join(cut)}" if cut else ""


def _spread(length: int, count: int) -> tuple[int, ...]:
    return tuple(sorted(set(np.linspace(0, length - 1, count).round().astype(int).tolist())))


def _text(label: Any) -> str:
    return f"{label:g}" if isinstance(label, (int, float, np.number)) else f"{label}"


def _numbers(values: np.ndarray) -> list[float | None]:
    return [float(f"{value:.4g}") if math.isfinite(value) else None for value in values.ravel().tolist()]


def _cell(median: float, low: float, high: float) -> str:
    if not math.isfinite(median):
        return "–"
    return f"{number(median)} ({number(low)} to {number(high)})" if math.isfinite(low) else number(median)
