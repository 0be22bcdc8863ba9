"""How figures look: colours that the colour-blind tell apart, type that survives a phone's width."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from sweep.figures.errors import FigureError

#: Okabe and Ito's palette (jfly.uni-koeln.de/color), the colours with contrast on white first.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: A second mark of each line, for those who see no colour at all.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#595959"
#: Sequential, and the same to the colour-blind and in grey print.
COLOUR_MAP = "cividis"

# A figure of this width shrinks to three quarters on a phone: its type is then still of 8 points.
WIDTH, PANEL_HEIGHT = 5.0, 3.4
MOST_PANELS = 4
# More values than this along an axis and their ticks would run into each other.
_MOST_TICKS = 8
_STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.framealpha": 0.8,
    "legend.edgecolor": "none",
    "lines.linewidth": 1.4,
    "lines.markersize": 5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "svg.hashsalt": "farfield",
    "figure.dpi": 100,
}


@dataclass(frozen=True)
class Picture:
    """A figure, and what to tell those who cannot see it.

    Parameters
    ----------
    figure
        The figure.
    title
        What it shows, in a few words.
    alt
        What there is to be seen in it, with numbers.
    """

    figure: Figure
    title: str
    alt: str


@contextmanager
def drawing() -> Iterator[None]:
    """Draw in the project's style, whatever the session's own is."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def panels(count: int, *, height: float = PANEL_HEIGHT, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Make a figure of panels below each other, or in columns where they belong together.

    Raises
    ------
    FigureError
        If there would be more than `MOST_PANELS`.
    """
    if count > MOST_PANELS:
        raise FigureError(f"{count} panels; at most {MOST_PANELS} are drawn: select fewer dislocations")
    rows = -(-count // columns)
    width = WIDTH if columns == 1 else 3.6 * columns
    figure = Figure(figsize=(width, 0.3 + height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for unused in axes[count:]:
        unused.set_axis_off()
    return figure, list(axes[:count])


def footnote(figure: Figure, *notes: str) -> None:
    """Put what a reader must know below a figure: what bars mean, what was left out."""
    width = int(82 * figure.get_figwidth() / WIDTH)
    lines = [line for note in notes if note for line in textwrap.wrap(note, width)]
    figure.supxlabel("\n".join(lines), fontsize=8, color=GREY, x=0.02, ha="left")


def wrapped(title: str, columns: int = 60) -> str:
    """Break a panel's title where the panel ends: after so many characters."""
    return "\n".join(textwrap.wrap(title, columns))


def scale_abscissa(axes: Axes, values: np.ndarray) -> None:
    """Scale the x axis for labels: logarithmic where all are above zero, and nearly so where there is a 0."""
    values = np.unique(values)
    positive = values[values > 0]
    if len(positive) == len(values) and len(values) > 1:
        axes.set_xscale("log")
    elif len(positive) and values[0] == 0:
        axes.set_xscale("symlog", linthresh=float(positive[0]))
    ticks = values if len(values) <= _MOST_TICKS else values[:: -(-len(values) // _MOST_TICKS)]
    axes.xaxis.set_major_locator(FixedLocator(list(map(float, ticks))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def logarithmic_ordinate(axes: Axes, values: np.ndarray) -> None:
    """Make the y axis logarithmic where there is anything above zero, and readable where it spans little."""
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return
    axes.set_yscale("log")
    if positive.max() < 30 * positive.min():
        # less than one and a half decades: a bare 10^-1 would be all that is labelled
        axes.yaxis.set_minor_formatter(FuncFormatter(_few_digits))
        axes.tick_params(axis="y", which="minor", labelsize=8)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _few_digits(value: float, _: int | None) -> str:
    leading = round(value / 10 ** np.floor(np.log10(value)))
    return f"{value:g}" if leading in (2, 5) else ""
