from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import norm

from kernels import equilibrium, reference_cylinder
from kernels.cylinders import clamped_cylinder
from kernels.equilibrium import comparison_equilibrium, polish_equilibrium, rough_equilibrium
from kernels.hessian import assembled_hessian, hessian_columns
from kernels.laplacian import NeighbourLaplacian
from kernels.materials import bulk_properties
from kernels.reference_cylinder import EquilibriumError, ReferenceCylinder
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
        assert rough["residual_force"] <= 1e-6
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


@pytest.fixture(scope="module")
def zhou() -> dict[str, Any]:
    return bulk_properties(MPI.COMM_SELF, TUNGSTEN_ZHOU, "bcc")


@dataclass(frozen=True)
class Stage:
    material: dict[str, Any]
    rough: str
    hessian: str


def staged(folder: Path, material: dict[str, Any], rough: dict[str, Any]) -> Stage:
    path = stored(folder, "rough", rough)
    columns = hessian_columns(MPI.COMM_SELF, TUNGSTEN_ZHOU, path, 0, 1)
    return Stage(material, path, stored(folder, "hessian", columns))


def polished(stage: Stage) -> dict[str, Any]:
    return polish_equilibrium(MPI.COMM_SELF, TUNGSTEN_ZHOU, stage.material, stage.rough, [stage.hessian])


@pytest.fixture(scope="module")
def minimum(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    material = bulk_properties(MPI.COMM_SELF, TUNGSTEN_ZHOU, "bcc")
    rough = rough_equilibrium(MPI.COMM_SELF, TUNGSTEN_ZHOU, material, "screw", 7.0, 5.0)
    return staged(tmp_path_factory.mktemp("minimum"), material, rough)


@pytest.fixture(scope="module")
def saddle(tmp_path_factory: pytest.TempPathFactory, minimum: Stage) -> Stage:
    """The symmetric core, which this potential does not keep: any point without forces attracts Anderson's steps."""
    with np.load(minimum.rough) as stored_rough:
        rough = dict(stored_rough)
    laplacian = NeighbourLaplacian.of(rough, minimum.material)
    with open_reference(MPI.COMM_SELF, TUNGSTEN_ZHOU) as reference:
        atoms = ReferenceCylinder(reference, rough, minimum.material)
        found = atoms.polished(np.zeros_like(rough["corrector"]), 1e-6, laplacian.solve)
    rough |= {"corrector": found.corrector, "residual_force": np.array(found.residual)}
    return staged(tmp_path_factory.mktemp("saddle"), minimum.material, rough)


def hessian_of(arrays: dict[str, Any]) -> csc_matrix:
    parts = (arrays["hessian_data"], arrays["hessian_indices"], arrays["hessian_indptr"])
    return csc_matrix(parts, shape=(len(parts[2]) - 1,) * 2)


def test_a_rough_equilibrium_on_a_saddle_is_led_away_from_it(minimum: Stage, saddle: Stage) -> None:
    unknowns = 3 * int(np.load(saddle.rough)["free"].sum())
    assert np.linalg.eigvalsh(assembled_hessian([saddle.hessian], unknowns).toarray())[0] < -0.01
    expected, led = polished(minimum), polished(saddle)
    assert led["residual_force"] <= 1e-8
    assert float(led["lowest_eigenvalue"]) > 0.0
    # either of the cores that mirror one another
    assert float(led["energy"]) == pytest.approx(float(expected["energy"]), abs=1e-8)
    assert float(led["lowest_eigenvalue"]) == pytest.approx(float(expected["lowest_eigenvalue"]), rel=1e-3)
    assert np.abs(led["corrector"] - np.load(saddle.rough)["corrector"]).max() > 0.1


def test_the_hessian_of_a_core_that_left_a_saddle_is_its_own(saddle: Stage, tmp_path: Path) -> None:
    led = polished(saddle)
    again = hessian_columns(MPI.COMM_SELF, TUNGSTEN_ZHOU, stored(tmp_path, "led", led), 0, 1)
    found = hessian_of(led)
    expected = assembled_hessian([stored(tmp_path, "again", again)], found.shape[0])
    assert norm(found - expected) < 1e-4 * norm(expected)


def test_two_ranks_leave_a_saddle_as_one_does(saddle: Stage, tmp_path: Path) -> None:
    led = on_ranks(
        2,
        "kernels.equilibrium:polish_equilibrium",
        tmp_path,
        potential=TUNGSTEN_ZHOU,
        material=saddle.material,
        rough_path=saddle.rough,
        hessian_paths=[saddle.hessian],
    )
    assert float(led["energy"]) == pytest.approx(float(polished(saddle)["energy"]), abs=1e-9)
    assert led["hessian_data"].size > 0


def test_a_core_that_never_leaves_its_saddle_is_refused(
    saddle: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(equilibrium, "MOST_DEPARTURES", 0)
    with pytest.raises(EquilibriumError, match=r"dislocation of .* stands on a saddle .*\(-"):
        polished(saddle)


def test_a_comparison_leaves_a_saddle_by_forces_alone(minimum: Stage, saddle: Stage) -> None:
    with np.load(saddle.rough) as rough, open_reference(MPI.COMM_SELF, TUNGSTEN_ZHOU) as reference:
        atoms = ReferenceCylinder(reference, rough, saddle.material)
        found = atoms.settled(rough["corrector"], 1e-6)
        energy = math.fsum(atoms.site_energy_difference(found.corrector))
    assert found.residual <= 1e-6
    assert energy == pytest.approx(float(polished(minimum)["energy"]), abs=1e-8)


def test_the_rough_equilibriums_hessian_is_the_equilibriums(
    iron: Relaxed, final: dict[str, Any], tmp_path: Path
) -> None:
    again = hessian_columns(MPI.COMM_SELF, IRON, iron.equilibrium, 0, 1)
    expected = assembled_hessian([stored(tmp_path, "again", again)], 3 * int(final["free"].sum()))
    assert norm(hessian_of(final) - expected) < 1e-5 * norm(expected)


def test_without_a_hessian_the_equilibrium_is_the_same(
    iron: Relaxed, final: dict[str, Any], tmp_path: Path
) -> None:
    nothing = {"rows": np.empty(0, int), "columns": np.empty(0, int), "values": np.empty(0)}
    paths = [stored(tmp_path, f"empty-{part}", nothing) for part in range(2)]
    found = polish_equilibrium(MPI.COMM_SELF, IRON, iron.material, iron.rough, paths)
    assert not any(name.startswith("hessian_") for name in found)
    assert np.isnan(found["lowest_eigenvalue"])
    assert found["residual_force"] <= 1e-8
    apart = 1e-8 / float(final["lowest_eigenvalue"]) * np.sqrt(3 * final["free"].sum())
    np.testing.assert_allclose(found["corrector"], final["corrector"], rtol=0, atol=apart)
    assert float(found["energy"]) == pytest.approx(float(final["energy"]), abs=1e-12)


def test_a_comparison_is_the_same_equilibrium_whatever_it_began_from(
    iron: Relaxed, final: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(equilibrium, "NARROW", 12.0)
    arguments = (MPI.COMM_SELF, IRON, iron.material, "screw", 30.0, 5.0, 1e-7)
    nested = comparison_equilibrium(*arguments)
    monkeypatch.setattr(equilibrium, "NARROW", np.inf)
    alone, begun = comparison_equilibrium(*arguments), comparison_equilibrium(*arguments, iron.equilibrium)
    for found in (nested, begun):
        assert found["residual_force"] <= 1e-7
        np.testing.assert_allclose(found["corrector"], alone["corrector"], rtol=0, atol=1e-5)
        assert float(found["energy"]) == pytest.approx(float(alone["energy"]), abs=1e-10)
        assert found["force_evaluations"] < alone["force_evaluations"]
    # a wider domain relaxes more, and near the line no differently
    assert float(alone["energy"]) < float(final["energy"])
    inside = np.hypot(*final["sites"].T[:2]) < 4.0
    shift = alone["corrector"][: len(inside)][inside] - final["corrector"][inside]
    assert 1e-4 < np.abs(shift).max() < 0.3 * np.abs(final["corrector"]).max()


def test_a_comparison_begins_from_no_other_dislocation(iron: Relaxed, tmp_path: Path) -> None:
    other = iron.arrays | {"sites": iron.arrays["sites"] + 0.1}
    with pytest.raises(ValueError, match="no narrower cylinder of the same dislocation"):
        comparison_equilibrium(
            MPI.COMM_SELF,
            IRON,
            iron.material,
            "screw",
            20.0,
            5.0,
            start_path=stored(tmp_path, "other", other),
        )


def test_a_relaxation_cut_short_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_cylinder, "MOST_STEPS", 8)
    monkeypatch.setattr(reference_cylinder, "MOST_EVALUATIONS", 3)
    with pytest.raises(
        EquilibriumError, match=r"dislocation of 7\.\d Å \(.*'eam/fs' for Fe\) did not end: .* 1e-06"
    ):
        rough_equilibrium(MPI.COMM_SELF, IRON, iron_material(), "screw", 8.0, 5.0)


def test_the_potentials_own_minimiser_takes_over_where_steps_by_forces_do_not_arrive(
    iron: Relaxed, final: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference_cylinder, "MOST_STEPS", 8)
    found = rough_equilibrium(MPI.COMM_SELF, IRON, iron.material, "screw", RADIUS, 5.0, force_tolerance=1e-8)
    assert found["residual_force"] <= 1e-8
    assert found["force_evaluations"] > 50
    np.testing.assert_allclose(found["corrector"], final["corrector"], rtol=0, atol=1e-6)


def test_a_tolerance_below_rounding_is_an_error(iron: Relaxed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_cylinder, "MOST_EVALUATIONS", 20)
    with pytest.raises(EquilibriumError, match="wanted: 1e-20"):
        polish_equilibrium(
            MPI.COMM_SELF, IRON, iron.material, iron.rough, list(iron.hessian), force_tolerance=1e-20
        )
