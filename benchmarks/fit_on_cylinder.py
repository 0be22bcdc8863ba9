"""One fit on one cylinder: as its relaxations see it, and as ASE's do."""

from __future__ import annotations

from typing import Any

import numpy as np
from ace_jax import ACECalculator
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.constraints import FixAtoms
from mpi4py import MPI

from kernels.ace import SharedForces, basis_of
from kernels.exported import fitted_basis
from kernels.inputs import load_arrays

# Around the atoms in x and y, Å: nothing sees its image.
VACUUM = 20.0


class FitOnCylinder:
    """Forces of a fit on the free atoms of a reference equilibrium's cylinder, as functions of the corrector.

    Attributes
    ----------
    start : (m, 3) ndarray
        The reference's corrector on the free sites, Å.
    """

    def __init__(self, basis: dict[str, Any], coefficients: np.ndarray, equilibrium: str) -> None:
        self.basis, self.coefficients = basis, np.ascontiguousarray(coefficients)
        self.state = load_arrays(equilibrium)
        self.free = np.flatnonzero(self.state["free"])
        self.placed = self.state["sites"] + self.state["predictor"]
        self.start = self.state["corrector"][self.free]
        self.shared = SharedForces.of(MPI.COMM_SELF, basis_of(basis), equilibrium)

    def positions(self, corrector: np.ndarray) -> np.ndarray:
        """Place all atoms, Å."""
        positions = self.placed.copy()
        positions[self.free] += corrector
        return positions

    def forces(self, corrector: np.ndarray) -> np.ndarray:
        """Evaluate the forces on the free sites, eV/Å."""
        return self.shared.forces(self.coefficients, self.positions(corrector))

    def product(self, corrector: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Apply the fit's Hessian."""
        return self.shared.hessian_product(self.coefficients, self.positions(corrector), direction)

    def atoms(self, calculator: Calculator) -> Atoms:
        """Give ASE's atoms at the start, the shell fixed."""
        positions = self.positions(self.start)
        positions = positions - positions.min(axis=0) + [VACUUM, VACUUM, 0.0]
        cell = [*(positions.max(axis=0)[:2] + VACUUM), float(self.state["period"])]
        atoms = Atoms(
            f"{self.basis['element']}{len(positions)}",
            positions=positions,
            cell=cell,
            pbc=[False, False, True],
        )
        atoms.set_constraint(FixAtoms(np.flatnonzero(~self.state["free"])))
        atoms.calc = calculator
        return atoms

    def own_calculator(self) -> OwnForces:
        """ASE calculator of our own force path."""
        return OwnForces(self)

    def ordinary_calculator(self) -> Counted:
        """ace-jax's ASE calculator with its defaults."""
        return Counted(fitted_basis(self.basis, self.coefficients, 0.0).eval_pair())


class Counted(ACECalculator):
    """ace-jax's calculator, counting its evaluations."""

    def __init__(self, pair: Any) -> None:
        super().__init__(*pair)
        self.evaluations = 0

    def calculate(self, *arguments: Any, **named: Any) -> None:
        """Count, and compute."""
        self.evaluations += 1
        super().calculate(*arguments, **named)


class OwnForces(Calculator):
    """Our own force path as an ASE calculator; one evaluation gives both energy and forces."""

    implemented_properties = ("energy", "free_energy", "forces")

    def __init__(self, fit: FitOnCylinder) -> None:
        super().__init__()
        self._fit, self.evaluations = fit, 0
        # ASE's atoms were moved into their cell
        self._shift: np.ndarray | None = None

    def calculate(
        self, atoms: Atoms | None = None, properties: Any = ("energy",), system_changes: Any = all_changes
    ) -> None:
        """Compute."""
        super().calculate(atoms, properties, system_changes)
        self.evaluations += 1
        fit, shared = self._fit, self._fit.shared
        if self._shift is None:
            self._shift = fit.positions(fit.start)[0] - self.atoms.positions[0]
        # both at the price of one: a line search asks for both
        positions = self.atoms.positions + self._shift
        energies, on_images = shared._evaluated(fit.coefficients, positions)  # noqa: SLF001
        forces = np.zeros_like(self.atoms.positions)
        forces[fit.free] = shared._summed(on_images)  # noqa: SLF001
        energy = float(energies.sum())
        self.results = {"energy": energy, "free_energy": energy, "forces": forces}
