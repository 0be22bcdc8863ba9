"""What a reference potential makes of its perfect crystal: lattice constant, elastic constants, energy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from ase.data import atomic_masses, atomic_numbers, covalent_radii, reference_states
from ase.units import GPa
from scipy.optimize import brentq

from kernels.elastic_fields import is_stable
from kernels.evaluations import VOIGT, Evaluation, Floats, Reference
from kernels.lattices import Structure, conventional_crystal, structure_named
from kernels.references import name_of, open_reference

# The root of the pressure is looked for in brackets of these half-widths, relative to the first guess.
BRACKETS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
LATTICE_TOLERANCE = 1e-9  # Å
# Central differences: the error is of the order of its square, 1e-6 relative.
STRAIN = 1e-3
# Atoms shifted against one another by a strain are relaxed to this force, eV/Å.
INTERNAL_FORCE = 1e-9
# Sublattices are shifted by this to see whether they are driven back, Å.
SHIFT = 1e-3
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
        ``energy_per_atom`` (eV), ``cutoff`` (the potential's, Å) and ``mass`` (atomic mass units). For diamond also
        ``internal_shift``, by which the sublattice at ¼[111] shifts along x against the other under a shear γ_yz, Å.

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
        refusal = f"{structure} {potential['element']} is not stable under {name_of(potential)} at "
        refusal += f"{lattice_constant:.4f} Å"
        if lattice.has_internal_freedom:
            _check_internal_stiffness(reference, lattice, lattice_constant, refusal)
        (c11, c12, c44), shift = _elastic_response(reference, lattice, lattice_constant)
        _check_stability(refusal, (c11, c12, c44))
        energies = _strained(reference, lattice, lattice_constant, np.eye(3)).evaluation.site_energies
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
            **({"internal_shift": shift} if lattice.has_internal_freedom else {}),
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
        return float(-np.mean(_strained(reference, lattice, lattice_constant, np.eye(3)).stress[:3]))

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


class _Strained(NamedTuple):
    """The conventional cell under a deformation, its atoms relaxed where the structure lets them shift."""

    evaluation: Evaluation
    volume: float
    shift: Floats

    @property
    def stress(self) -> Floats:
        """Cauchy stress in the order of `VOIGT`, GPa."""
        return -self.evaluation.virial / self.volume / float(GPa)


def _strained(
    reference: Reference, lattice: Structure, lattice_constant: float, deformation: Floats
) -> _Strained:
    positions, cell = conventional_crystal(lattice.name, lattice_constant)
    positions, cell = positions @ deformation.T, cell @ deformation.T
    system = reference.crystal(positions, cell)
    relaxed = positions
    if lattice.has_internal_freedom:
        free = np.ones(len(positions), dtype=bool)
        relaxed = system.minimise(positions, free, INTERNAL_FORCE, 1000).positions
    moved = relaxed - positions
    half = len(positions) // 2
    shift = moved[half:].mean(axis=0) - moved[:half].mean(axis=0)
    return _Strained(system.evaluate(relaxed), float(np.linalg.det(cell)), shift)


def _elastic_response(
    reference: Reference, lattice: Structure, lattice_constant: float
) -> tuple[tuple[float, float, float], float]:
    """C11, C12 and C44, GPa, and the shift of the sublattices along x for a shear γ_yz, Å."""

    def slopes(component: int) -> tuple[Floats, Floats]:
        row, column = VOIGT[component]
        strain = np.zeros((3, 3))
        # the engineering strain of a shear is twice the tensor's entry
        strain[row, column] = strain[column, row] = STRAIN if row == column else STRAIN / 2
        ahead, behind = (
            _strained(reference, lattice, lattice_constant, np.eye(3) + sign * strain) for sign in (1.0, -1.0)
        )
        return (ahead.stress - behind.stress) / (2 * STRAIN), (ahead.shift - behind.shift) / (2 * STRAIN)

    along_x, shear_yz = slopes(0)[0], slopes(3)
    return (float(along_x[0]), float(along_x[1]), float(shear_yz[0][3])), float(shear_yz[1][0])


def _check_internal_stiffness(
    reference: Reference, lattice: Structure, lattice_constant: float, refusal: str
) -> None:
    """Refuse a crystal whose sublattices are not driven back when shifted against one another."""
    positions, cell = conventional_crystal(lattice.name, lattice_constant)
    half = len(positions) // 2
    system = reference.crystal(positions, cell)
    positions[half:, 0] += SHIFT
    stiffness = -float(system.evaluate(positions).forces[half:, 0].mean()) / SHIFT
    if not stiffness > 0.0:
        raise MaterialError(
            f"{refusal}: its two sublattices shift against one another by themselves (stiffness {stiffness:.2g} "
            "eV/Å² an atom); choose the potential's own structure"
        )


def _check_stability(refusal: str, constants: tuple[float, float, float]) -> None:
    c11, c12, c44 = constants
    if not is_stable(c11, c12, c44):
        raise MaterialError(
            f"{refusal}: C11 = {c11:.1f}, C12 = {c12:.1f}, C44 = {c44:.1f} GPa; choose the potential's own structure"
        )
