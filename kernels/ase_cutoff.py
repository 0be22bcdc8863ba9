"""How far a calculator's atoms feel one another, found out by asking it."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii, reference_states

from kernels.evaluations import Floats, PotentialError
from kernels.lattices import conventional_crystal

# Two atoms further apart than this are not looked at, Å, nor are changes beyond it in a cluster.
FURTHEST = 14.0
# Coarse and fine steps of the distance between two atoms, Å.
COARSE, FINE = 0.25, 1e-3
# Added to what was measured, Å: a smooth cutoff is felt only a little inside of it.
MARGIN = 0.05
# Forces of two atoms that feel one another, eV/Å.
FELT = 1e-10
# Displacement of the atom at the middle of a cluster, Å, and the share of the largest change that counts as one.
MOVED, SHARE = 0.05, 1e-8


def measured_cutoff(calculator: Any, element: str) -> float:
    """Measure the distance beyond which an atom does not change another's site energy.

    Two tests, and the larger answer: how far two atoms alone act on one another, and how far from an atom that
    is displaced in a cluster of crystal site energies change (half as far as forces do, where the calculator
    has no energies per site: a force feels what shares a site's energy with its atom). The second sees what travels
    through atoms in between, as in message-passing potentials.

    Parameters
    ----------
    calculator : ase.calculators.calculator.Calculator
        Forces must be exactly local: in double precision, with a finite range.
    element : str
        Chemical symbol.

    Returns
    -------
    float
        Å.

    Raises
    ------
    PotentialError
        If there is no end to it within `FURTHEST`.

    Examples
    --------
    >>> from ase.calculators.lj import LennardJones
    >>> 8.5 < measured_cutoff(LennardJones(sigma=3.4, epsilon=0.01, rc=8.5), "Ar") < 8.6
    True
    """
    return _reach_in_a_cluster(calculator, element, _range_of_two(calculator, element)) + MARGIN


def _range_of_two(calculator: Any, element: str) -> float:
    def felt(distance: float) -> bool:
        pair = _atoms(element, np.array([[0.0, 0.0, 0.0], [distance, 0.0, 0.0]]))
        return bool(np.abs(calculator.get_property("forces", pair)).max() > FELT)

    if felt(FURTHEST):
        raise _endless(f"two atoms feel one another at {FURTHEST} Å")
    far = FURTHEST
    while far > COARSE and not felt(far - COARSE):
        far -= COARSE
    near = far - COARSE
    while far - near > FINE:
        middle = 0.5 * (near + far)
        near, far = (middle, far) if felt(middle) else (near, middle)
    return far


def _reach_in_a_cluster(calculator: Any, element: str, least: float) -> float:
    """Distance beyond which a displaced atom changes no site energy; at least that of two atoms, Å."""
    cluster = _cluster(element)
    distances = np.linalg.norm(cluster.positions, axis=1)
    per_site = "energies" in calculator.implemented_properties
    before, after = _seen(calculator, cluster, per_site), _seen(calculator, _displaced(cluster), per_site)
    changes = np.abs(after - before).reshape(len(cluster), -1).max(axis=1)
    changed = changes > SHARE * changes.max()
    reach = float(distances[changed].max(initial=0.0))
    if reach > FURTHEST - 2.0:
        raise _endless(f"an atom's displacement is felt {reach:.1f} Å away")
    steps = 1 if per_site else 2
    if reach <= steps * least:
        return least
    # through atoms in between: up to the next shell of the crystal it cannot be told
    return float(distances[distances > reach + 1e-3].min()) / steps


def _cluster(element: str) -> Atoms:
    """Cut a ball of the element's own crystal where that is cubic, of fcc otherwise, about one of its atoms."""
    state = reference_states[atomic_numbers[element]] or {}
    structure = str(state.get("symmetry"))
    bond = 2.0 * covalent_radii[atomic_numbers[element]]
    if structure not in ("bcc", "fcc", "diamond"):
        structure, lattice_constant = "fcc", float(np.sqrt(2.0) * bond)
    else:
        lattice_constant = float(state["a"])
    repeats = 2 * int(np.ceil(FURTHEST / lattice_constant)) + 1
    positions, _ = conventional_crystal(structure, lattice_constant, (repeats, repeats, repeats))
    positions -= positions[np.argmin(np.linalg.norm(positions - positions.mean(axis=0), axis=1))]
    inside = positions[np.linalg.norm(positions, axis=1) < FURTHEST]
    return _atoms(element, inside)


def _atoms(element: str, positions: Floats) -> Atoms:
    # some calculators want a cell around all atoms even where nothing is periodic
    return Atoms(f"{element}{len(positions)}", positions=positions, cell=np.eye(3) * 4 * FURTHEST, pbc=False)


def _displaced(cluster: Atoms) -> Atoms:
    displaced = cluster.copy()
    middle = int(np.argmin(np.linalg.norm(cluster.positions, axis=1)))
    displaced.positions[middle] += MOVED * np.array([0.36, 0.48, 0.8])
    return displaced


def _seen(calculator: Any, atoms: Atoms, per_site: bool) -> Floats:
    return np.array(calculator.get_property("energies" if per_site else "forces", atoms), dtype=float)


def _endless(found: str) -> PotentialError:
    return PotentialError(f"its cutoff cannot be measured: {found}; give `cutoff` beside the calculator")
