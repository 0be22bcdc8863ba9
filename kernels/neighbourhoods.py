"""Whether every atom around a dislocation has its full neighbourhood, in the lattice and once displaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kernels.dislocated import DislocatedCrystal
from kernels.elastic_fields import Flags, Floats, GeometryError
from kernels.environments import Environments
from kernels.lattices import Structure, structure_named
from kernels.pairs import Integers, Pairs, pairs_within

# Nearer to the line than this many Burgers vectors, but at least bonds, the continuum does not describe the crystal.
CORE = 2.5
# A bond that the displacement changes by more than this share of the nearest neighbours' distance is broken: a missing
# or an extra atom changes some by a Burgers vector, the strain beyond the core by a third of this.
BROKEN = 0.25


def check_coordination(neighbours: Pairs, free: Flags, lattice: Structure) -> None:
    """Count the first and second neighbours of each free site in the lattice.

    Parameters
    ----------
    neighbours : Pairs
        Of all sites, as far as the second shell.
    free : (n,) ndarray of bool
        Sites that are counted for.
    lattice : Structure
        Says how many there are to be.

    Raises
    ------
    GeometryError
        If a free site lacks some, or has too many.
    """
    counts = np.bincount(neighbours.first, minlength=len(free))
    if (wrong := np.flatnonzero(free & (counts != lattice.coordination))).size:
        raise GeometryError(
            f"{wrong.size} free sites, the first at index {wrong[0]}, have {counts[wrong[0]]} first and "
            f"second neighbours where {lattice.name} has {lattice.coordination}; widen the fixed shell"
        )


def check_distances(close: Environments, positions: Floats, what: str) -> None:
    """Look for atoms closer than half the nearest neighbours' distance.

    Parameters
    ----------
    close : Environments
        Of the atoms in question, within that half.
    positions : (n, 3) ndarray
        Å.
    what : str
        Names the configuration in the message.

    Raises
    ------
    GeometryError
        Naming the two nearest.

    Examples
    --------
    >>> from kernels.environments import cylinder_environments
    >>> atoms = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    >>> check_distances(cylinder_environments(atoms, 5.0, 1.25), atoms, "the sample")
    Traceback (most recent call last):
    ...
    kernels.elastic_fields.GeometryError: the sample has atoms 0 and 1 at 1.00 Å, closer than half a bond (1.25 Å)
    """
    if not close.mask.any():
        return
    distances = np.where(close.mask, np.linalg.norm(close.vectors(positions), axis=2), np.inf)
    row, slot = np.unravel_index(np.argmin(distances), distances.shape)
    raise GeometryError(
        f"{what} has atoms {close.centres[row]} and {close.index[row, slot]} at {distances[row, slot]:.2f} Å, "
        f"closer than half a bond ({close.radius:.2f} Å)"
    )


def collapsed_pair(
    positions: Floats, period: float, material: Mapping[str, Any]
) -> tuple[int, int, float] | None:
    """Find the two atoms that came nearest, where that is closer than half the nearest neighbours' distance.

    Parameters
    ----------
    positions : (n, 3) ndarray
        Å.
    period : float
        Along the line, Å.
    material : mapping
        Its ``structure`` and ``lattice_constant`` (Å).

    Returns
    -------
    tuple or None
        Both atoms and their distance, Å.

    Examples
    --------
    >>> atoms = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    >>> collapsed_pair(atoms, 5.0, {"structure": "bcc", "lattice_constant": 3.0})
    (0, 1, 1.0)
    """
    least = 0.5 * structure_named(str(material["structure"])).shells[0] * float(material["lattice_constant"])
    close = pairs_within(positions, period, least)
    if not close.distance.size:
        return None
    worst = int(np.argmin(close.distance))
    return int(close.first[worst]), int(close.second[worst]), float(close.distance[worst])


def check_bonds(
    crystal: DislocatedCrystal, sites: Floats, displacement: Floats, free: Flags, neighbours: Pairs
) -> None:
    """Follow every bond of the lattice into the displaced crystal.

    Across the cut (y = 0, x < 0) the bonds are those of the lattice once its upper half has slipped by the Burgers
    vector: the perfect crystal's again where that is a lattice vector, a stacking fault's where it is not.

    Parameters
    ----------
    crystal : DislocatedCrystal
        The crystal.
    sites, displacement : (n, 3) ndarray
        Å, the line along z through the origin.
    free : (n,) ndarray of bool
        Bonds of these sites are followed; those near the core are left out.
    neighbours : Pairs
        Of all sites, as far as the second shell.

    Raises
    ------
    GeometryError
        If a free site on the cut lacks a nearest neighbour after the slip, or the displacement breaks a bond: as a
        vacancy on the cut would (matscipy issue 265).
    """
    beyond = np.hypot(sites[:, 0], sites[:, 1]) > CORE * max(crystal.nearest, crystal.burgers_length)
    above = crystal.above(sites)
    crossing = (above[neighbours.first] != above[neighbours.second]) & (sites[neighbours.first, 0] < 0.0)
    first, second = neighbours.first[~crossing], neighbours.second[~crossing]
    _check_strains(crystal, first, second, displacement, free & beyond, beyond)

    reach = crystal.lattice.nearest_reach * crystal.lattice_constant
    on_cut = np.flatnonzero((sites[:, 0] < 0.0) & (np.abs(sites[:, 1]) < 2.0 * reach))
    slip = np.outer(above[on_cut], crystal.field.burgers)
    pairs = pairs_within(sites[on_cut] + slip, crystal.period, reach)
    followed = (free & beyond)[on_cut]
    # those further up have neighbours that were not taken here
    counted = followed & (np.abs(sites[on_cut, 1]) < reach)
    counts = np.bincount(pairs.first, minlength=len(on_cut))
    if (wrong := np.flatnonzero(counted & (counts != crystal.lattice.nearest_count))).size:
        raise GeometryError(
            f"{crystal.name}: {wrong.size} free sites on the cut, the first at "
            f"{np.round(sites[on_cut[wrong[0]]], 2).tolist()} Å, have {counts[wrong[0]]} nearest neighbours after the "
            f"slip where {crystal.lattice.name} has {crystal.lattice.nearest_count}; move the core between two planes"
        )
    _check_strains(crystal, pairs.first, pairs.second, displacement[on_cut] - slip, followed, beyond[on_cut])


def _check_strains(
    crystal: DislocatedCrystal,
    first: Integers,
    second: Integers,
    displacement: Floats,
    followed: Flags,
    beyond: Flags,
) -> None:
    kept = followed[first] & beyond[second]
    first, second = first[kept], second[kept]
    changes = np.linalg.norm(displacement[second] - displacement[first], axis=1)
    if (worst := float(np.max(changes, initial=0.0))) > BROKEN * crystal.nearest:
        raise GeometryError(
            f"{crystal.name}: a displacement changes the bond of a free site by {worst:.2f} Å, "
            f"{worst / crystal.nearest:.2f} of the nearest neighbours' distance, as if an atom were missing or too "
            "many there; check the elastic constants"
        )
