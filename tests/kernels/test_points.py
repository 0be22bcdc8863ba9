"""Estimates and relaxations of points, against an equilibrium of the very potential that is perturbed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernels.ace import SharedForces, basis_of
from kernels.blocks import estimate_block
from kernels.core_shift import core_shift
from kernels.cores import OTHER_MINIMUM
from kernels.dislocations import stroh_displacement
from kernels.environments import cylinder_environments
from kernels.other_core import other_core
from kernels.points import relax_point
from kernels.response import response_map
from tests.kernels.iron import stored
from tests.kernels.perturbed import BASIS, COMM, EDGES, EPSILONS, OwnReference, Study
from tests.kernels.ranks import on_ranks


def relaxed_point(study: Study, equilibrium: str, fit: str, weighting: int, **others: Any) -> dict[str, Any]:
    # the kernel's table leaves some 1e-10 eV/Å that no relaxation can take away
    settings = {"tolerance": 3e-9, "most_evaluations": 60, "radial_edges": EDGES} | others
    return relax_point(
        COMM,
        basis=BASIS,
        material=study.material,
        dislocation="screw",
        equilibrium=equilibrium,
        fit=fit,
        weighting=weighting,
        **settings,
    )


def test_the_reference_itself_has_no_error(iron: Study, own_reference: OwnReference) -> None:
    point = relaxed_point(iron, own_reference.equilibrium, own_reference.fit, EPSILONS.index(0.0))
    assert point["status"] == "relaxed"
    assert point["geometry_error"] < 1e-8
    assert point["energy_error"] < 1e-10
    estimate = estimate_block(COMM, fit=own_reference.fit, response=own_reference.response)
    assert estimate["geometry_estimate"][-1] < 1e-8
    assert abs(estimate["energy_estimate"][-1]) < 1e-10


def test_estimates_become_exact_as_the_misfit_shrinks(iron: Study, own_reference: OwnReference) -> None:
    estimate = estimate_block(COMM, fit=own_reference.fit, response=own_reference.response)
    points = [relaxed_point(iron, own_reference.equilibrium, own_reference.fit, w) for w in range(3)]
    assert [point["status"] for point in points] == ["relaxed"] * 3
    geometry = np.array([point["geometry_error"] for point in points])
    energy = np.array([point["energy_difference"] for point in points])
    # what first order leaves out of the geometry is of second order, of the energy of third
    missed = np.abs(estimate["geometry_estimate"][:3] - geometry) / geometry
    assert missed[-1] < 0.05
    assert missed[1] / missed[0] == pytest.approx(0.5, abs=0.15)
    assert missed[2] / missed[1] == pytest.approx(0.5, abs=0.1)
    left = np.abs(estimate["energy_estimate"][:3] - energy)
    assert left[2] < 0.3 * left[1] < 0.09 * left[0]
    assert abs(energy[2]) > 100 * left[2]


def test_a_block_tells_its_excluded_weightings(iron: Study, own_reference: OwnReference) -> None:
    estimate = estimate_block(COMM, fit=iron.fit, response=own_reference.response)
    assert estimate["status"] == ["estimated", "estimated", "excluded"]
    assert np.isnan(estimate["geometry_estimate"]).tolist() == [False, False, True]
    assert "coefficients" not in estimate


def test_fits_to_the_reference_are_relaxed(iron: Study) -> None:
    point = relaxed_point(iron, iron.equilibrium, iron.fit, 0, tolerance=1e-6)
    assert point["status"] == "relaxed"
    assert point["residual_force"] <= 1e-6
    assert 0.0 < point["geometry_error"] < 1.0
    assert np.sqrt(np.sum(np.square(point["strain_error_profile"]))) == pytest.approx(point["geometry_error"])


def test_a_point_does_not_depend_on_those_before_it(iron: Study) -> None:
    first, other, again = (
        relaxed_point(iron, iron.equilibrium, iron.fit, w, tolerance=1e-6) for w in (0, 1, 0)
    )
    for point in (first, other, again):
        point.pop("wall_time")
    assert first == again
    assert first != other


def test_sums_do_not_depend_on_what_was_evaluated_before(iron: Study) -> None:
    with np.load(iron.equilibrium) as file:
        state = dict(file)
    positions = state["sites"] + state["predictor"] + state["corrector"]
    basis, fitted = basis_of(BASIS), np.ascontiguousarray(iron.coefficients[0])
    first = SharedForces.of(COMM, basis, iron.equilibrium)
    forces = first.forces(fitted, positions)
    # far enough that the lists are made again, and about there
    moved = (
        positions + 0.2 * np.random.default_rng(0).standard_normal(positions.shape) * state["free"][:, None]
    )
    first.forces(fitted, moved)
    # and a much wider environment, whose padding must not stay
    wide = cylinder_environments(positions, float(state["period"]), 7.5, np.arange(5))
    basis.energies_and_gradients(fitted, wide.vectors(positions), wide.mask)
    again = SharedForces.of(COMM, basis, iron.equilibrium)
    assert again._listed_at is not first._listed_at
    assert again.evaluations == 0
    np.testing.assert_array_equal(again.forces(fitted, positions), forces)


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_agree_on_a_point(iron: Study, tmp_path: Path, ranks: int) -> None:
    alone = relaxed_point(iron, iron.equilibrium, iron.fit, 0, tolerance=1e-8)
    together = on_ranks(
        ranks,
        "kernels.points:relax_point",
        tmp_path,
        basis=BASIS,
        material=iron.material,
        dislocation="screw",
        equilibrium=iron.equilibrium,
        fit=iron.fit,
        weighting=0,
        tolerance=1e-8,
        most_evaluations=60,
        radial_edges=EDGES,
    )
    assert float(together["geometry_error"]) == pytest.approx(alone["geometry_error"], rel=1e-8)
    assert float(together["energy_difference"]) == pytest.approx(alone["energy_difference"], rel=1e-6)
    assert int(together["force_evaluations"]) == alone["force_evaluations"]


def test_what_does_not_converge_gives_no_errors(iron: Study) -> None:
    point = relaxed_point(iron, iron.equilibrium, iron.fit, 0, tolerance=1e-6, most_evaluations=2)
    assert point["status"] == "unconverged"
    assert "out of evaluations" in point["message"]
    assert "geometry_error" not in point
    assert point["residual_force"] > 1e-6


def test_a_maximum_is_never_called_relaxed(iron: Study, own_reference: OwnReference, tmp_path: Path) -> None:
    """The negated reference has no forces at its own equilibrium either."""
    with np.load(own_reference.fit) as file:
        negated = stored(
            tmp_path, "negated", {"coefficients": -file["coefficients"], "excluded": file["excluded"]}
        )
    point = relaxed_point(iron, own_reference.equilibrium, negated, EPSILONS.index(0.0), most_evaluations=20)
    assert point["relative_stiffness"] < 0.0
    assert point["status"] != "relaxed"
    assert "geometry_error" not in point


def test_newton_krylov_relaxes_a_point_whose_chord_is_wrong(iron: Study, tmp_path: Path) -> None:
    """With a Hessian ten thousand times too stiff the chord creeps; the second method needs it only as a scale."""
    with np.load(iron.equilibrium) as file:
        state = dict(file)
    stiff = stored(tmp_path, "stiff", state | {"hessian_data": 1e4 * state["hessian_data"]})
    right = relaxed_point(iron, iron.equilibrium, iron.fit, 0, tolerance=1e-8)
    point = relaxed_point(iron, stiff, iron.fit, 0, tolerance=1e-8, most_evaluations=4)
    assert point["status"] == "unconverged", "four evaluations cannot do for either"
    point = relaxed_point(iron, stiff, iron.fit, 0, tolerance=1e-8, most_evaluations=60)
    assert point["status"] == "relaxed"
    assert point["force_evaluations"] > 13, "the chord's patience must have run out first"
    assert point["geometry_error"] == pytest.approx(right["geometry_error"], rel=1e-5)


def test_a_response_that_is_known_saves_the_first_evaluation(iron: Study, tmp_path: Path) -> None:
    response = stored(tmp_path, "response", response_map(COMM, basis=BASIS, equilibrium=iron.equilibrium))
    plain, known = (
        relaxed_point(iron, iron.equilibrium, iron.fit, 0, tolerance=1e-8, **more)
        for more in ({}, {"response": response})
    )
    assert known["force_evaluations"] == plain["force_evaluations"] - 1
    assert known["newton_steps"] == plain["newton_steps"]
    assert known["geometry_error"] == pytest.approx(plain["geometry_error"], rel=1e-6)


def without_hessian(equilibrium: str, folder: Path) -> str:
    with np.load(equilibrium) as file:
        return stored(
            folder, "bare", {name: file[name] for name in file.files if not name.startswith("hessian")}
        )


def test_an_equilibrium_without_a_hessian_relaxes_by_the_laplacian(iron: Study, tmp_path: Path) -> None:
    bare = without_hessian(iron.equilibrium, tmp_path)
    right, point = (
        relaxed_point(iron, path, iron.fit, 0, tolerance=1e-8) for path in (iron.equilibrium, bare)
    )
    assert point["status"] == "relaxed"
    assert point["residual_force"] <= 1e-8
    assert point["geometry_error"] == pytest.approx(right["geometry_error"], rel=1e-5)
    assert point["energy_difference"] == pytest.approx(right["energy_difference"], rel=1e-5)
    assert point["force_evaluations"] > right["force_evaluations"]
    assert "relative_stiffness" not in point


def test_an_equilibrium_without_a_hessian_has_no_estimates(iron: Study, tmp_path: Path) -> None:
    bare = without_hessian(iron.equilibrium, tmp_path)
    response = response_map(COMM, basis=BASIS, equilibrium=bare)
    whole = response_map(COMM, basis=BASIS, equilibrium=iron.equilibrium)
    for name in ("energy_linear", "reference_energy", "force_rows"):
        np.testing.assert_array_equal(response[name], whole[name])
    block = estimate_block(COMM, fit=iron.fit, response=stored(tmp_path, "response", response))
    assert block["status"] == ["estimated", "estimated", "excluded"]
    assert np.isnan(block["geometry_estimate"]).all()
    assert np.isnan(block["energy_estimate"]).all()


def test_a_maximum_is_never_called_relaxed_without_a_hessian_either(
    iron: Study, own_reference: OwnReference, tmp_path: Path
) -> None:
    with np.load(own_reference.fit) as file:
        negated = stored(
            tmp_path, "negated", {"coefficients": -file["coefficients"], "excluded": file["excluded"]}
        )
    bare = without_hessian(own_reference.equilibrium, tmp_path)
    point = relaxed_point(iron, bare, negated, EPSILONS.index(0.0), most_evaluations=20)
    assert point["status"] != "relaxed"
    assert "geometry_error" not in point


def test_a_core_that_moved_is_seen(iron: Study) -> None:
    with np.load(iron.equilibrium) as file:
        state = dict(file)
    free = np.flatnonzero(state["free"])
    elastic = {name: iron.material[name] for name in ("C11", "C12", "C44", "lattice_constant")}

    def moved_by(line: np.ndarray) -> float:
        shifted = stroh_displacement("screw", "bcc", points=state["sites"] - [*line, 0.0], **elastic)
        there = stroh_displacement("screw", "bcc", points=state["sites"], **elastic)
        corrector = (state["corrector"] + shifted - there)[free]
        return core_shift(iron.equilibrium, iron.material, "screw", corrector)

    burgers = float(np.linalg.norm(state["burgers"]))
    glide = np.array([np.sqrt(6.0) / 3.0 * iron.material["lattice_constant"], 0.0])
    assert moved_by(0.0 * glide) == pytest.approx(0.0, abs=1e-6)
    assert moved_by(0.05 * glide) < OTHER_MINIMUM * burgers
    assert moved_by(glide) > OTHER_MINIMUM * burgers


def test_a_core_of_another_form_is_seen_where_it_did_not_move(iron: Study) -> None:
    with np.load(iron.equilibrium) as file:
        state = dict(file)
    burgers = float(np.linalg.norm(state["burgers"]))
    nearest = int(np.argmin(np.linalg.norm(state["sites"][:, :2], axis=1)))

    def judged(share: float) -> str:
        corrector = state["corrector"].copy()
        corrector[nearest, 2] += share * burgers
        return other_core(iron.equilibrium, iron.material, "screw", corrector[state["free"]])

    assert judged(0.0) == judged(0.09) == ""
    assert "a bond at" in judged(0.11)
    assert "different cores" in judged(0.11)
