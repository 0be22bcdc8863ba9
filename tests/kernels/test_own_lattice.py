"""Potentials relaxed in lattices of their own: against the cylinders and the equilibria of those lattices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernels.ace import SharedForces, basis_of
from kernels.blocks import estimate_block
from kernels.core_shift import core_shift
from kernels.cores import OTHER_MINIMUM
from kernels.cylinders import clamped_cylinder
from kernels.dislocations import stroh_displacement
from kernels.elasticity import bulk_properties_grid, elastic_rows, material_of_fit
from kernels.equilibrium import shell_width
from kernels.inputs import load_arrays
from kernels.other_core import other_core
from kernels.own_lattice import (
    OwnLatticeError,
    SimulatedCylinder,
    fitted_parameters,
    parameters_of,
    with_parameter,
)
from kernels.own_response import own_estimates, own_response_map, pulled
from kernels.points import relax_point
from kernels.response import strain_factors, triangle
from kernels.rows import cylinder_rows
from tests.kernels.every_dislocation import EVERY_NAME, MATERIALS
from tests.kernels.iron import IRON, stored
from tests.kernels.perturbed import BASIS, COMM, EDGES, RADIUS, OwnReference, Study, own_reference_of
from tests.kernels.ranks import on_ranks

TOLERANCE = 1e-7
# Misfits of which the largest changes the lattice constant by about a part in 400, the shears by 3 %.
SMALLER_EPSILONS = (2.5e-4, 1.25e-4, 6.25e-5, 0.0)


@dataclass(frozen=True)
class Fitted:
    """A fit to iron, its own crystal, and the artefacts that it is relaxed with."""

    study: Study
    elastic: str
    own: dict[str, Any]

    def simulated(
        self, equilibrium: str, material: dict[str, Any], coefficients: Any = None
    ) -> SimulatedCylinder:
        fitted = self.study.coefficients[0] if coefficients is None else coefficients
        return SimulatedCylinder.of_potential(
            load_arrays(equilibrium), material, "screw", load_arrays(self.elastic), fitted, BASIS["cutoff"]
        )

    def point(self, equilibrium: str, material: dict[str, Any], **changes: Any) -> dict[str, Any]:
        asked = {
            "basis": BASIS,
            "material": material,
            "dislocation": "screw",
            "equilibrium": equilibrium,
            "fit": self.study.fit,
            "weighting": 0,
            "tolerance": TOLERANCE,
            "most_evaluations": 60,
            "radial_edges": EDGES,
            "elastic": self.elastic,
            "keep_corrector": True,
        }
        return relax_point(COMM, **asked | changes)


@pytest.fixture(scope="module")
def fitted(iron: Study, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    rows = elastic_rows(COMM, basis=BASIS, material=iron.material, structure="bcc")
    own = material_of_fit(rows, iron.coefficients[0], iron.material)
    assert own is not None
    # there is something to see
    assert abs(own["lattice_constant"] - iron.material["lattice_constant"]) > 1e-5
    return Fitted(iron, stored(tmp_path_factory.mktemp("elastic"), "elastic", rows), own)


@pytest.fixture(scope="module")
def in_own_lattice(fitted: Fitted, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An equilibrium whose lattice is the fit's own, its corrector that of iron: no one relaxed it."""
    with np.load(fitted.study.equilibrium) as file:
        state = dict(file)
    scale = fitted.own["lattice_constant"] / fitted.study.material["lattice_constant"]
    width = shell_width(fitted.own, RADIUS, fitted.own["cutoff"])
    cylinder = clamped_cylinder("screw", fitted.own, scale * RADIUS, width)
    arrays = ordered_as(cylinder.arrays(), scale * state["sites"][state["free"]])
    count = len(arrays["free"].nonzero()[0])
    corrector = np.zeros_like(cylinder.sites)
    corrector[:count] = state["corrector"][:count]
    kept = {name: state[name] for name in state if name.startswith("hessian_")}
    energy = {"energy": np.array(0.0)}
    whole = arrays | {"corrector": corrector} | kept | energy
    return stored(tmp_path_factory.mktemp("own"), "equilibrium", whole)


def ordered_as(arrays: dict[str, Any], wanted: np.ndarray) -> dict[str, Any]:
    """Begin with some sites: rounding exchanges those at one distance from the line."""
    sites = arrays["sites"]
    first = np.array([int(np.argmin(np.linalg.norm(sites - site, axis=1))) for site in wanted])
    np.testing.assert_allclose(sites[first], wanted, rtol=0, atol=1e-8)
    order = np.append(first, np.setdiff1d(np.arange(len(sites)), first))
    assert len(order) == len(sites)
    by_site = {name: arrays[name][order] for name in ("sites", "predictor", "free", "opening")}
    return arrays | by_site | {"bonds": np.argsort(order)[arrays["bonds"]]}


def test_a_fits_crystal_is_what_the_store_says_of_it(fitted: Fitted) -> None:
    rows = load_arrays(fitted.elastic)
    grid = bulk_properties_grid(rows, fitted.study.coefficients[:1], fitted.study.material)
    length = fitted.study.material["lattice_constant"] + grid["lattice_error"][0]
    assert fitted.own["lattice_constant"] == pytest.approx(length, abs=1e-12)
    for name in ("C11", "C12", "C44"):
        assert fitted.own[name] == pytest.approx(grid[name.lower()][0], rel=1e-12)


def test_the_cylinder_is_that_of_the_fits_own_material(fitted: Fitted, in_own_lattice: str) -> None:
    simulated = fitted.simulated(fitted.study.equilibrium, fitted.study.material)
    own = load_arrays(in_own_lattice)
    count = int(own["free"].sum())
    assert int(simulated.free.sum()) == count
    assert simulated.period == pytest.approx(float(own["period"]), abs=1e-12)
    for name in ("sites", "predictor"):
        np.testing.assert_allclose(getattr(simulated, name)[:count], own[name][:count], rtol=0, atol=1e-8)
    assert not simulated.free[count:].any()


def test_a_corrector_does_not_depend_on_the_reference(fitted: Fitted, in_own_lattice: str) -> None:
    """In its own lattice the fit is relaxed to one core, from either reference: and with either kind of predictor."""
    here = fitted.point(fitted.study.equilibrium, fitted.study.material)
    there = fitted.point(in_own_lattice, fitted.own)
    # the lattice of this equilibrium is the fit's: nothing is left to choose
    same = fitted.point(in_own_lattice, fitted.own, elastic=None)
    assert here["status"] == there["status"] == same["status"] == "relaxed"
    for point in (there, same):
        np.testing.assert_allclose(point["corrector"], here["corrector"], rtol=0, atol=1e-5)
        assert point["geometry_error"] == pytest.approx(here["geometry_error"], abs=1e-5)
    # and it is another one than on the reference's lattice and predictor
    on_reference = fitted.point(fitted.study.equilibrium, fitted.study.material, elastic=None)
    assert np.abs(on_reference["corrector"] - here["corrector"]).max() > 1e-4


def test_nothing_pushes_the_atoms_where_it_ends(fitted: Fitted) -> None:
    point = fitted.point(fitted.study.equilibrium, fitted.study.material)
    simulated = fitted.simulated(fitted.study.equilibrium, fitted.study.material)
    positions = simulated.displaced(point["corrector"])
    forces = SharedForces(
        COMM, basis_of(BASIS), positions, simulated.period, simulated.free, exact=True
    ).forces(np.ascontiguousarray(fitted.study.coefficients[0]), positions)
    assert np.abs(forces).max() < 2 * TOLERANCE


def test_only_correctors_are_compared(fitted: Fitted) -> None:
    point = fitted.point(fitted.study.equilibrium, fitted.study.material)
    assert not any(name.startswith("energy") for name in point)
    state = load_arrays(fitted.study.equilibrium)
    difference = np.zeros_like(state["corrector"])
    difference[state["free"]] = point["corrector"] - state["corrector"][state["free"]]
    squares = sum(
        float(np.sum((difference[second] - difference[first]) ** 2)) for first, second in state["bonds"]
    )
    assert point["geometry_error"] == pytest.approx(np.sqrt(squares), rel=1e-12)
    assert np.sqrt(np.sum(np.square(point["strain_error_profile"]))) == pytest.approx(point["geometry_error"])


def test_a_fit_without_a_crystal_of_its_own_is_not_relaxed(fitted: Fitted, tmp_path: Path) -> None:
    negated = -fitted.study.coefficients[:1]
    assert material_of_fit(load_arrays(fitted.elastic), negated[0], fitted.study.material) is None
    with pytest.raises(OwnLatticeError, match="no stable crystal"):
        fitted.simulated(fitted.study.equilibrium, fitted.study.material, negated[0])
    fit = stored(tmp_path, "negated", {"coefficients": negated})
    point = fitted.point(fitted.study.equilibrium, fitted.study.material, fit=fit)
    assert point["status"] == "unconverged"
    assert "no stable crystal" in point["message"]
    assert "geometry_error" not in point


def test_two_ranks_agree(fitted: Fitted, tmp_path: Path) -> None:
    alone = fitted.point(fitted.study.equilibrium, fitted.study.material)
    together = on_ranks(
        2,
        "kernels.points:relax_point",
        tmp_path,
        basis=BASIS,
        material=fitted.study.material,
        dislocation="screw",
        equilibrium=fitted.study.equilibrium,
        fit=fitted.study.fit,
        weighting=0,
        tolerance=TOLERANCE,
        most_evaluations=60,
        radial_edges=EDGES,
        elastic=fitted.elastic,
    )
    assert float(together["geometry_error"]) == pytest.approx(alone["geometry_error"], rel=1e-6)


def test_another_core_is_seen_in_an_own_lattice(fitted: Fitted) -> None:
    """By its form, and by its place: the fit's elastic field, with the line in another valley, is no core of iron's."""
    equilibrium, material = fitted.study.equilibrium, fitted.study.material
    state, simulated = load_arrays(equilibrium), fitted.simulated(equilibrium, material)
    burgers = float(np.linalg.norm(state["burgers"]))
    nearest = int(np.argmin(np.linalg.norm(state["sites"][:, :2], axis=1)))

    def judged(corrector: np.ndarray) -> str:
        return other_core(equilibrium, material, "screw", corrector[state["free"]], simulated)

    for share, other in ((0.0, False), (0.09, False), (0.11, True)):
        bent = state["corrector"].copy()
        bent[nearest, 2] += share * burgers
        assert ("different cores" in judged(bent)) == other
        assert bool(judged(bent)) == other
    elastic = {name: fitted.own[name] for name in ("C11", "C12", "C44", "lattice_constant")}
    own = simulated.sites[simulated.free]
    count = len(own)
    for share in (0.05, 1.0):
        line = share * np.array([np.sqrt(6.0) / 3.0 * fitted.own["lattice_constant"], 0.0, 0.0])
        there, here = (
            stroh_displacement("screw", "bcc", points=own - at, **elastic) for at in (line, 0.0 * line)
        )
        moved = state["corrector"][state["free"]] + there - here
        shift = core_shift(equilibrium, material, "screw", moved, simulated)
        assert (shift > OTHER_MINIMUM * burgers) == (share == 1.0)
    corrector = state["corrector"].copy()
    corrector[state["free"]] = moved
    assert "Å apart" in judged(corrector)
    assert count == int(state["free"].sum())


def test_a_blocks_estimates_are_those_of_its_own_lattices(fitted: Fitted, tmp_path: Path) -> None:
    study = fitted.study
    response = own_response_map(
        COMM,
        potential=IRON,
        basis=BASIS,
        material=study.material,
        dislocation="screw",
        equilibrium=study.equilibrium,
        radial_edges=EDGES,
    )
    block = estimate_block(
        COMM,
        fit=study.fit,
        own_response=stored(tmp_path, "response", response),
        elastic=fitted.elastic,
        material=study.material,
    )
    assert block["status"] == ["estimated", "estimated", "excluded"]
    estimate, profile = (block[name] for name in ("geometry_estimate", "strain_error_profile_estimate"))
    rows = load_arrays(fitted.elastic)
    without = [material_of_fit(rows, each, study.material) is None for each in study.coefficients]
    assert np.isnan(estimate).tolist() == without
    assert without[0] is False
    assert not any("energy_estimate" in name or name == "trust_ratio" for name in block)
    # the bins part all bonds among them
    np.testing.assert_allclose(np.linalg.norm(profile, axis=1), estimate, rtol=1e-9)
    point = fitted.point(study.equilibrium, study.material)
    assert estimate[0] == pytest.approx(point["geometry_error"], rel=0.2)


@pytest.mark.parametrize(("kind", "structure"), EVERY_NAME)
def test_every_dislocation_has_the_same_sites_in_another_lattice(
    kind: str, structure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a fit's crystal is: here one that is given."""
    material = MATERIALS[structure] | {"cutoff": 4.0}
    state = clamped_cylinder(kind, material, 12.0, shell_width(material, 12.0, 4.0)).arrays()
    for scale in (0.99, 1.01):
        own = material | {
            "lattice_constant": scale * material["lattice_constant"],
            "C11": 1.1 * material["C11"],
        }
        monkeypatch.setattr("kernels.own_lattice.material_of_fit", lambda *_, own=own: own)
        simulated = SimulatedCylinder.of_potential(state, material, kind, {}, np.zeros(1), 4.0)
        assert simulated.free.sum() == state["free"].sum()
        sites = simulated.sites[simulated.free] / scale
        np.testing.assert_allclose(sites, state["sites"][state["free"]], rtol=0, atol=1e-6)
        np.testing.assert_allclose(simulated.burgers / scale, state["burgers"], rtol=0, atol=1e-9)


BCC = {"element": "W", "structure": "bcc", "lattice_constant": 3.16, "C11": 522.0, "C12": 204.0, "C44": 161.0}
DIAMOND = {"element": "Si", "structure": "diamond", "lattice_constant": 5.43, "C11": 151.0, "C12": 76.0}
DIAMOND |= {"C44": 56.0, "internal_shift": -0.7}


@pytest.mark.parametrize(("kind", "material"), [("screw", BCC), ("edge", BCC), ("60degree", DIAMOND)])
def test_atoms_move_with_the_parameters_as_whole_cylinders_do(kind: str, material: dict[str, Any]) -> None:
    """Were every force the atom's own place, or the period, its derivative would be that of the cylinder built anew."""
    state = clamped_cylinder(kind, material, 7.0, 9.0).arrays()
    state["corrector"] = np.zeros_like(state["sites"])
    free, period = state["free"], float(state["period"])
    moved = pulled(state, material, kind, lambda where, _: where[free])
    stretched = pulled(state, material, kind, lambda _, along: np.array([[along]]))
    for column, name in enumerate(parameters_of(material)):
        placed = []
        for step in (1e-3, -1e-3):
            changed = with_parameter(material, name, step)
            scale = changed["lattice_constant"] / material["lattice_constant"]
            arrays = clamped_cylinder(kind, changed, scale * 7.0, 9.0).arrays()
            ordered = ordered_as(arrays, scale * state["sites"][free])
            placed.append((ordered["sites"] + ordered["predictor"])[: free.sum()])
        rate = (placed[0] - placed[1]) / 2e-3
        assert np.abs(rate).max() > 1e-3
        np.testing.assert_allclose(moved[:, column], rate.ravel(), rtol=0, atol=1e-4)
        assert stretched[0, column] == pytest.approx(period * (name == "lattice_constant"), abs=1e-9)


def test_estimates_become_exact_as_the_misfit_shrinks(
    fitted: Fitted, in_own_lattice: str, tmp_path: Path
) -> None:
    """The fit is its own reference in its own lattice; perturbed, it has another lattice and another predictor."""
    study = Study(fitted.own, in_own_lattice, fitted.study.fit, fitted.study.coefficients)
    reference = own_reference_of(study, tmp_path, SMALLER_EPSILONS)
    coefficients = load_arrays(reference.fit)["coefficients"]
    parameters = fitted_parameters(load_arrays(fitted.elastic), coefficients, fitted.own)
    # the last is the reference itself
    assert np.abs(parameters[-1]).max() < 1e-12
    assert np.abs(parameters[0, 0]) > 1e-6
    response = made_by_the_fit(reference, fitted)
    estimate = own_estimates(response, coefficients, parameters)["geometry_estimate"]
    points = [
        fitted.point(reference.equilibrium, fitted.own, fit=reference.fit, weighting=w) for w in range(3)
    ]
    assert [point["status"] for point in points] == ["relaxed"] * 3
    geometry = np.array([point["geometry_error"] for point in points])
    missed = np.abs(estimate[:3] - geometry) / geometry
    assert missed[-1] < 0.01
    # what first order leaves out is of second order
    assert missed[1] / missed[0] == pytest.approx(0.5, abs=0.1)
    assert missed[2] / missed[1] == pytest.approx(0.5, abs=0.1)
    # what lattice and predictor add is not small beside that
    without = own_estimates(response, coefficients, 0.0 * parameters)["geometry_estimate"]
    assert np.abs(without[2] - geometry[2]) > 5 * missed[2] * geometry[2]


def made_by_the_fit(reference: OwnReference, fitted: Fitted) -> dict[str, Any]:
    """The map of `own_response_map`, the reference's forces those of the fit."""
    state = load_arrays(reference.equilibrium)
    basis, unperturbed = basis_of(BASIS), load_arrays(reference.fit)["coefficients"][-1]

    def forces(positions: np.ndarray, period: float) -> np.ndarray:
        shared = SharedForces(COMM, basis, positions, period, state["free"], exact=True)
        return shared.forces(np.ascontiguousarray(unperturbed), positions)

    pulls = pulled(state, fitted.own, "screw", forces)
    rows, _ = cylinder_rows(COMM, basis, state)
    factors, _ = strain_factors(state, reference.equilibrium, np.hstack([rows, pulls]), np.array(EDGES))
    return {"geometry_factor": triangle(np.vstack(factors)), "profile_factors": factors[:-1]}
