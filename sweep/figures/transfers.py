"""How wrong fits are on dislocations that they were not trained on: trained on, down, against judged on, across."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from sweep.advice.elsewhere import Elsewhere, elsewhere_of
from sweep.advice.errors import AdviceError
from sweep.advice.trials import trials_of
from sweep.figures.errors import FigureError
from sweep.figures.labels import number, sentence, words
from sweep.figures.slices import DISLOCATION
from sweep.figures.style import COLOUR_MAP, Picture, drawing, footnote, panels

CONFIDENCE = 0.95
#: More dislocations than this and the numbers in the cells run into each other.
MOST_DISLOCATIONS = 6


def transfer_matrix(ds: xr.Dataset, error: str = "geometry_error") -> Figure:
    """Draw the errors of fits on every dislocation, over those of fits trained on it.

    Numbers are geometric means over replicas of ratios of errors, linear-response estimates where not both are relaxed,
    with their 95 % intervals. Those none of whose estimates is trusted stand in brackets.

    Parameters
    ----------
    ds
        A store, as `sweep.open_store` or `xarray.open_zarr` gives it.
    error
        Name of the error: of geometry or of energy, relaxed or estimated.

    Raises
    ------
    FigureError
        If the store has no transfers, or too many dislocations for one matrix.
    """
    return picture_of_transfers(ds, error).figure


def picture_of_transfers(ds: xr.Dataset, error: str = "geometry_error") -> Picture:
    """Draw what `transfer_matrix` draws, with its description."""
    try:
        found = [each for each in elsewhere_of(ds, trials_of(ds, error), CONFIDENCE) if each.replicas]
    except AdviceError as refusal:
        raise FigureError(str(refusal)) from refusal
    if not found:
        raise FigureError(f"no fit of this store was judged on another dislocation by its {words(error)}")
    names = [str(name) for name in ds[DISLOCATION].values]
    if len(names) > MOST_DISLOCATIONS:
        raise FigureError(f"{len(names)} dislocations; at most {MOST_DISLOCATIONS} fit: select fewer")
    with drawing():
        figure, (axes,) = panels(1, height=1.2 + 0.7 * len(names))
        _matrix(axes, names, found)
        footnote(
            figure,
            "error (estimated unless relaxed) over that of fits trained on the judged dislocation, all on bulk too",
            "below: 95 % interval over replicas; in brackets: no estimate is trusted",
        )
    title = f"{sentence(words(error))} on other dislocations than those trained on"
    told = " ".join(
        f"Trained on {each.trained}, {each.judged} is {number(each.ratio)} times as wrong{_interval_words(each)}."
        for each in found
    )
    return Picture(figure, title, f"{title}. {told}")


def _matrix(axes: Axes, names: list[str], found: list[Elsewhere]) -> None:
    ratios = np.full((len(names), len(names)), np.nan)
    np.fill_diagonal(ratios, 1.0)
    texts = {(name, name): "1" for name in names}
    for each in found:
        ratios[names.index(each.trained), names.index(each.judged)] = each.ratio
        texts[each.trained, each.judged] = _text(each)
    low, high = min(np.nanmin(ratios), 0.999), max(np.nanmax(ratios), 1.001)
    norm = LogNorm(low, high)
    image = axes.imshow(ratios, cmap=COLOUR_MAP, norm=norm, aspect="auto")
    axes.grid(visible=False)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("judged on")
    axes.set_ylabel("trained on")
    bar = axes.figure.colorbar(image, ax=axes, label="error ratio")
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    bar.ax.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if high < 8 * low else "")
    for (row, column), ratio in np.ndenumerate(ratios):
        if np.isfinite(ratio):
            ink = "white" if norm(ratio) < 0.5 else "black"
            text = texts[names[row], names[column]]
            axes.text(column, row, text, color=ink, ha="center", va="center", fontsize=9)


def _text(found: Elsewhere) -> str:
    text = number(found.ratio)
    if np.isfinite(found.low):
        text += f"\n{number(found.low)}–{number(found.high)}"
    return text if found.trusted else f"({text})"


def _interval_words(found: Elsewhere) -> str:
    doubt = "" if found.trusted else ", by estimates none of which is trusted"
    if not np.isfinite(found.low):
        return doubt
    return f" ({number(found.low)} to {number(found.high)}){doubt}"
