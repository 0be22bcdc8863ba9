"""Figures as files: the same data give the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from sweep.figures.style import Picture, drawing

FORMATS = ("svg", "png", "pdf")
# Dots per inch of what has pixels: sharp in print at the figures' own width.
_RESOLUTION = 200
# What a writer would put the time of day into.
_DATES = {"svg": "Date", "pdf": "CreationDate"}


def save(picture: Picture, target: Path | BinaryIO, form: str) -> None:
    """Write a figure, with its title and without a date.

    Parameters
    ----------
    picture
        The figure.
    target
        A file's path, or an open file.
    form
        One of `FORMATS`.
    """
    metadata: dict[str, str | None] = {"Title": picture.title}
    if form in _DATES:
        metadata[_DATES[form]] = None
    # SVG's ids come from a hash whose salt is part of the style
    with drawing():
        picture.figure.savefig(target, format=form, dpi=_RESOLUTION, metadata=metadata)
