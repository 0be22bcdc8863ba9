"""What is particular to references that are ASE calculators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI
from scipy.sparse import csc_matrix

from kernels.equilibrium import comparison_equilibrium, polish_equilibrium, rough_equilibrium
from kernels.evaluations import PotentialError
from kernels.hessian import hessian_columns
from kernels.lattices import conventional_crystal
from kernels.materials import bulk_properties
from kernels.reference_cylinder import ReferenceCylinder
from kernels.references import open_reference
from kernels.training import core_set
from tests.kernels.iron import SILICON, stored
from tests.kernels.ranks import on_ranks
from tests.kernels.test_reference_contract import COPPER, SILICON_ASE, SILICON_TOTALS, calculator

ARGON = calculator("Ar", "argon")


def cube(lattice_constant: float = 5.3) -> tuple[np.ndarray, np.ndarray]:
    positions, cell = conventional_crystal("fcc", lattice_constant)
    return positions + np.random.default_rng(0).normal(0.0, 0.1, positions.shape), cell


@pytest.mark.parametrize(
    ("potential", "cutoff"),
    # LennardJones: as set. EMT: where ASE's cutoff function falls to zero, which its neighbour list is made for
    [(ARGON, 8.5), (SILICON_ASE, 3.77118), (SILICON_TOTALS, 3.77118)],
)
def test_the_cutoff_is_measured(potential: dict[str, Any], cutoff: float) -> None:
    with open_reference(MPI.COMM_SELF, potential) as reference:
        assert cutoff - 0.05 < reference.cutoff < cutoff + 0.06


def test_the_cutoff_is_what_the_study_says() -> None:
    with open_reference(MPI.COMM_SELF, ARGON | {"cutoff": 9.25}) as reference:
        assert reference.cutoff == 9.25


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"calculator": "nowhere.at_all:make"},
            "'nowhere.at_all:make' for Ar: ModuleNotFoundError: .*nowhere",
        ),
        ({"calculator": "tests.kernels.calculators:missing"}, "AttributeError: .*missing"),
        (
            {"calculator": "tests.kernels.calculators:nothing"},
            "TypeError: .* returned int, which is no ASE calculator",
        ),
        ({"options": {"colour": 3}}, "TypeError: .*colour"),
        (
            {"calculator": "tests.kernels.calculators:broken", "options": {"failure": "raises"}},
            "RuntimeError: out of",
        ),
        (
            {"calculator": "tests.kernels.calculators:broken", "options": {"failure": "noisy"}},
            "give `cutoff` beside",
        ),
    ],
)
def test_a_calculator_that_cannot_be_used_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(PotentialError, match=said):
        open_reference(MPI.COMM_SELF, ARGON | change)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        ("raises", "RuntimeError: out of electrons"),
        ("not a number", "a non-finite force at atom 3 of 4"),
        ("no stress", "gives no stress"),
    ],
)
def test_a_calculator_that_fails_says_which_it_is(failure: str, said: str) -> None:
    broken = calculator("Ar", "broken", failure=failure) | {"cutoff": 8.5}
    positions, cell = cube()
    with open_reference(MPI.COMM_SELF, broken) as reference:
        system = reference.crystal(positions, cell)
        with pytest.raises(PotentialError, match=rf"calculators:broken' for Ar: .*{said}"):
            system.evaluate(positions)


@pytest.fixture(scope="module")
def silicon() -> dict[str, Any]:
    return bulk_properties(MPI.COMM_SELF, SILICON, "diamond")


def test_the_crystal_is_lammps_own(silicon: dict[str, Any]) -> None:
    for potential in (SILICON_ASE, SILICON_TOTALS):
        material = bulk_properties(MPI.COMM_SELF, potential, "diamond")
        for name in ("lattice_constant", "C11", "C12", "C44", "energy_per_atom"):
            assert material[name] == pytest.approx(silicon[name], rel=1e-6)


@pytest.fixture(scope="module")
def chains(silicon: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The whole chain to an equilibrium, by LAMMPS and by ASE with and without energies per site."""
    found, material = {}, silicon | {"cutoff": 3.78}
    folder = tmp_path_factory.mktemp("chains")
    rough, parts = "", list[str]()
    for name, potential in (("lammps", SILICON), ("ase", SILICON_ASE), ("totals", SILICON_TOTALS)):
        if name != "totals":  # its forces are those of the one before
            start = rough_equilibrium(MPI.COMM_SELF, potential, material, "screw", 7.0, 3.0)
            rough = stored(folder, f"{name}-rough", start)
            parts = [
                stored(folder, f"{name}-{part}", hessian_columns(MPI.COMM_SELF, potential, rough, part, 2))
                for part in range(2)
            ]
        final = polish_equilibrium(MPI.COMM_SELF, potential, material, rough, parts)
        found[name] = {"arrays": final, "path": stored(folder, name, final), "material": material}
    return found


def hessian_of(arrays: dict[str, Any]) -> np.ndarray:
    parts = (arrays["hessian_data"], arrays["hessian_indices"], arrays["hessian_indptr"])
    size = len(parts[2]) - 1
    return np.asarray(csc_matrix(parts, shape=(size, size)).toarray())


@pytest.mark.parametrize("name", ["ase", "totals"])
def test_the_equilibrium_is_lammps_own(chains: dict[str, dict[str, Any]], name: str) -> None:
    expected, found = chains["lammps"]["arrays"], chains[name]["arrays"]
    assert found["residual_force"] <= 1e-8
    np.testing.assert_allclose(found["corrector"], expected["corrector"], rtol=0, atol=1e-6)
    assert np.abs(hessian_of(found) - hessian_of(expected)).max() < 1e-3
    assert found["lowest_eigenvalue"] == pytest.approx(float(expected["lowest_eigenvalue"]), rel=1e-4)
    # by the work of the forces where there are no energies per site
    assert float(found["energy"]) == pytest.approx(float(expected["energy"]), abs=2e-7)


@pytest.mark.parametrize("name", ["ase", "totals"])
def test_core_labels_are_lammps_own(chains: dict[str, dict[str, Any]], name: str) -> None:
    potentials = {"lammps": SILICON, "ase": SILICON_ASE, "totals": SILICON_TOTALS}
    sets = []
    for which in ("lammps", name):
        made = core_set(
            MPI.COMM_SELF,
            potentials[which],
            chains["lammps"]["material"],
            chains["lammps"]["path"],
            4.0,
            3.0,
            0.02,
            [0, 0, 0],
            0,
            2,
        )
        assert made is not None
        sets.append(made)
    np.testing.assert_allclose(sets[1]["energies"], sets[0]["energies"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(sets[1]["forces"], sets[0]["forces"], rtol=0, atol=1e-9)


def test_work_stands_for_energies_that_are_not_given(chains: dict[str, dict[str, Any]]) -> None:
    arrays, material = chains["lammps"]["arrays"], chains["lammps"]["material"]
    differences = []
    for potential in (SILICON, SILICON_TOTALS):
        with open_reference(MPI.COMM_SELF, potential) as reference:
            atoms = ReferenceCylinder(reference, arrays, material)
            differences.append(atoms.site_energy_difference(0.5 * arrays["corrector"]))
    assert differences[1].sum() == pytest.approx(differences[0].sum(), abs=2e-7)
    # only atoms that move do work
    assert (differences[1][~arrays["free"]] == 0.0).all()
    assert np.abs(differences[0][~arrays["free"]]).max() > 1e-4


def test_a_comparison_without_a_hessian_runs_too(silicon: dict[str, Any]) -> None:
    one, other = (
        comparison_equilibrium(
            MPI.COMM_SELF, potential, silicon | {"cutoff": 3.78}, "screw", 5.0, 0.0, force_tolerance=1e-7
        )
        for potential in (SILICON, SILICON_ASE)
    )
    assert float(other["energy"]) == pytest.approx(float(one["energy"]), abs=1e-9)


def test_two_ranks_say_the_same_as_one(tmp_path: Path) -> None:
    positions, cell = conventional_crystal("fcc", 3.59, (2, 2, 1))
    positions = positions + np.random.default_rng(0).normal(0.0, 0.05, positions.shape)
    free = np.arange(len(positions)) < 6
    np.savez(tmp_path / "rod.npz", positions=positions, period=cell[2, 2], free=free)
    one, two = (
        on_ranks(
            count,
            "tests.kernels.ranks:cylinder_evaluation",
            tmp_path,
            potential=COPPER,
            path=str(tmp_path / "rod.npz"),
        )
        for count in (1, 2)
    )
    assert (one["ranks"], two["ranks"]) == (1, 2)
    for name in ("forces", "site_energies", "minimum"):
        np.testing.assert_array_equal(two[name], one[name])


def test_a_failure_on_the_first_rank_is_heard_on_all(tmp_path: Path) -> None:
    heard = on_ranks(
        2, "tests.kernels.ranks:heard_on_every_rank", tmp_path, potential=ARGON | {"options": {"x": 1}}
    )
    assert heard["heard"].tolist() == [True, True]
