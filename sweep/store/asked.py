"""Which points of a store its study asks for, where it lists them: the others are not asked for, never pending."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from sweep.grid import Block, Grid
from sweep.grid.dimensions import BLOCK_DIMENSIONS
from sweep.location import StoreLike, location_of
from sweep.store.layout import Layout, layout_of
from sweep.store.root import open_root
from sweep.store.template import consolidate
from sweep.variables import VARIABLE_OF, Status

#: Root attribute of a store whose study lists its points, or once did.
LISTED = "listed"


def mark_asked(path: StoreLike, grid: Grid, study: str) -> int:
    """Mark the points that a study does not ask for, and those that it asks for now as pending.

    A point that has come to anything keeps what it has, asked for or not. Marking again changes nothing. Only the
    driver may call this, under its lock.

    Parameters
    ----------
    path
        The store.
    grid
        The study's grid.
    study
        The study's text, which takes the place of the earlier one.

    Returns
    -------
    int
        Number of points whose status changed.

    Raises
    ------
    StoreError
        As `sweep.open_store`.
    OSError
        If the disk refuses.
    """
    root = open_root(path, "r+")
    if grid.listed is None and not root.attrs.get(LISTED):
        return 0
    arrays: dict[str, Any] = dict(root.arrays())
    layout, status = layout_of(arrays), arrays["status"]
    changed = 0
    counts = [math.ceil(length / size) for length, size in zip(layout.shape, layout.chunk, strict=True)]
    for chunk in itertools.product(*map(range, counts)):
        region = layout.region(chunk)
        old = np.asarray(status[region])
        asked = _asked(layout, grid, region)
        new = np.where(asked & (old == Status.not_asked), np.uint8(Status.pending), old)
        new = np.where(~asked & (old == Status.pending), np.uint8(Status.not_asked), new)
        if differ := int((new != old).sum()):
            status[region] = new
            changed += differ
    if changed or root.attrs["study"] != study:
        # a store of an earlier version does not know the flag
        status.attrs.update(VARIABLE_OF["status"].attributes)
        root.attrs.update({LISTED: 1, "study": study})
        location = location_of(path)
        location.sync_all()
        consolidate(location)
    return changed


def _asked(layout: Layout, grid: Grid, region: tuple[slice, ...]) -> np.ndarray:
    """Say which points of a part of the store are asked for."""
    names = [name for name in layout.labels if name in BLOCK_DIMENSIONS]
    shape = [len(range(*part.indices(length))) for part, length in zip(region, layout.shape, strict=True)]
    labels = [layout.labels[name][part] for name, part in zip(names, region, strict=False)]
    masks = [grid.asked(Block(**dict(zip(names, each, strict=True)))) for each in itertools.product(*labels)]
    return np.array(masks).reshape(shape)
