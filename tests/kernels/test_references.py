from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpi4py import MPI
from scipy.spatial.transform import Rotation

from kernels.evaluations import VOIGT, PotentialError
from kernels.lattices import conventional_crystal
from kernels.references import open_reference
from tests.kernels.iron import IRON, POTENTIALS, SILICON, TUNGSTEN_SNAP, lammps_potential
from tests.kernels.ranks import on_ranks

ARGON = lammps_potential("Ar", "lj/cut 8.5", "* * 0.0104 3.4")
STEP = 1e-5


def shaken_cylinder() -> tuple[np.ndarray, float]:
    """A rod of iron, periodic along z with a period far below the cutoff."""
    positions, cell = conventional_crystal("bcc", 2.8553, (3, 3, 1))
    return positions + np.random.default_rng(0).normal(0.0, 0.1, positions.shape), float(cell[2, 2])


def triclinic(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(seed)
    positions, cell = conventional_crystal("bcc", 2.8553)
    deformation = np.eye(3) + draws.normal(0.0, 0.05, (3, 3))
    return positions @ deformation + draws.normal(0.0, 0.05, positions.shape), cell @ deformation


def energy_of_crystal(potential: dict[str, Any], positions: np.ndarray, cell: np.ndarray) -> float:
    with open_reference(MPI.COMM_SELF, potential) as reference:
        return float(reference.crystal(positions, cell).evaluate(positions).site_energies.sum())


@pytest.mark.parametrize(
    ("potential", "cutoff"), [(IRON, 5.3), (TUNGSTEN_SNAP, 4.8), (SILICON, 3.77118), (ARGON, 8.5)]
)
def test_cutoff_is_the_largest_of_the_pair_styles(potential: dict[str, Any], cutoff: float) -> None:
    with open_reference(MPI.COMM_SELF, potential) as reference:
        assert reference.cutoff == pytest.approx(cutoff, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "quantum"}, "kind is 'quantum'"),
        ({"element": "Xx"}, "element is 'Xx'"),
        ({"pair_style": " "}, "pair_style is missing"),
        ({"pair_coeff": "* * file"}, "must be a list"),
        ({"pair_coeff": []}, "must be a list"),
        ({"pair_style": "eam/unheard-of"}, "LAMMPS said: .*eam/unheard-of"),
        ({"pair_coeff": [f"* * {POTENTIALS}/Fe_mm.eam.fs Mo"]}, "'eam/fs' for Fe: LAMMPS said: .*element"),
        ({"pair_coeff": ["* * /nowhere/Fe.eam.fs Fe"]}, "LAMMPS said: .*/nowhere/Fe.eam.fs"),
    ],
)
def test_a_potential_that_cannot_be_used_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(PotentialError, match=message):
        open_reference(MPI.COMM_SELF, IRON | change)


def test_a_refused_potential_leaves_the_process_usable() -> None:
    with pytest.raises(PotentialError):
        open_reference(MPI.COMM_SELF, IRON | {"pair_coeff": ["* * /nowhere/Fe.eam.fs Fe"]})
    with open_reference(MPI.COMM_SELF, IRON) as reference:
        assert reference.cutoff == 5.3


def test_forces_are_the_slopes_of_the_site_energies_in_a_cylinder() -> None:
    positions, period = shaken_cylinder()
    with open_reference(MPI.COMM_SELF, IRON) as reference:
        system = reference.cylinder(positions, period)
        forces = system.forces(positions)
        for atom, axis in [(0, 0), (4, 1), (9, 2), (17, 2)]:
            ahead, behind = positions.copy(), positions.copy()
            ahead[atom, axis] += STEP
            behind[atom, axis] -= STEP
            change = system.evaluate(ahead).site_energies - system.evaluate(behind).site_energies
            assert forces[atom, axis] == pytest.approx(-change.sum() / (2 * STEP), abs=1e-7)


def test_both_paths_give_the_same_forces_also_after_atoms_moved_far() -> None:
    positions, period = shaken_cylinder()
    with open_reference(MPI.COMM_SELF, IRON) as reference:
        system = reference.cylinder(positions, period)
        system.forces(positions)
        # further than half the skin, and some across the periodic boundary
        moved = positions + np.random.default_rng(1).normal(0.0, 0.4, positions.shape)
        quick = system.forces(moved)
    with open_reference(MPI.COMM_SELF, IRON) as reference:
        fresh = reference.cylinder(moved, period).evaluate(moved).forces
    np.testing.assert_allclose(quick, fresh, rtol=0, atol=1e-12)


def test_forces_and_virial_of_a_triclinic_cell_are_the_slopes_of_its_energy() -> None:
    positions, cell = triclinic()
    with open_reference(MPI.COMM_SELF, IRON) as reference:
        evaluation = reference.crystal(positions, cell).evaluate(positions)
    for axis in range(3):
        shift = np.zeros_like(positions)
        shift[1, axis] = STEP
        slope = energy_of_crystal(IRON, positions + shift, cell) - energy_of_crystal(
            IRON, positions - shift, cell
        )
        assert evaluation.forces[1, axis] == pytest.approx(-slope / (2 * STEP), abs=1e-7)
    for component, (row, column) in enumerate(VOIGT):
        strain = np.zeros((3, 3))
        strain[row, column] += STEP / 2
        strain[column, row] += STEP / 2
        ahead, behind = (
            energy_of_crystal(
                IRON, positions @ (np.eye(3) + sign * strain), cell @ (np.eye(3) + sign * strain)
            )
            for sign in (1, -1)
        )
        assert evaluation.virial[component] == pytest.approx(-(ahead - behind) / (2 * STEP), abs=1e-6)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_a_rotated_crystal_has_the_same_energy_and_rotated_forces_and_virial(seed: int) -> None:
    positions, cell = triclinic(seed)
    turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    with open_reference(MPI.COMM_SELF, IRON) as reference:
        plain = reference.crystal(positions, cell).evaluate(positions)
        turned = reference.crystal(positions @ turn.T, cell @ turn.T).evaluate(positions @ turn.T)
    np.testing.assert_allclose(turned.site_energies, plain.site_energies, rtol=0, atol=1e-10)
    np.testing.assert_allclose(turned.forces, plain.forces @ turn.T, rtol=0, atol=1e-10)
    tensors = []
    for evaluation in (plain, turned):
        tensor = np.zeros((3, 3))
        for value, (row, column) in zip(evaluation.virial, VOIGT, strict=True):
            tensor[row, column] = tensor[column, row] = value
        tensors.append(tensor)
    np.testing.assert_allclose(tensors[1], turn @ tensors[0] @ turn.T, rtol=0, atol=1e-9)


def test_a_left_handed_cell_is_refused() -> None:
    positions, cell = triclinic()
    with (
        open_reference(MPI.COMM_SELF, IRON) as reference,
        pytest.raises(PotentialError, match="right-handed"),
    ):
        reference.crystal(positions, cell[[1, 0, 2]])


def test_bystanders_do_not_change_how_forces_respond_to_the_others() -> None:
    positions, cell = conventional_crystal("bcc", 2.8553, (8, 8, 1))
    centre = int(np.argmin(np.linalg.norm(positions[:, :2] - 11.4, axis=1)))
    distance = np.linalg.norm((positions - positions[centre])[:, :2], axis=1)
    moved = positions.copy()
    moved[centre] += [0.01, -0.02, 0.03]
    responses = []
    for bystanders in (None, distance > 5.5):
        with open_reference(MPI.COMM_SELF, IRON) as reference:
            system = reference.cylinder(positions, float(cell[2, 2]), bystanders)
            at_rest = system.forces(positions)
            responses.append(system.forces(moved) - at_rest)
    assert np.abs(responses[0]).max() > 0.01
    np.testing.assert_allclose(responses[1], responses[0], rtol=0, atol=1e-12)


def test_minimise_moves_only_free_atoms_and_finds_the_lattice() -> None:
    lattice, cell = conventional_crystal("bcc", 2.8553, (3, 3, 3))
    # the first cell stands at the faces of the box, so that its atoms cross them
    free = np.ones(len(lattice), dtype=bool)
    free[20:] = False
    shaken = lattice + np.where(free[:, None], np.random.default_rng(2).normal(0, 0.05, lattice.shape), 0.0)
    with open_reference(MPI.COMM_SELF, IRON) as reference:
        found = reference.crystal(shaken, cell).minimise(shaken, free, 1e-9, 1000)
    assert found.converged
    assert found.residual_force <= 1e-9
    assert 2 < found.force_evaluations < 1000
    np.testing.assert_array_equal(found.positions[~free], lattice[~free])
    np.testing.assert_allclose(found.positions, lattice, rtol=0, atol=1e-8)


def test_a_minimisation_cut_short_says_so() -> None:
    positions, period = shaken_cylinder()
    with open_reference(MPI.COMM_SELF, IRON) as reference:
        found = reference.cylinder(positions, period).minimise(
            positions, np.ones(len(positions), dtype=bool), 1e-9, 2
        )
    assert not found.converged
    assert found.residual_force > 1e-9


def test_a_system_ends_with_the_next_one_and_with_its_reference() -> None:
    positions, period = shaken_cylinder()
    with open_reference(MPI.COMM_SELF, IRON) as reference:
        first = reference.cylinder(positions, period)
        second = reference.cylinder(positions, period)
        with pytest.raises(PotentialError, match="ended by a later one"):
            first.forces(positions)
        second.forces(positions)
    with pytest.raises(PotentialError, match="make it again"):
        second.forces(positions)


def test_positions_of_another_shape_or_not_numbers_are_refused() -> None:
    positions, period = shaken_cylinder()
    with open_reference(MPI.COMM_SELF, IRON) as reference:
        system = reference.cylinder(positions, period)
        with pytest.raises(ValueError, match=r"\(18, 3\) finite numbers"):
            system.forces(positions[:-1])
        with pytest.raises(ValueError, match="finite numbers"):
            system.forces(np.full_like(positions, np.nan))


def test_an_atom_that_leaves_the_box_is_an_error() -> None:
    positions, period = shaken_cylinder()
    with open_reference(MPI.COMM_SELF, IRON) as reference:
        system = reference.cylinder(positions, period)
        system.forces(positions)
        gone = positions.copy()
        gone[0, 0] += 100.0
        with pytest.raises(PotentialError, match=r"LAMMPS said: .*[Ll]ost"):
            system.forces(gone)


def test_a_force_that_is_not_a_number_is_an_error() -> None:
    positions, period = shaken_cylinder()
    collided = positions.copy()
    collided[1] = collided[0]
    with open_reference(MPI.COMM_SELF, ARGON) as reference:
        system = reference.cylinder(collided, period)
        with pytest.raises(PotentialError, match="non-finite force at atom 0 of 18"):
            system.forces(collided)


def test_two_ranks_say_the_same_as_one(tmp_path: Path) -> None:
    positions, period = shaken_cylinder()
    free = np.arange(len(positions)) < 9
    np.savez(tmp_path / "rod.npz", positions=positions, period=period, free=free)
    one, two = (
        on_ranks(
            count,
            "tests.kernels.ranks:cylinder_evaluation",
            tmp_path,
            potential=IRON,
            path=str(tmp_path / "rod.npz"),
        )
        for count in (1, 2)
    )
    assert (one["ranks"], two["ranks"]) == (1, 2)
    np.testing.assert_allclose(two["forces"], one["forces"], rtol=0, atol=1e-11)
    np.testing.assert_allclose(two["site_energies"], one["site_energies"], rtol=0, atol=1e-11)
    np.testing.assert_allclose(two["minimum"], one["minimum"], rtol=0, atol=1e-6)
