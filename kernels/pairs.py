"""Pairs of nearby atoms in a cylinder that is periodic along its axis."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matscipy.neighbours import neighbour_list
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Pairs(NamedTuple):
    """Ordered pairs: each pair of atoms appears from both ends, once for every image in reach."""

    first: Integers
    second: Integers
    distance: Floats


def pairs_within(positions: Floats, period: float, reach: float) -> Pairs:
    """Find all pairs of atoms nearer than `reach`, images along z included.

    Parameters
    ----------
    positions : (n, 3) ndarray
        Å; x and y are not periodic.
    period : float
        Along z, Å.
    reach : float
        Å; it may exceed the period, so that an atom pairs with its own images.

    Returns
    -------
    Pairs
        Sorted by first.

    Examples
    --------
    >>> pairs = pairs_within(np.array([[0.0, 0.0, 0.1], [0.0, 1.0, 2.9]]), 3.0, 1.5)
    >>> pairs.first.tolist(), pairs.second.tolist(), pairs.distance.round(3).tolist()
    ([0, 1], [1, 0], [1.02, 1.02])
    """
    origin = positions.min(axis=0)
    # edges that fit the atoms: the search bins by the cell, and a small one would be slow
    edges = positions.max(axis=0) - origin + 1.0
    edges[2] = period
    origin[2] = 0.0
    first, second, distance = neighbour_list(
        "ijd",
        positions=positions - origin,
        cell=np.diag(edges),
        pbc=np.array([False, False, True]),
        cutoff=float(reach),
    )
    return Pairs(first.astype(np.int64), second.astype(np.int64), distance)
