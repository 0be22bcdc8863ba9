"""The Burgers vector of a dislocation by circuits from atom to atom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components
from scipy.spatial import cKDTree

from kernels.dislocated import DislocatedCrystal
from kernels.elastic_fields import Flags, Floats, GeometryError
from kernels.environments import cylinder_environments

Integers = NDArray[np.int64]

# A bond is recognised where it lies nearer to a perfect crystal's than this share of its length. Bonds of a perfect
# crystal lie further apart than twice that.
RECOGNISED = 0.25
# Sums of perfect bonds agree to rounding, or differ by a lattice vector; lattice constants.
SAME = 1e-3
# Circuits run through a ring of atoms this wide, in lattice constants, no nearer to the line than so many Burgers
# vectors: there bonds are strained too much to be recognised.
RING, CLEAR = 2.0, 2.5
# Of a ring's atoms, those at its rim may lack a bond within it, but no more than the rest of this share.
CONNECTED = 0.9


@dataclass(frozen=True)
class _Steps:
    """Steps between neighbouring atoms: first to second, the displaced and the perfect crystal's vector, Å."""

    first: Integers
    second: Integers
    displaced: Floats
    perfect: Floats
    recognised: Flags


def circuit_burgers(
    positions: Floats, above: Flags, period: float, perfect_bonds: Floats, reach: float
) -> Floats:
    """Measure the Burgers vector by circuits around a ring of atoms.

    Every step from an atom to a neighbour is replaced by the perfect crystal's bond nearest to it. Circuits that do
    not enclose the line close; those that do fail to close, by the Burgers vector.

    Parameters
    ----------
    positions : (n, 3) ndarray
        Atoms of a ring around the line, in the crystal that holds the dislocation, Å.
    above : (n,) ndarray of bool
        On which side of the cut (y = 0, x < 0) each belongs. Steps across it close the circuit and are taken as they
        are: it may be a stacking fault.
    period : float
        Along z, Å.
    perfect_bonds : (k, 3) ndarray
        Vectors to nearest neighbours in the perfect crystal, Å, of every kind of site.
    reach : float
        A distance that parts first from second neighbours, Å.

    Returns
    -------
    (3,) ndarray
        Å, with the sign of `kernels.elastic_fields.ElasticField`. Off by as much as a bond across the cut is
        strained.

    Raises
    ------
    GeometryError
        If the ring is not connected, or a circuit that does not enclose the line does not close.

    Notes
    -----
    J. P. Hirth, J. Lothe, *Theory of Dislocations*, 2nd ed., p. 22: the Frank circuit.
    """
    steps = _steps(positions, period, perfect_bonds, reach)
    first, second = steps.first, steps.second
    crossing = (above[first] != above[second]) & (positions[first, 0] + positions[second, 0] < 0.0)
    inside = steps.recognised & ~crossing
    places = _places(len(positions), first[inside], second[inside], steps.perfect[inside])
    walked = places[second] - places[first]
    failure = np.abs(walked - steps.perfect)[inside].max(axis=1)
    if (left_open := np.flatnonzero(failure > SAME * reach)).size:
        atom = positions[first[inside][left_open[0]]]
        raise GeometryError(
            f"a circuit beside the line does not close near {np.round(atom, 2).tolist()} Å: "
            "an atom is missing or there is another dislocation"
        )
    closing = crossing & above[second] & np.isfinite(walked[:, 0])
    if not closing.any():
        raise GeometryError(
            "no atoms stand opposite each other across the cut: the ring around the line is open"
        )
    return np.asarray((steps.displaced - walked)[closing].mean(axis=0))


def check_burgers_vector(
    crystal: DislocatedCrystal, sites: Floats, displacement: Floats, radius: float
) -> None:
    """Compare the Burgers vector by circuits from atom to atom with the one asked for.

    Parameters
    ----------
    crystal : DislocatedCrystal
        The crystal.
    sites, displacement : (n, 3) ndarray
        Å, the line along z through the origin.
    radius : float
        Of the circuits, Å.

    Raises
    ------
    GeometryError
        If they differ, or the circuits do not close beside the line.
    """
    inner = max(radius, CLEAR * crystal.burgers_length)
    away = np.hypot(sites[:, 0], sites[:, 1])
    ring = (away > inner) & (away < inner + RING * crystal.lattice_constant)
    reach = crystal.lattice.nearest_reach * crystal.lattice_constant
    try:
        found = circuit_burgers(
            (sites + displacement)[ring],
            crystal.above(sites)[ring],
            crystal.period,
            crystal.nearest_bonds,
            reach,
        )
    except GeometryError as error:
        raise GeometryError(f"{crystal.name}: {error}") from error
    if float(np.linalg.norm(found - crystal.field.burgers)) > RECOGNISED * crystal.nearest:
        raise GeometryError(
            f"{crystal.name}: circuits at {inner:.1f} Å from the line miss closing by {np.round(found, 3).tolist()} Å, "
            f"where the Burgers vector is {np.round(crystal.field.burgers, 3).tolist()} Å; check the elastic constants"
        )


def _steps(positions: Floats, period: float, perfect_bonds: Floats, reach: float) -> _Steps:
    around = cylinder_environments(positions, period, reach)
    rows, slots = np.nonzero(around.mask)
    second = around.index[rows, slots].astype(np.int64)
    bonds = around.vectors(positions)[rows, slots]
    apart, nearest = cKDTree(perfect_bonds).query(bonds)
    # from atom to atom, not to its image: the period is the same in both crystals
    images = around.shift[rows, slots]
    length = float(np.linalg.norm(perfect_bonds, axis=1).min())
    return _Steps(rows, second, bonds - images, perfect_bonds[nearest] - images, apart < RECOGNISED * length)


def _places(count: int, first: Integers, second: Integers, perfect: Floats) -> Floats:
    """Place every atom by walking perfect steps from one of them, Å; NaN for the few at the rim that none leads to."""
    # of several steps between the same two atoms, over images, one will do
    _, kept = np.unique(first * count + second, return_index=True)
    # steps are named from 1, since 0 is no entry
    numbered = csr_matrix((kept + 1, (first[kept], second[kept])), shape=(count, count))
    _, parts = connected_components(numbered, directed=False)
    largest = np.bincount(parts).argmax()
    together = int(np.sum(parts == largest))
    if together < CONNECTED * count:
        raise GeometryError(
            f"of {count} atoms around the line only {together} hang together by bonds like the perfect crystal's; "
            "enlarge the simulation radius"
        )
    order, before = breadth_first_order(numbered, int(np.argmax(parts == largest)), directed=False)
    places = np.full((count, 3), np.nan)
    places[order[0]] = 0.0
    for atom in order[1:]:
        places[atom] = places[before[atom]] + perfect[numbered[before[atom], atom] - 1]
    return places
