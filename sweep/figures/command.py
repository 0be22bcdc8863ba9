"""What `sweep figures` does: open the store, draw, write files, print their paths."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rich.console import Console

from sweep.figures.gallery import pictures
from sweep.figures.saving import FORMATS, save
from sweep.figures.style import Picture
from sweep.location import StoreLike, location_of
from sweep.store import StoreError, open_store

DONE, REFUSED = 0, 2


def write_figures(store: StoreLike, folder: Path | None = None, *, form: str = "svg") -> int:
    """Write every figure that a store has data for, and print the files' paths, one a line.

    Parameters
    ----------
    store
        The store.
    folder
        Where to; made where missing. Beside the store, with ``.figures`` for ``.zarr``, unless given.
    form
        One of `sweep.figures.saving.FORMATS`.

    Returns
    -------
    int
        Exit status: 0, or 2 where nothing can be drawn, after a message on stderr. What cannot be drawn of several
        is said there too.
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    if form not in FORMATS:
        console.print(f"sweep: format {form!r} is not one of {', '.join(FORMATS)}", markup=False)
        return REFUSED
    folder = folder if folder is not None else location_of(store).beside(".figures")
    written = 0
    try:
        for name, picture in pictures(open_store(store), store):
            if isinstance(picture, Picture):
                folder.mkdir(parents=True, exist_ok=True)
                save(picture, folder / f"{name}.{form}", form)
                _say(f"{folder / name}.{form}")
                written += 1
            else:
                console.print(f"sweep: no {name}: {picture}", markup=False)
    # what a damaged chunk raises is the codec's affair
    except (StoreError, OSError, RuntimeError, ValueError) as refusal:
        console.print(f"sweep: {refusal}", markup=False)
        return REFUSED
    return DONE if written else REFUSED


def _say(line: str) -> None:
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever reads has seen enough, as `head` does; the other figures are written all the same
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
