"""What a reference potential makes of its perfect crystal: lattice constant, elastic constants, energy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from ase.data import atomic_masses, atomic_numbers, covalent_radii, reference_states
from ase.units import GPa
from scipy.optimize import brentq

from kernels.evaluations import VOIGT, Evaluation, Floats, Reference
from kernels.lattices import Structure, conventional_crystal, structure_named
from kernels.references import open_reference

# The root of the pressure is looked for in brackets of these half-widths, relative to the first guess.
BRACKETS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
LATTICE_TOLERANCE = 1e-9  # Å
# Central differences: the error is of the order of its square, 1e-6 relative.
STRAIN = 1e-3
# Atoms shifted against one another by a strain are relaxed to this force, eV/Å.
INTERNAL_FORCE = 1e-9
ATOMS_IN_CUBE = {"bcc": 2, "fcc": 4, "diamond": 8}


class MaterialError(ValueError):
    """A potential under which the crystal asked for is not one that a study can use."""


def bulk_properties(comm: Any, potential: Mapping[str, Any], structure: str) -> dict[str, Any]:
    """Measure a perfect crystal: also the trial of whether a potential is usable.

    The lattice constant is the root of the pressure; elastic constants are central differences of the stress
    with strain 1e-3, internal coordinates relaxed where the structure has them (diamond).

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        Every rank calls with the same arguments.
    potential : mapping
        See `kernels.references.open_reference`.
    structure : str
        ``bcc``, ``fcc`` or ``diamond``.

    Returns
    -------
    dict
        ``element``, ``structure``, ``lattice_constant`` (Å), ``C11``, ``C12``, ``C44`` (GPa),
        ``energy_per_atom`` (eV), ``cutoff`` (the potential's, Å) and ``mass`` (atomic mass units).

    Raises
    ------
    PotentialError
        If the potential is refused or its energies are not numbers.
    MaterialError
        If no lattice constant has zero pressure, or the crystal is not stable there.
    """
    lattice = structure_named(structure)
    number = atomic_numbers.get(potential.get("element", ""), 0)
    with open_reference(comm, potential) as reference:
        lattice_constant = _lattice_constant(reference, lattice, _first_guess(number, lattice))
        c11, c12, c44 = _elastic_constants(reference, lattice, lattice_constant)
        energies = _strained(reference, lattice, lattice_constant, np.eye(3))[0].site_energies
        _check_stability(potential, lattice, lattice_constant, (c11, c12, c44))
        return {
            "element": potential["element"],
            "structure": structure,
            "lattice_constant": lattice_constant,
            "C11": c11,
            "C12": c12,
            "C44": c44,
            "energy_per_atom": math.fsum(energies) / len(energies),
            "cutoff": reference.cutoff,
            "mass": float(atomic_masses[number]),
        }


def _first_guess(number: int, lattice: Structure) -> float:
    """Guess a lattice constant from the volume of the element's own crystal, or from covalent radii, Å."""
    state = reference_states[number] or {}
    symmetry = state.get("symmetry")
    if symmetry in ATOMS_IN_CUBE:
        volume = state["a"] ** 3 / ATOMS_IN_CUBE[symmetry]
    elif symmetry == "hcp":
        volume = np.sqrt(0.75) * state["a"] ** 3 * state["c/a"] / 2
    else:
        return float(2.0 * covalent_radii[number] / lattice.shells[0])
    return float((volume * len(lattice.sites)) ** (1 / 3))


def _lattice_constant(reference: Reference, lattice: Structure, guess: float) -> float:
    def pressure(lattice_constant: float) -> float:
        stress = _stress(*_strained(reference, lattice, lattice_constant, np.eye(3)))
        return float(-np.mean(stress[:3]))

    for width in BRACKETS:
        shortest, longest = guess * (1 - width), guess * (1 + width)
        # positive below and negative above: a minimum of the energy, not a maximum
        if pressure(shortest) > 0.0 > pressure(longest):
            return float(brentq(pressure, shortest, longest, xtol=LATTICE_TOLERANCE, rtol=1e-14))
    raise MaterialError(
        f"{lattice.name}: no lattice constant between {guess * (1 - BRACKETS[-1]):.2f} and "
        f"{guess * (1 + BRACKETS[-1]):.2f} Å has zero pressure under this potential; check the structure "
        "and that the potential describes this element"
    )


def _strained(
    reference: Reference, lattice: Structure, lattice_constant: float, deformation: Floats
) -> tuple[Evaluation, float]:
    """Evaluate the conventional cell under a deformation gradient; also its volume, Å³."""
    positions, cell = conventional_crystal(lattice.name, lattice_constant)
    positions, cell = positions @ deformation.T, cell @ deformation.T
    system = reference.crystal(positions, cell)
    if lattice.has_internal_freedom:
        free = np.ones(len(positions), dtype=bool)
        positions = system.minimise(positions, free, INTERNAL_FORCE, 1000).positions
    return system.evaluate(positions), float(np.linalg.det(cell))


def _stress(evaluation: Evaluation, volume: float) -> Floats:
    """Cauchy stress in the order of `VOIGT`, GPa."""
    return -evaluation.virial / volume / float(GPa)


def _elastic_constants(
    reference: Reference, lattice: Structure, lattice_constant: float
) -> tuple[float, float, float]:
    def slope(component: int) -> Floats:
        row, column = VOIGT[component]
        strain = np.zeros((3, 3))
        # the engineering strain of a shear is twice the tensor's entry
        strain[row, column] = strain[column, row] = STRAIN if row == column else STRAIN / 2
        ahead, behind = (
            _stress(*_strained(reference, lattice, lattice_constant, np.eye(3) + sign * strain))
            for sign in (1.0, -1.0)
        )
        return (ahead - behind) / (2 * STRAIN)

    along_x, shear_yz = slope(0), slope(3)
    return float(along_x[0]), float(along_x[1]), float(shear_yz[3])


def _check_stability(
    potential: Mapping[str, Any],
    lattice: Structure,
    lattice_constant: float,
    constants: tuple[float, float, float],
) -> None:
    c11, c12, c44 = constants
    if not (c11 > abs(c12) and c44 > 0.0 and c11 + 2 * c12 > 0.0):
        raise MaterialError(
            f"{lattice.name} {potential['element']} is not stable under {potential['pair_style']!r} at "
            f"{lattice_constant:.4f} Å: C11 = {c11:.1f}, C12 = {c12:.1f}, C44 = {c44:.1f} GPa; "
            "choose the potential's own structure"
        )
