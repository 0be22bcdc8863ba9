"""Estimates by the bin, the second step of linear response, and the core's stiffness: against exact ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.linalg import eigh

from kernels import response as response_module
from kernels import softness
from kernels.ace import SharedForces, basis_of
from kernels.blocks import estimate_block
from kernels.errors import strain_profile
from kernels.factorisation import factor_of
from kernels.inputs import load_arrays
from kernels.response import estimates, response_map
from kernels.softness import MOST_ATOMS, core_atoms
from tests.kernels.iron import stored
from tests.kernels.perturbed import BASIS, COMM, EDGES, EPSILONS, OwnReference, Study
from tests.kernels.ranks import on_ranks


def block_of(own: OwnReference, fit: str | None = None, **others: Any) -> dict[str, Any]:
    known = {"response": own.response, "basis": BASIS, "equilibrium": own.equilibrium}
    return estimate_block(COMM, fit=fit or own.fit, **known, **others)


def with_coefficients(folder: Path, coefficients: np.ndarray) -> str:
    excluded = np.zeros(len(coefficients), dtype=bool)
    return stored(folder, "some-fit", {"coefficients": coefficients, "excluded": excluded})


def test_the_profile_is_that_of_the_response(own_reference: OwnReference) -> None:
    response, state = load_arrays(own_reference.response), load_arrays(own_reference.equilibrium)
    fitted = load_arrays(own_reference.fit)["coefficients"][:1]
    field = np.zeros_like(state["sites"])
    field[state["free"]] = (
        factor_of(own_reference.equilibrium).solve(response["force_rows"] @ fitted[0]).reshape(-1, 3)
    )
    wanted = strain_profile(state["bonds"], field, state["sites"], np.array(EDGES))
    found = estimates(response, fitted)
    np.testing.assert_allclose(found["strain_error_profile_estimate"][0], wanted, rtol=1e-8)
    assert np.sqrt(np.sum(wanted**2)) == pytest.approx(found["geometry_estimate"][0], rel=1e-8)


def test_memory_decides_nothing(own_reference: OwnReference, monkeypatch: pytest.MonkeyPatch) -> None:
    """A triangle that grows by a few bonds at a time is that of all at once, but for its rows' signs."""
    monkeypatch.setattr(response_module, "WORKING_BYTES", 20_000)
    few = response_map(COMM, basis=BASIS, equilibrium=own_reference.equilibrium, radial_edges=EDGES)
    whole = load_arrays(own_reference.response)
    for name in ("geometry_factor", "profile_factors"):
        gram = np.swapaxes(few[name], -1, -2) @ few[name]
        expected = np.swapaxes(whole[name], -1, -2) @ whole[name]
        np.testing.assert_allclose(gram, expected, rtol=0, atol=1e-9 * np.abs(expected).max())


def test_bonds_in_no_bin_count_in_the_norm(own_reference: OwnReference) -> None:
    part = response_map(COMM, basis=BASIS, equilibrium=own_reference.equilibrium, radial_edges=[0.0, 5.0])
    fitted = load_arrays(own_reference.fit)["coefficients"]
    some, whole = estimates(part, fitted), estimates(load_arrays(own_reference.response), fitted)
    np.testing.assert_allclose(some["geometry_estimate"], whole["geometry_estimate"], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(
        some["strain_error_profile_estimate"][:, 0],
        whole["strain_error_profile_estimate"][:, 0],
        rtol=1e-8,
        atol=1e-12,
    )


def test_the_energy_has_its_affine_part_before_anything_relaxes(own_reference: OwnReference) -> None:
    state = load_arrays(own_reference.equilibrium)
    fitted = load_arrays(own_reference.fit)["coefficients"]
    found = estimates(load_arrays(own_reference.response), fitted)
    placed = state["sites"] + state["predictor"]
    shared = SharedForces.of(COMM, basis_of(BASIS), own_reference.equilibrium, exact=True)
    energies = [
        shared.site_energies(np.ascontiguousarray(fitted[0]), where).sum()
        for where in (placed + state["corrector"], placed)
    ]
    wanted = energies[0] - energies[1] - float(state["energy"])
    assert found["energy_estimate_affine"][0] == pytest.approx(wanted, abs=1e-9)
    # what relaxes lowers the energy
    assert (found["energy_estimate"][:3] < found["energy_estimate_affine"][:3]).all()


def test_the_second_step_shrinks_with_the_misfit(own_reference: OwnReference) -> None:
    ratios = block_of(own_reference)["trust_ratio"]
    assert ratios[0] > ratios[1] > ratios[2] > 0.0
    # of first order in the misfit, like the epsilons
    assert ratios[1] / ratios[0] == pytest.approx(EPSILONS[1] / EPSILONS[0], rel=0.2)
    assert ratios[2] / ratios[1] == pytest.approx(EPSILONS[2] / EPSILONS[1], rel=0.1)


def test_the_second_step_is_what_the_first_missed(own_reference: OwnReference) -> None:
    """θ is the share of the first step by which two steps go further or less far."""
    state, response = load_arrays(own_reference.equilibrium), load_arrays(own_reference.response)
    fitted = np.ascontiguousarray(load_arrays(own_reference.fit)["coefficients"][0])
    factor = factor_of(own_reference.equilibrium)
    shared = SharedForces.of(COMM, basis_of(BASIS), own_reference.equilibrium, exact=True)
    steps = [factor.solve(response["force_rows"] @ fitted)]
    positions = state["sites"] + state["predictor"] + state["corrector"]
    positions[state["free"]] += steps[0].reshape(-1, 3)
    steps.append(factor.solve(shared.forces(fitted, positions).ravel()))
    norms = []
    for step in steps:
        field = np.zeros_like(state["sites"])
        field[state["free"]] = step.reshape(-1, 3)
        norms.append(np.linalg.norm(field[state["bonds"][:, 1]] - field[state["bonds"][:, 0]]))
    assert block_of(own_reference)["trust_ratio"][0] == pytest.approx(norms[1] / norms[0], rel=1e-4)


def test_only_what_is_asked_for_is_checked(own_reference: OwnReference) -> None:
    whole, some = (block_of(own_reference, checked=which)["trust_ratio"] for which in (None, [2, 0]))
    assert np.isfinite(whole).all()
    assert np.isnan(some).tolist() == [False, True, False, True]
    np.testing.assert_array_equal(some[[0, 2]], whole[[0, 2]])
    assert np.isnan(
        estimate_block(COMM, fit=own_reference.fit, response=own_reference.response)["trust_ratio"]
    ).all()


def test_blow_ups_are_infinite_and_broken_fits_unknown(own_reference: OwnReference, tmp_path: Path) -> None:
    fitted = load_arrays(own_reference.fit)["coefficients"][:3].copy()
    fitted[1] *= 1e4
    fitted[2, 0] = np.nan
    found = block_of(own_reference, with_coefficients(tmp_path, fitted))
    assert np.isfinite(found["trust_ratio"][0])
    assert found["trust_ratio"][1] == np.inf
    assert np.isnan(found["trust_ratio"][2])
    assert np.isnan(found["stiffness_estimate"][2])
    assert found["status"] == ["estimated", "estimated", "failed"]


def test_ranks_agree_on_a_block(own_reference: OwnReference, tmp_path: Path) -> None:
    alone = block_of(own_reference)
    known = {"response": own_reference.response, "basis": BASIS, "equilibrium": own_reference.equilibrium}
    together = on_ranks(2, "kernels.blocks:estimate_block", tmp_path, fit=own_reference.fit, **known)
    np.testing.assert_allclose(together["trust_ratio"][:3], alone["trust_ratio"][:3], rtol=1e-6)


def test_ranks_agree_on_a_response(own_reference: OwnReference, tmp_path: Path) -> None:
    together = on_ranks(
        2,
        "kernels.response:response_map",
        tmp_path,
        basis=BASIS,
        equilibrium=own_reference.equilibrium,
        radial_edges=EDGES,
    )
    alone = load_arrays(own_reference.response)
    for name in ("stiffness_rows", "stiffness_surroundings", "energy_quadratic"):
        np.testing.assert_allclose(together[name], alone[name], rtol=0, atol=1e-8 * np.abs(alone[name]).max())


def test_a_fit_that_is_the_reference_has_its_stiffness(own_reference: OwnReference) -> None:
    stiffness = block_of(own_reference)["stiffness_estimate"]
    assert stiffness[-1] == pytest.approx(1.0, abs=1e-4)
    assert (np.abs(stiffness[:-1] - 1.0) > 1e-3).all()


def test_the_stiffness_is_exact_where_every_atom_belongs_to_the_core(
    own_reference: OwnReference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then nothing is neglected: it is the lowest eigenvalue of the fit's Hessian in terms of the reference's."""
    state = load_arrays(own_reference.equilibrium)
    monkeypatch.setattr(softness, "CORE_RADIUS", 1e3)
    monkeypatch.setattr(softness, "MOST_ATOMS", 10**6)
    assert len(core_atoms(state)) == state["free"].sum()
    response = response_map(COMM, basis=BASIS, equilibrium=own_reference.equilibrium, radial_edges=EDGES)
    random = np.random.default_rng(1)
    reference = load_arrays(own_reference.fit)["coefficients"][-1]
    fitted = np.stack([reference + size * random.normal(size=len(reference)) for size in (1e-3, 1e-2, 0.05)])
    shared = SharedForces.of(COMM, basis_of(BASIS), own_reference.equilibrium, exact=True)
    positions = state["sites"] + state["predictor"] + state["corrector"]
    directions = np.eye(3 * int(state["free"].sum())).reshape(-1, int(state["free"].sum()), 3)
    hessian = factor_of(own_reference.equilibrium).matrix.toarray()
    found = estimates(response, fitted)["stiffness_estimate"]
    for coefficients, stiffness in zip(fitted, found, strict=True):
        own = np.stack([shared.hessian_product(coefficients, positions, d).ravel() for d in directions])
        lowest = eigh(0.5 * (own + own.T), hessian, eigvals_only=True, subset_by_index=[0, 0])[0]
        assert stiffness == pytest.approx(lowest, rel=1e-4, abs=1e-4)


def test_the_core_is_a_few_whole_shells(iron: Study) -> None:
    state = load_arrays(iron.equilibrium)
    core = core_atoms(state)
    away = np.hypot(state["sites"][:, 0], state["sites"][:, 1])
    assert 0 < len(core) <= MOST_ATOMS
    outside = np.setdiff1d(np.flatnonzero(state["free"]), core)
    assert away[core].max() < away[outside].min() - softness.SAME_SHELL


def test_without_a_hessian_nothing_is_checked(iron: Study, tmp_path: Path) -> None:
    with np.load(iron.equilibrium) as file:
        bare = stored(
            tmp_path, "bare", {name: file[name] for name in file.files if not name.startswith("hessian")}
        )
    response = stored(tmp_path, "response", response_map(COMM, basis=BASIS, equilibrium=bare))
    found = estimate_block(COMM, fit=iron.fit, response=response, basis=BASIS, equilibrium=bare)
    for name in ("trust_ratio", "stiffness_estimate", "strain_error_profile_estimate"):
        assert np.isnan(found[name]).all(), name
