from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI
from scipy.sparse import csc_matrix

from kernels import equilibrium
from kernels.cylinders import clamped_cylinder
from kernels.equilibrium import EquilibriumError, polish_equilibrium, rough_equilibrium
from kernels.hessian import hessian_columns
from kernels.materials import bulk_properties
from kernels.references import open_reference
from tests.kernels.iron import IRON, TUNGSTEN_ZHOU, Relaxed, iron_material, relaxed_iron, stored
from tests.kernels.ranks import on_ranks

RADIUS = 12.0


@pytest.fixture(scope="module")
def iron(tmp_path_factory: pytest.TempPathFactory) -> Relaxed:
    return relaxed_iron(tmp_path_factory.mktemp("iron"), RADIUS)


@pytest.fixture(scope="module")
def final(iron: Relaxed) -> dict[str, Any]:
    return iron.arrays


def predicted(final: dict[str, Any]) -> np.ndarray:
    return np.asarray(final["sites"] + final["predictor"])


def test_no_force_is_left_on_a_free_atom_also_in_a_much_wider_cylinder(final: dict[str, Any]) -> None:
    wide = clamped_cylinder("screw", iron_material(), RADIUS, 22.0)
    count = len(final["sites"])
    assert count < len(wide.sites)
    np.testing.assert_allclose(wide.sites[:count], final["sites"], rtol=0, atol=1e-12)
    positions = wide.sites + wide.predictor
    positions[:count] += final["corrector"]
    with open_reference(MPI.COMM_SELF, IRON) as reference:
        forces = reference.cylinder(positions, float(wide.period)).forces(positions)
    assert np.abs(forces[:count][final["free"]]).max() <= 1.1e-8
    assert final["residual_force"] <= 1e-8


def test_the_fixed_shell_stays_on_the_predictor(final: dict[str, Any]) -> None:
    assert (final["corrector"][~final["free"]] == 0.0).all()
    distance = np.hypot(*final["sites"].T[:2])
    np.testing.assert_array_equal(final["free"], distance < RADIUS)
    # the basis's cutoff is 5.0 Å, the reference's 5.3 Å: the larger one counts
    assert distance.max() > RADIUS + 2 * 5.3 - 2.5
    assert np.abs(final["corrector"]).max() > 0.01


def test_the_energy_is_minus_the_work_of_the_forces(final: dict[str, Any]) -> None:
    # Gauss–Legendre along the straight path from the predictor to the equilibrium; the potential's splines have
    # kinks in their third derivatives, and 32 nodes leave some 2e-8 eV of them
    nodes, weights = np.polynomial.legendre.leggauss(32)
    start, corrector = predicted(final), final["corrector"]
    work = 0.0
    with open_reference(MPI.COMM_SELF, IRON) as reference:
        system = reference.cylinder(start, float(final["period"]))
        for node, weight in zip(0.5 * (nodes + 1), 0.5 * weights, strict=True):
            work += weight * float(np.sum(system.forces(start + node * corrector) * corrector))
    assert final["energy"] < 0.0
    assert float(final["energy"]) == pytest.approx(-work, abs=2e-7)
    assert float(final["energy"]) == math.fsum(final["site_energy_difference"])
    far = np.hypot(*final["sites"].T[:2]) > RADIUS + 5.3 + 0.5
    assert far.any()
    assert np.abs(final["site_energy_difference"][far]).max() < 1e-12


def test_the_hessian_is_symmetric_and_positive_definite(final: dict[str, Any]) -> None:
    parts = (final["hessian_data"], final["hessian_indices"], final["hessian_indptr"])
    size = 3 * int(final["free"].sum())
    dense = csc_matrix(parts, shape=(size, size)).toarray()
    np.testing.assert_array_equal(dense, dense.T)
    assert float(final["lowest_eigenvalue"]) == pytest.approx(np.linalg.eigvalsh(dense)[0], rel=1e-6)
    assert final["lowest_eigenvalue"] > 0.0


def test_the_rough_equilibrium_meets_its_tolerance_and_has_no_hessian(iron: Relaxed) -> None:
    with np.load(iron.rough) as rough:
        assert rough["residual_force"] <= 3e-3
        assert rough["force_evaluations"] > 3
        names = set(rough.files)
    with np.load(iron.equilibrium) as final:
        added = set(final.files) - names
    assert added == {
        "hessian_data",
        "hessian_indices",
        "hessian_indptr",
        "lowest_eigenvalue",
        "energy",
        "site_energy_difference",
    }


def test_two_ranks_reach_the_same_equilibrium(iron: Relaxed, final: dict[str, Any], tmp_path: Path) -> None:
    rough = on_ranks(
        2,
        "kernels.equilibrium:rough_equilibrium",
        tmp_path,
        potential=IRON,
        material=iron.material,
        dislocation="screw",
        simulation_radius=RADIUS,
        cutoff=5.0,
    )
    again = on_ranks(
        2,
        "kernels.equilibrium:polish_equilibrium",
        tmp_path,
        potential=IRON,
        material=iron.material,
        rough_path=stored(tmp_path, "rough", rough),
        hessian_paths=list(iron.hessian),
    )
    # forces of 1e-8 eV/Å against the softest mode
    apart = 1e-8 / float(final["lowest_eigenvalue"]) * np.sqrt(3 * final["free"].sum())
    np.testing.assert_allclose(again["corrector"], final["corrector"], rtol=0, atol=apart)
    assert float(again["energy"]) == pytest.approx(float(final["energy"]), abs=1e-10)


def test_a_symmetric_start_that_ends_on_a_saddle_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # this potential's core breaks the symmetry that the predictor has
    material = bulk_properties(MPI.COMM_SELF, TUNGSTEN_ZHOU, "bcc")

    def polished() -> dict[str, Any]:
        rough = stored(
            tmp_path,
            "rough",
            rough_equilibrium(MPI.COMM_SELF, TUNGSTEN_ZHOU, material, "screw", 7.0, 5.0),
        )
        columns = stored(tmp_path, "hessian", hessian_columns(MPI.COMM_SELF, TUNGSTEN_ZHOU, rough, 0, 1))
        try:
            return polish_equilibrium(MPI.COMM_SELF, TUNGSTEN_ZHOU, material, rough, [columns])
        finally:
            equilibrium.load_arrays.cache_clear()

    assert polished()["lowest_eigenvalue"] > 0.0
    monkeypatch.setattr(equilibrium, "SHAKEN_BY", 0.0)
    with pytest.raises(EquilibriumError, match="saddle: 3 negative eigenvalues"):
        polished()


def test_a_relaxation_cut_short_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equilibrium, "MOST_EVALUATIONS", 3)
    with pytest.raises(EquilibriumError, match=r"radius 8\.0 Å still has a force of"):
        rough_equilibrium(MPI.COMM_SELF, IRON, iron_material(), "screw", 8.0, 5.0)


def test_a_tolerance_below_rounding_is_an_error(iron: Relaxed) -> None:
    with pytest.raises(EquilibriumError, match="wanted: 1e-20"):
        polish_equilibrium(
            MPI.COMM_SELF, IRON, iron.material, iron.rough, list(iron.hessian), force_tolerance=1e-20
        )
