"""What every reference must do, whichever program evaluates it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mpi4py import MPI
from scipy.spatial.transform import Rotation

from kernels.evaluations import VOIGT, Evaluation, PotentialError, Reference
from kernels.lattices import conventional_crystal
from kernels.references import open_reference
from tests.kernels.iron import IRON, SILICON

STEP = 1e-5


def calculator(element: str, name: str, **options: Any) -> dict[str, Any]:
    factory = f"tests.kernels.calculators:{name}"
    return {"kind": "ase", "element": element, "calculator": factory, "options": options, "cutoff": None}


TUNGSTEN = {"A": 1.896373, "d": 4.400224, "c": 3.25, "c0": 47.1346499, "c1": -33.7665655, "c2": 6.2541999}
TUNGSTEN_FS = {"kind": "finnis-sinclair", "element": "W", "constants": TUNGSTEN, "points": 10_000}
SILICON_ASE, SILICON_TOTALS = calculator("Si", "silicon"), calculator("Si", "silicon_totals")
COPPER = {
    "kind": "ase",
    "element": "Cu",
    "calculator": "ase.calculators.emt:EMT",
    "options": {},
    "cutoff": None,
}


def symmetric(evaluation: Evaluation) -> np.ndarray:
    tensor = np.zeros((3, 3))
    for value, (row, column) in zip(evaluation.virial, VOIGT, strict=True):
        tensor[row, column] = tensor[column, row] = value
    return tensor


class Contract:
    """Subclasses name a potential and a crystal that it describes."""

    potential: dict[str, Any]
    structure: str
    lattice_constant: float
    per_site = True

    @pytest.fixture
    def reference(self) -> Any:
        with open_reference(MPI.COMM_SELF, self.potential) as reference:
            yield reference

    @pytest.fixture
    def rod(self) -> tuple[np.ndarray, float]:
        """Periodic along z with a period below the cutoff's double."""
        positions, cell = conventional_crystal(self.structure, self.lattice_constant, (3, 3, 1))
        return positions + np.random.default_rng(0).normal(0.0, 0.05, positions.shape), float(cell[2, 2])

    def triclinic(self) -> tuple[np.ndarray, np.ndarray]:
        draws = np.random.default_rng(1)
        positions, cell = conventional_crystal(self.structure, self.lattice_constant)
        deformation = np.eye(3) + draws.normal(0.0, 0.03, (3, 3))
        return positions @ deformation + draws.normal(0.0, 0.05, positions.shape), cell @ deformation

    def test_site_energies_sum_to_what_forces_are_the_slope_of(self, reference: Reference, rod: Any) -> None:
        positions, period = rod
        system = reference.cylinder(positions, period)
        forces = system.forces(positions)
        for atom, axis in [(0, 0), (7, 1), (len(positions) - 1, 2)]:
            shift = np.zeros_like(positions)
            shift[atom, axis] = STEP
            change = (
                system.evaluate(positions + shift).site_energies
                - system.evaluate(positions - shift).site_energies
            )
            assert forces[atom, axis] == pytest.approx(-change.sum() / (2 * STEP), abs=2e-7)

    def test_forces_balance_and_both_paths_agree(self, reference: Reference, rod: Any) -> None:
        positions, period = rod
        system = reference.cylinder(positions, period)
        forces = system.forces(positions)
        assert np.abs(forces).max() > 0.01
        np.testing.assert_allclose(forces.sum(axis=0), 0.0, atol=1e-10)
        np.testing.assert_allclose(system.evaluate(positions).forces, forces, rtol=0, atol=1e-12)

    def test_whether_energies_are_per_site_is_said(self, reference: Reference, rod: Any) -> None:
        positions, period = rod
        evaluation = reference.cylinder(positions, period).evaluate(positions)
        assert evaluation.per_site == self.per_site
        assert evaluation.site_energies.shape == (len(positions),)

    def test_nothing_is_felt_beyond_twice_the_cutoff(self, reference: Reference) -> None:
        repeats = int(np.ceil(2 * (2 * reference.cutoff + 1.0) / self.lattice_constant)) + 1
        positions, cell = conventional_crystal(self.structure, self.lattice_constant, (repeats, 1, 1))
        system = reference.crystal(positions, cell)
        moved = positions.copy()
        moved[0] += [0.05, 0.1, -0.1]
        before, after = system.evaluate(positions), system.evaluate(moved)
        apart = np.abs(positions[:, 0] - positions[0, 0])
        apart = np.minimum(apart, cell[0, 0] - apart)
        changed = np.abs(after.forces - before.forces).max(axis=1) > 1e-9
        assert apart[changed].max() < 2 * reference.cutoff
        assert (apart > 2 * reference.cutoff).any()
        if self.per_site:
            altered = np.abs(after.site_energies - before.site_energies) > 1e-10
            assert apart[altered].max() < reference.cutoff

    def test_the_virial_is_the_slope_of_the_energy_with_strain(self, reference: Reference) -> None:
        positions, cell = self.triclinic()
        virial = reference.crystal(positions, cell).evaluate(positions).virial
        for component, (row, column) in enumerate(VOIGT):
            strain = np.zeros((3, 3))
            strain[row, column] += STEP / 2
            strain[column, row] += STEP / 2
            energies = []
            for sign in (1, -1):
                stretched = positions @ (np.eye(3) + sign * strain), cell @ (np.eye(3) + sign * strain)
                energies.append(reference.crystal(*stretched).evaluate(stretched[0]).site_energies.sum())
            assert virial[component] == pytest.approx(-(energies[0] - energies[1]) / (2 * STEP), abs=2e-6)

    def test_a_rotated_crystal_has_rotated_forces_and_virial(self, reference: Reference) -> None:
        positions, cell = self.triclinic()
        turn = Rotation.random(rng=np.random.default_rng(3)).as_matrix()
        plain = reference.crystal(positions, cell).evaluate(positions)
        turned = reference.crystal(positions @ turn.T, cell @ turn.T).evaluate(positions @ turn.T)
        np.testing.assert_allclose(turned.site_energies, plain.site_energies, rtol=0, atol=1e-9)
        np.testing.assert_allclose(turned.forces, plain.forces @ turn.T, rtol=0, atol=1e-9)
        np.testing.assert_allclose(symmetric(turned), turn @ symmetric(plain) @ turn.T, rtol=0, atol=1e-8)

    def test_minimise_moves_free_atoms_only_and_finds_the_lattice(self, reference: Reference) -> None:
        lattice, cell = conventional_crystal(self.structure, self.lattice_constant, (2, 2, 2))
        free = np.arange(len(lattice)) < len(lattice) // 2
        shaken = lattice + 0.03 * free[:, None] * np.random.default_rng(2).normal(size=lattice.shape)
        found = reference.crystal(shaken, cell).minimise(shaken, free, 1e-8, 2000)
        assert found.converged
        assert found.residual_force <= 1e-8
        np.testing.assert_array_equal(found.positions[~free], lattice[~free])
        np.testing.assert_allclose(found.positions, lattice, rtol=0, atol=1e-6)

    def test_a_minimisation_cut_short_says_so(self, reference: Reference, rod: Any) -> None:
        positions, period = rod
        free = np.ones(len(positions), dtype=bool)
        found = reference.cylinder(positions, period).minimise(positions, free, 1e-10, 2)
        assert not found.converged
        assert found.residual_force > 1e-10

    def test_a_system_ends_with_the_next_one_and_with_its_reference(
        self, reference: Reference, rod: Any
    ) -> None:
        positions, period = rod
        first = reference.cylinder(positions, period)
        second = reference.cylinder(positions, period)
        with pytest.raises(PotentialError, match="make it again"):
            first.forces(positions)
        second.forces(positions)
        reference.close()
        with pytest.raises(PotentialError, match="again"):
            second.forces(positions)
        with pytest.raises(PotentialError, match="open the reference again"):
            reference.cylinder(positions, period)

    def test_positions_that_do_not_fit_are_refused(self, reference: Reference, rod: Any) -> None:
        positions, period = rod
        system = reference.cylinder(positions, period)
        with pytest.raises(ValueError, match="finite numbers are needed"):
            system.forces(positions[:-1])
        with pytest.raises(ValueError, match="finite numbers are needed"):
            system.evaluate(np.full_like(positions, np.nan))

    def test_a_left_handed_cell_is_refused(self, reference: Reference) -> None:
        positions, cell = self.triclinic()
        with pytest.raises(PotentialError, match="right-handed"):
            reference.crystal(positions, cell[[1, 0, 2]])


class TestLammpsIron(Contract):
    potential, structure, lattice_constant = IRON, "bcc", 2.8553


class TestLammpsSilicon(Contract):
    potential, structure, lattice_constant = SILICON, "diamond", 5.431


class TestFinnisSinclair(Contract):
    potential, structure, lattice_constant = TUNGSTEN_FS, "bcc", 3.1652


class TestAseSilicon(Contract):
    potential, structure, lattice_constant = SILICON_ASE, "diamond", 5.431


class TestAseSiliconTotals(Contract):
    potential, structure, lattice_constant = SILICON_TOTALS, "diamond", 5.431
    per_site = False


class TestAseCopper(Contract):
    potential, structure, lattice_constant = COPPER, "fcc", 3.59


@pytest.mark.parametrize("other", [SILICON_ASE, SILICON_TOTALS])
def test_lammps_and_ase_say_the_same_of_silicon(other: dict[str, Any]) -> None:
    positions, cell = conventional_crystal("diamond", 5.431, (2, 1, 1))
    positions = positions + np.random.default_rng(0).normal(0.0, 0.1, positions.shape)
    evaluations = []
    for potential in (SILICON, other):
        with open_reference(MPI.COMM_SELF, potential) as reference:
            assert reference.cutoff == pytest.approx(3.77118, abs=0.05)
            evaluations.append(reference.crystal(positions, cell).evaluate(positions))
    lammps, ase = evaluations
    # where a triplet's energy belongs is the programs' own affair, the sum is not
    assert ase.site_energies.sum() == pytest.approx(lammps.site_energies.sum(), abs=1e-10)
    np.testing.assert_allclose(ase.forces, lammps.forces, rtol=0, atol=1e-10)
    np.testing.assert_allclose(ase.virial, lammps.virial, rtol=0, atol=1e-9)
