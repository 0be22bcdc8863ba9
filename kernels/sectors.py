"""A rank's share of a clamped cylinder: its sites, and every atom near them laid out once an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from kernels.environments import check_search, cylinder_environments

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Neighbours are searched for this many sites at a time: the search's own arrays are then smaller than its result.
SITES_PER_SEARCH = 8192
# Images come in multiples of this: an evaluation compiles for each shape, and a new list rarely needs a new one.
IMAGES_STEP = 512


@dataclass(frozen=True, eq=False)
class Sector:
    """Sites, and the images of atoms within a radius of one; the first S images are the sites themselves.

    Attributes
    ----------
    sites : (S,) int
        Atoms whose neighbours these are, each once.
    owners : (M,) int
        Atom of which each image is one.
    shifts : (M,)
        What an image is displaced by along the line, Å.
    padding : int
        How many images, at the end, are there for the shape alone.
    neighbours : (K, S) int32, a JAX array
        Image in each slot; -1 in empty ones, which come last.
    counts : (S,) int32, a JAX array
        Filled slots.
    """

    sites: Integers
    owners: Integers
    shifts: Floats
    padding: int
    neighbours: Any
    counts: Any

    def images(self, positions: Floats) -> Floats:
        """Positions (M, 3) of the images, Å, from those of all atoms, which may have moved since the search."""
        found = np.take(positions, self.owners, axis=0)
        found[:, 2] += self.shifts
        return found

    def onto(self, atoms: Integers, count: int) -> csr_matrix:
        """(len(atoms), M) matrix that sums what images carry into some of `count` atoms."""
        real = len(self.owners) - self.padding
        row_of = np.full(count, -1, dtype=np.int64)
        row_of[atoms] = np.arange(len(atoms))
        rows = row_of[self.owners[:real]]
        columns = np.flatnonzero(rows >= 0)
        shape = (len(atoms), len(self.owners))
        return csr_matrix((np.ones(len(columns)), (rows[columns], columns)), shape=shape)


def sector_of(positions: Floats, period: float, radius: float, sites: Integers) -> Sector:
    """Find the images within a radius of sites in a cylinder periodic along z.

    Parameters
    ----------
    positions : (n, 3)
        Of all atoms, Å.
    period : float
        Repeat along the line, Å.
    radius : float
        Å: a cutoff, plus a skin where atoms will move.
    sites : (S,) int
        Each once, in the order wanted.

    Returns
    -------
    Sector
        Its memory, and that of the search, goes with the sites and not with n.

    Raises
    ------
    NeighbourError
        If a length is not positive or a position is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> chain = sector_of(np.zeros((1, 3)), period=1.0, radius=2.5, sites=np.array([0]))
    >>> chain.shifts[: 1 + int(chain.counts[0])].tolist()
    [0.0, -2.0, -1.0, 1.0, 2.0]
    """
    check_search(positions, radius)
    # an image is known by one number: its atom, and how many periods away it is
    furthest = int(np.ceil((radius + np.ptp(positions[:, 2], axis=0)) / period)) + 1
    parts = [
        _searched(positions, period, radius, furthest, sites[start : start + SITES_PER_SEARCH])
        for start in range(0, len(sites), SITES_PER_SEARCH)
    ]
    span = 2 * furthest + 1
    home = sites * span + furthest
    seen = [np.unique(keys[keys >= 0]) for keys in parts]
    known = np.concatenate([home, np.setdiff1d(np.concatenate(seen), home) if seen else home[:0]])
    padding = -len(known) % IMAGES_STEP
    nothing = np.zeros(padding, dtype=np.int64)
    neighbours = _numbered(parts, known, len(sites))
    return Sector(
        sites=sites,
        owners=np.concatenate([known // span, nothing]),
        shifts=np.concatenate([(known % span - furthest) * period, nothing]),
        padding=padding,
        neighbours=jnp.asarray(neighbours),
        counts=jnp.asarray((neighbours >= 0).sum(axis=0), dtype=jnp.int32),
    )


def _searched(positions: Floats, period: float, radius: float, furthest: int, sites: Integers) -> Integers:
    """(K, s) numbers by which neighbours' images are known; -1 in empty slots."""
    across, _ = cKDTree(positions[sites, :2]).query(positions[:, :2], distance_upper_bound=1.01 * radius)
    near = np.flatnonzero(np.isfinite(across))
    around = cylinder_environments(positions[near], period, radius, np.searchsorted(near, sites))
    turns = np.rint(around.shift[..., 2] / period).astype(np.int64) + furthest
    keys = near[around.index] * (2 * furthest + 1) + turns
    return np.where(around.mask, keys, -1).T


def _numbered(parts: list[Integers], known: Integers, sites: int) -> NDArray[np.int32]:
    """(K, S) places in `known` of the images of all parts; -1 in empty slots."""
    order = np.argsort(known)
    neighbours = np.full((max((len(keys) for keys in parts), default=0), sites), -1, dtype=np.int32)
    done = 0
    for keys in parts:
        part = neighbours[: len(keys), done : done + keys.shape[1]]
        filled = keys >= 0
        part[filled] = order[np.searchsorted(known, keys[filled], sorter=order)]
        done += keys.shape[1]
    return neighbours


def sites_reaching(positions: Floats, period: float, free: NDArray[np.bool_], distance: float) -> Integers:
    """Find the sites nearer than a distance to a free atom, and the free ones.

    Parameters
    ----------
    positions : (n, 3)
        Å.
    period, distance : float
        Å.
    free : (n,) bool
        Atoms that move.

    Returns
    -------
    (m,) ndarray of int
        Ascending.

    Raises
    ------
    NeighbourError
        If the distance is not positive or a position is not finite.
    """
    check_search(positions, distance)
    reached = free.copy()
    if free.any():
        wrapped = positions.copy()
        wrapped[:, 2] %= period
        # rounding takes what lies just below 0 to the period itself, which the tree refuses
        wrapped[wrapped[:, 2] >= period, 2] = 0.0
        fixed = np.flatnonzero(~free)
        tree = cKDTree(wrapped[free], boxsize=[0.0, 0.0, period])
        away, _ = tree.query(wrapped[fixed], distance_upper_bound=distance)
        reached[fixed[np.isfinite(away)]] = True
    return np.flatnonzero(reached)
