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
from kernels.lammps_system import LammpsReference
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
        ({"kind": "quantum"}, "kind is 'quantum'; it must be one of lammps, finnis-sinclair, ase"),
        ({"kind": "finnis-sinclair"}, "constants must be a mapping, and points a whole number"),
        ({"kind": "finnis-sinclair", "constants": {"A": 1.0}, "points": 1000}, "missing 5 required"),
        ({"kind": "ase"}, "calculator is None; it must be 'module:factory'"),
        ({"kind": "ase", "calculator": "module"}, "calculator is 'module'"),
        ({"kind": "ase", "calculator": "module:factory", "options": 3}, "must be a mapping"),
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


@pytest.mark.parametrize(
    ("style", "said"),
    [
        ("coul/cut 8.0", "coul/cut requires atom attribute q"),
        ("gran/hooke 1 1 1 1 1 1", "requires atom attributes radius, rmass"),
        ("none", "Pair_coeff command without a pair style"),
    ],
)
def test_a_style_that_needs_more_than_positions_is_refused_in_lammps_own_words(style: str, said: str) -> None:
    with pytest.raises(PotentialError, match=rf"'{style}' for Fe: LAMMPS said: .*{said}"):
        open_reference(MPI.COMM_SELF, lammps_potential("Fe", style, "* *"))


def test_a_file_in_other_units_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "Si.sw"
    file.write_text((POTENTIALS / "Si.sw").read_text().replace("UNITS: metal", "UNITS: real"))
    with pytest.raises(PotentialError, match=r"Si\.sw is in LAMMPS's real units; give a file in metal units"):
        open_reference(MPI.COMM_SELF, lammps_potential("Si", "sw", f'* * "{file}" Si'))


def test_lists_are_kept_where_atoms_stand_beyond_the_period() -> None:
    positions, period = shaken_cylinder()
    positions[:, 2] += 0.9 * period
    with LammpsReference(MPI.COMM_SELF, "Fe", IRON["pair_style"], tuple(IRON["pair_coeff"])) as reference:
        system = reference.cylinder(positions, period)
        system.forces(positions)
        system._place(positions + 0.01)
        assert "Neighbor list builds = 0" in reference.logged("run 1 pre no")
        # further than half the skin
        system._place(positions + 0.2)
        assert "Neighbor list builds = 1" in reference.logged("run 1 pre no")


def test_an_overlay_is_the_sum_of_its_parts() -> None:
    eam, spring = f"{POTENTIALS}/Fe_mm.eam.fs Fe", "0.4 2.2"
    positions, cell = triclinic()
    parts = []
    for style, *lines in (
        ("hybrid/overlay eam/fs lj/cut 4.0", f"* * eam/fs {eam}", f"1 1 lj/cut {spring}"),
        ("eam/fs", f"* * {eam}"),
        ("lj/cut 4.0", f"1 1 {spring}"),
    ):
        with open_reference(MPI.COMM_SELF, lammps_potential("Fe", style, *lines)) as reference:
            assert reference.cutoff == (4.0 if style.startswith("lj") else 5.3)
            parts.append(reference.crystal(positions, cell).evaluate(positions))
    overlay, embedded, pairs = parts
    np.testing.assert_allclose(overlay.forces, embedded.forces + pairs.forces, rtol=0, atol=1e-11)
    np.testing.assert_allclose(
        overlay.site_energies, embedded.site_energies + pairs.site_energies, rtol=0, atol=1e-11
    )
    np.testing.assert_allclose(overlay.virial, embedded.virial + pairs.virial, rtol=0, atol=1e-10)


def test_a_refused_potential_leaves_the_process_usable() -> None:
    with pytest.raises(PotentialError):
        open_reference(MPI.COMM_SELF, IRON | {"pair_coeff": ["* * /nowhere/Fe.eam.fs Fe"]})
    with open_reference(MPI.COMM_SELF, IRON) as reference:
        assert reference.cutoff == 5.3


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


@settings(max_examples=10)
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
        with pytest.raises(PotentialError, match=r"'lj/cut 8\.5' for Ar: a non-finite force at atom 0 of 18"):
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
