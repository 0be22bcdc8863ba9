"""Heat maps of an error over the weights, the optimum marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sweep.figures.errors import FigureError
from sweep.figures.labels import axis_label, number, place, places, sentence, unit_of, words
from sweep.figures.replicas import REPLICA, interval_words, median_interval
from sweep.figures.slices import (
    DISLOCATION,
    fixed_labels,
    fullest_slice,
    measured,
    positive,
    require,
    selected,
    weight_dims,
)
from sweep.figures.style import COLOUR_MAP, Picture, drawing, footnote, panels, wrapped
from sweep.figures.weightings import best_weighting

#: Cells, at the most, that have their value written in them.
MOST_WRITTEN = 48
# Width of a dot, and of the panel that half of a cell's dots would fill, in points.
_DOT, _PANEL = 3.0, 150.0
_FALLBACKS = ("degree", "domain_radius", "n_train")


def weight_heat_map(
    ds: xr.Dataset, error: str = "geometry_error", *, select: Mapping[str, Any] | None = None
) -> Figure:
    """Draw an error over the two longest weight axes: a panel for each dislocation.

    Colours are medians over replicas. A star marks the lowest; a dot, those that replicas cannot tell from it: the
    interval of their ratio to the lowest, replica by replica, contains 1. Where one weight varies, the other axis is
    the degree, the domain radius or the number of training configurations. A third weight is that of the optimum.

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
        If the store has no such variable, no point with a value, or no weight that varies.
    """
    return picture_of_weights(ds, error, select=select).figure


def picture_of_weights(
    ds: xr.Dataset, error: str = "geometry_error", *, select: Mapping[str, Any] | None = None
) -> Picture:
    """Draw what `weight_heat_map` draws, with its description."""
    require(ds, error)
    ds = selected(ds, select)
    several = sorted(
        (name for name in weight_dims(ds[error]) if ds.sizes[name] > 1), key=lambda n: -ds.sizes[n]
    )
    if not several:
        raise FigureError(f"every weight of {error} has one value; give a study's axes several to compare")
    across = several[0]
    others = several[1:] or [name for name in _FALLBACKS if ds.sizes.get(name, 1) > 1]
    up = others[0] if others else None
    ds = fullest_slice(ds, error, [name for name in (across, up) if name])
    values = positive(measured(ds, error))
    best = best_weighting(values)
    thirds = {name: at for name, at in best.items() if name not in (across, up)}
    drawn = values.isel(thirds)
    rest = [str(name) for name in drawn.dims if name not in (DISLOCATION, REPLICA, across, up)]
    drawn = drawn.isel(dict.fromkeys(rest, 0), drop=True)
    if up is None:
        drawn, up = drawn.expand_dims("one"), "one"
    if not bool(drawn.notnull().any()):
        raise FigureError(
            f"{error} is nowhere above zero in this slice ({places(ds, fixed_labels(ds, error))})"
        )
    drawn = drawn.sortby([name for name in (across, up) if name in drawn.coords]).transpose(
        DISLOCATION, up, across, ...
    )
    with drawing():
        figure, axes = panels(drawn.sizes[DISLOCATION], height=min(3.4, 1.6 + 0.32 * drawn.sizes[up]))
        labels = {name: label for name, label in fixed_labels(ds, error).items() if name != up}
        told = [_panel(axis, drawn.isel({DISLOCATION: at}), up, across) for at, axis in enumerate(axes)]
        for at, axis in enumerate(axes):
            name = str(drawn[DISLOCATION].values[at])
            axis.set_title(wrapped(", ".join(filter(None, [name, places(ds, labels)]))))
        several_thirds = [
            place(name, ds[name].values[at]) for name, at in thirds.items() if ds.sizes[name] > 1
        ]
        fixed = f"at {', '.join(several_thirds)}, where the median error is lowest" if several_thirds else ""
        counts = drawn.notnull().sum(REPLICA) if REPLICA in drawn.dims else drawn.notnull().astype(int)
        known = interval_words(counts).partition(":")[2] or "one replica"
        footnote(figure, f"star: lowest median; dot: not told from it by{_by(known)}", fixed)
    title = f"{sentence(words(error))} over the weights"
    return Picture(figure, title, f"{title}. {' '.join(told)}")


def _by(known: str) -> str:
    return f" the{known}" if known.startswith(" ") else " one replica"


def _panel(axis: Axes, values: xr.DataArray, up: str, across: str) -> str:
    """Draw one dislocation's map, and tell where its optimum is."""
    median = median_interval(values).transpose(up, across)["median"]
    cells = median.values
    if not np.isfinite(cells).any():
        axis.text(0.5, 0.5, "no value", transform=axis.transAxes, ha="center")
        return f"{values[DISLOCATION].item()}: no value."
    row, column = map(int, np.unravel_index(np.nanargmin(cells), cells.shape))
    low, high = np.nanmin(cells), np.nanmax(cells)
    norm = LogNorm(low, high if high > low else low * 1.01)
    image = axis.imshow(cells, cmap=COLOUR_MAP, norm=norm, origin="lower", aspect="auto")
    axis.grid(visible=False)
    _label_axes(axis, median, up, across)
    bar = axis.figure.colorbar(
        image, ax=axis, label=axis_label(values.assign_attrs(long_name=words(str(values.name))))
    )
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    bar.ax.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if high < 8 * low else "")
    same = _same_as_best(values, up, across, row, column)
    _mark(axis, cells, np.where(norm(cells) < 0.5, "white", "black"), same, (row, column))
    where = f"{words(across)} {median[across].values[column]:g}"
    if up != "one":
        where += f", {words(up)} {median[up].values[row]:g}"
    told = f"{values[DISLOCATION].item()}: lowest {number(low)}, highest {number(high)} {unit_of(values)}".strip()
    return f"{told}; lowest at {where}; {int(same.sum()) - 1} others not told from it."


def _mark(
    axis: Axes,
    cells: NDArray[np.float64],
    inks: NDArray[np.str_],
    same: NDArray[np.bool_],
    best: tuple[int, int],
) -> None:
    """Write the values in the cells of a small map; mark the best by a star, those not told from it by dots."""
    style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9}
    if cells.size <= MOST_WRITTEN:
        for i, j in np.argwhere(np.isfinite(cells)).tolist():
            mark = "★" if (i, j) == best else "•" if same[i, j] else ""
            text = f"{number(cells[i, j], 2)} {mark}".strip()
            axis.text(j, i, text, color=str(inks[i, j]), **style)
        return
    # a text for each cell of a long axis would take minutes
    dots = same & np.isfinite(cells)
    dots[best] = False
    rows, columns = np.nonzero(dots)
    size = min(_DOT, _PANEL / max(cells.shape))
    axis.scatter(columns, rows, s=size**2, c=inks[dots].tolist(), linewidths=0, rasterized=True)
    axis.text(best[1], best[0], "★", color=str(inks[best]), **style)


def _label_axes(axis: Axes, median: xr.DataArray, up: str, across: str) -> None:
    for name, set_ticks, set_label in (
        (across, axis.set_xticks, axis.set_xlabel),
        (up, axis.set_yticks, axis.set_ylabel),
    ):
        if name not in median.coords:
            set_ticks([])
            continue
        labels = median[name].values
        step = -(-len(labels) // 10)
        # weights of long axes are seldom round: their digits would run into the next label
        digits = 3 if step > 1 and name.startswith("weight_") else 6
        set_ticks(range(0, len(labels), step), [f"{label:.{digits}g}" for label in labels[::step]])
        set_label(axis_label(median[name].assign_attrs(long_name=words(name))))


def _same_as_best(values: xr.DataArray, up: str, across: str, row: int, column: int) -> NDArray[np.bool_]:
    """Say which cells replicas cannot tell from the best, itself among them: they are compared with it one by one."""
    same = np.zeros((values.sizes[up], values.sizes[across]), dtype=bool)
    if values.sizes.get(REPLICA, 1) > 1:
        best = values.isel({up: row, across: column}, drop=True)
        ratio = median_interval(values / best).transpose(up, across)
        same = np.asarray((ratio["low"] <= 1) & (ratio["high"] >= 1), dtype=bool)
    same[row, column] = True
    return same
