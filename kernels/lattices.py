"""The crystal structures of a study: cubic cells of one element."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FCC_SITES = ((0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))
DIAMOND_SITES = (*FCC_SITES, *((x + 0.25, y + 0.25, z + 0.25) for x, y, z in FCC_SITES))


@dataclass(frozen=True)
class Structure:
    """A cubic crystal of one element; lengths in units of the lattice constant.

    Attributes
    ----------
    name : str
        ``bcc``, ``fcc`` or ``diamond``.
    sites : tuple of (float, float, float)
        Fractional positions in the conventional cell.
    shells : tuple of float
        Distances of the first and the second neighbours.
    third_shell : float
        Distance of the third neighbours.
    coordination : int
        Number of first and second neighbours.
    nearest_count : int
        Number of first neighbours.
    """

    name: str
    sites: tuple[tuple[float, float, float], ...]
    shells: tuple[float, float]
    third_shell: float
    coordination: int
    nearest_count: int

    @property
    def nearest_reach(self) -> float:
        """A distance that parts first from second neighbours."""
        return 0.5 * (self.shells[0] + self.shells[1])

    @property
    def bond_reach(self) -> float:
        """A distance that parts second from third neighbours."""
        return 0.5 * (self.shells[1] + self.third_shell)

    @property
    def has_internal_freedom(self) -> bool:
        """Whether atoms may shift against one another under a homogeneous strain."""
        return self.name == "diamond"


STRUCTURES = {
    "bcc": Structure("bcc", ((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)), (np.sqrt(0.75), 1.0), np.sqrt(2.0), 14, 8),
    "fcc": Structure("fcc", FCC_SITES, (np.sqrt(0.5), 1.0), np.sqrt(1.5), 18, 12),
    "diamond": Structure("diamond", DIAMOND_SITES, (np.sqrt(0.1875), np.sqrt(0.5)), np.sqrt(0.6875), 16, 4),
}


def structure_named(name: str) -> Structure:
    """Look a structure up.

    Raises
    ------
    ValueError
        Naming the known ones, if it is none of them.
    """
    if name not in STRUCTURES:
        raise ValueError(f"structure {name!r}: known are {', '.join(STRUCTURES)}")
    return STRUCTURES[name]


def conventional_crystal(
    structure: str, lattice_constant: float, cells: tuple[int, int, int] = (1, 1, 1)
) -> tuple[Floats, Floats]:
    """Repeat the conventional cubic cell.

    Parameters
    ----------
    structure : str
        ``bcc``, ``fcc`` or ``diamond``.
    lattice_constant : float
        Å.
    cells : (int, int, int)
        Repetitions along x, y and z.

    Returns
    -------
    positions : (n, 3) ndarray
        Å.
    cell : (3, 3) ndarray
        Rows are the cell's vectors, Å.

    Raises
    ------
    ValueError
        If the structure is not known.

    Examples
    --------
    >>> positions, cell = conventional_crystal("bcc", 3.0, (1, 1, 2))
    >>> len(positions), np.diag(cell).tolist()
    (4, [3.0, 3.0, 6.0])
    """
    sites = np.array(structure_named(structure).sites)
    corners = np.array(list(np.ndindex(*cells)), dtype=float)
    positions = lattice_constant * (corners[:, None, :] + sites[None, :, :]).reshape(-1, 3)
    return positions, lattice_constant * np.diag(np.array(cells, dtype=float))
