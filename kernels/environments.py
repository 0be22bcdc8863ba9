"""Environments of chosen sites as dense neighbour matrices, for clamped cylinders and for periodic cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matscipy.neighbours import neighbour_list
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Slots per site come in multiples of this, so that environments of nearly one size share one array shape.
SLOT_MULTIPLE = 8
# Empty space around a cylinder in x and y, Å: only there to give the neighbour search a box.
VACUUM = 10.0


class NeighbourError(ValueError):
    """A neighbour search that cannot be made, with what is wrong."""


@dataclass(frozen=True)
class Environments:
    """The neighbours of S sites within a radius, padded to K slots a site.

    Attributes
    ----------
    centres : (S,) int
        Atoms whose neighbours these are, each once.
    index : (S, K) int32
        Atom in each slot; 0 in empty ones.
    shift : (S, K, 3)
        Lattice translation of the neighbour's image, Å: it stays while atoms move.
    mask : (S, K) bool
        Whether a slot is filled.
    radius : float
        Å. Pairs that have since moved beyond a potential's cutoff remain: the potential must vanish there.
    """

    centres: Integers
    index: NDArray[np.int32]
    shift: Floats
    mask: NDArray[np.bool_]
    radius: float

    def vectors(self, positions: Floats) -> Floats:
        """Take the vectors from each centre to its neighbours.

        Parameters
        ----------
        positions : (n, 3)
            Of every atom, Å; atoms may have moved, but not been wrapped, since the search.

        Returns
        -------
        (S, K, 3) ndarray
            Å; meaningless in empty slots.
        """
        return np.asarray(positions[self.index] + self.shift - positions[self.centres][:, None], dtype=float)


def cylinder_environments(
    positions: Floats, period: float, radius: float, centres: Integers | None = None
) -> Environments:
    """Find neighbours in a cylinder periodic along z only; its period may be shorter than the radius.

    Parameters
    ----------
    positions : (n, 3)
        Å.
    period : float
        Repeat along z, Å.
    radius : float
        Å: a cutoff, plus a skin where atoms will move.
    centres : (S,) int, optional
        Atoms whose neighbours are wanted, in this order; every atom by default.

    Returns
    -------
    Environments
        An atom is its own neighbour through its images along the line.

    Raises
    ------
    NeighbourError
        If a length is not positive or a position is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> chain = cylinder_environments(np.zeros((1, 3)), period=1.0, radius=2.5)
    >>> int(chain.mask.sum())
    4
    """
    check_search(positions, radius)
    if not period > 0.0:
        raise NeighbourError(f"the period along the line is {period} Å; it must be positive")
    low = positions.min(axis=0) - VACUUM
    extent = positions.max(axis=0) - low + VACUUM
    cell = np.diag([extent[0], extent[1], period])
    origin = np.array([low[0], low[1], 0.0])
    return _search(positions, cell, np.array([False, False, True]), origin, radius, centres)


def cell_environments(
    positions: Floats, cell: Floats, radius: float, centres: Integers | None = None
) -> Environments:
    """Find neighbours in a periodic cell of any shape; it may be smaller than the radius.

    Parameters
    ----------
    positions : (n, 3)
        Å.
    cell : (3, 3)
        Cell vectors as rows, Å.
    radius : float
        Å.
    centres : (S,) int, optional
        Atoms whose neighbours are wanted, in this order; every atom by default.

    Returns
    -------
    Environments
        Images included.

    Raises
    ------
    NeighbourError
        If the cell has no volume, the radius is not positive or a position is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> int(cell_environments(np.zeros((1, 3)), 2.0 * np.eye(3), radius=2.1).mask.sum())
    6
    """
    check_search(positions, radius)
    vectors = np.asarray(cell, dtype=float)
    if not abs(float(np.linalg.det(vectors))) > 0.0:
        raise NeighbourError(f"the cell {vectors.tolist()} has no volume")
    return _search(positions, vectors, np.ones(3, dtype=bool), np.zeros(3), radius, centres)


def check_search(positions: Floats, radius: float) -> None:
    """Refuse positions and a radius of which no neighbours can be found.

    Parameters
    ----------
    positions : (n, 3)
        Å.
    radius : float
        Å.

    Raises
    ------
    NeighbourError
        If the radius is not positive or a position is not finite; it names the first such atom.
    """
    if not radius > 0.0:
        raise NeighbourError(f"the neighbour radius is {radius} Å; it must be positive")
    if not np.isfinite(positions).all():
        atom = int(np.flatnonzero(~np.isfinite(positions).all(axis=1))[0])
        raise NeighbourError(f"the position of atom {atom} is {positions[atom].tolist()}: not finite")


def _search(
    positions: Floats,
    cell: Floats,
    periodic: NDArray[np.bool_],
    origin: Floats,
    radius: float,
    centres: Integers | None,
) -> Environments:
    # the search wants atoms inside the cell; what wrapping moved comes back with the shifts
    fractional = np.linalg.solve(cell.T, (positions - origin).T).T
    turns = np.where(periodic, np.floor(fractional), 0.0)
    wrapped = positions - origin - turns @ cell
    first, second, images = neighbour_list("ijS", positions=wrapped, cell=cell, pbc=periodic, cutoff=radius)
    shifts = (images + turns[first] - turns[second]) @ cell
    chosen = np.arange(len(positions)) if centres is None else np.asarray(centres, dtype=np.int64)
    row_of = np.full(len(positions), -1, dtype=np.int64)
    row_of[chosen] = np.arange(len(chosen))
    rows = row_of[first]
    kept = np.flatnonzero(rows >= 0)
    kept = kept[np.argsort(rows[kept], kind="stable")]
    return _matrices(rows[kept], second[kept], shifts[kept], chosen, radius)


def _matrices(
    rows: Integers, neighbours: Integers, shifts: Floats, centres: Integers, radius: float
) -> Environments:
    """Fill dense matrices from pairs sorted by row."""
    counts = np.bincount(rows, minlength=len(centres))
    most = int(counts.max(initial=1))
    slots = -(-most // SLOT_MULTIPLE) * SLOT_MULTIPLE
    slot = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    index = np.zeros((len(centres), slots), dtype=np.int32)
    shift = np.zeros((len(centres), slots, 3))
    mask = np.zeros((len(centres), slots), dtype=bool)
    index[rows, slot], shift[rows, slot], mask[rows, slot] = neighbours, shifts, True
    return Environments(centres, index, shift, mask, radius)
