"""Saddles are seen and left: on energies whose minima are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_matrix, diags

from kernels.factorisation import HessianFactor
from kernels.laplacian import NeighbourLaplacian
from kernels.relaxation import anderson_chord
from kernels.settling import Settling, settle
from kernels.stability import ACCURACY, MOST, followed_down, lowest_mode

SIZE = 30


class DoubleWell:
    """½ Σ k x² with k = -depth along one direction, which x⁴ closes again: minima at ±√depth·well along it."""

    def __init__(self, seed: int, depth: float = 0.5, well: float = 0.3) -> None:
        rng = np.random.default_rng(seed)
        self.rotation = np.linalg.qr(rng.standard_normal((SIZE, SIZE)))[0]
        self.reference = np.geomspace(2.0, 20.0, SIZE)
        self.stiffness = self.reference * rng.uniform(0.6, 1.4, SIZE)
        self.stiffness[0] = -depth * self.reference[0]
        self.quartic = depth * self.reference[0] / well**2
        self.bottom = well
        self.factor = HessianFactor(csc_matrix(self.rotation @ np.diag(self.reference) @ self.rotation.T))

    def forces(self, u: np.ndarray) -> np.ndarray:
        x = self.rotation.T @ u
        force = -self.stiffness * x
        force[0] -= self.quartic * x[0] ** 3
        return self.rotation @ force

    def product(self, u: np.ndarray, direction: np.ndarray) -> np.ndarray:
        x, d = self.rotation.T @ u, self.rotation.T @ direction
        bent = self.stiffness * d
        bent[0] += 3.0 * self.quartic * x[0] ** 2 * d[0]
        return self.rotation @ bent


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), depth=st.floats(0.05, 2.0))
def test_the_lowest_mode_is_the_known_one(seed: int, depth: float) -> None:
    well = DoubleWell(seed, depth)
    mode = lowest_mode(well.forces, well.factor, np.zeros(SIZE))
    assert mode.stiffness == pytest.approx(-depth, rel=ACCURACY, abs=2e-3)
    along = abs(well.rotation[:, 0] @ mode.direction) / np.linalg.norm(mode.direction)
    assert along > 0.97
    assert np.max(mode.direction) == pytest.approx(1.0)


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), depth=st.floats(0.1, 2.0))
def test_a_relaxation_that_starts_on_a_saddle_settles_in_a_well(seed: int, depth: float) -> None:
    well = DoubleWell(seed, depth)
    alone = anderson_chord(well.forces, well.factor.solve, np.zeros(SIZE), tolerance=1e-9)
    assert alone.converged, "forces alone see nothing wrong with the saddle"
    found = settle(
        well.forces, well.product, well.factor, np.zeros(SIZE), tolerance=1e-9, most_evaluations=200
    )
    assert found.settled
    assert found.stiffness is not None
    assert found.stiffness < 0.0
    assert found.saddle == pytest.approx(np.zeros(SIZE), abs=1e-9)
    bottom = well.rotation.T @ found.last.displacement
    assert abs(bottom[0]) == pytest.approx(well.bottom, abs=1e-6)
    assert bottom[1:] == pytest.approx(np.zeros(SIZE - 1), abs=1e-6)


def test_a_minimum_is_left_alone() -> None:
    well = DoubleWell(1)
    start = well.bottom * well.rotation[:, 0]
    found = settle(well.forces, well.product, well.factor, start, tolerance=1e-9, most_evaluations=200)
    assert found.settled
    assert found.saddle is None
    assert found.stiffness == pytest.approx(0.6, abs=0.45)
    assert found.stiffness > 0.0
    assert found.last.displacement == pytest.approx(start, abs=1e-8)


def test_a_hill_without_a_bottom_is_not_settled() -> None:
    factor = HessianFactor(csc_matrix(np.eye(5)))
    found = settle(lambda u: u, lambda _, d: -d, factor, np.zeros(5), tolerance=1e-9, most_evaluations=50)
    assert not found.settled


def test_following_a_mode_ends_near_its_bottom() -> None:
    well = DoubleWell(3)
    mode = lowest_mode(well.forces, well.factor, np.zeros(SIZE))
    there = followed_down(well.forces, well.factor, mode, np.zeros(SIZE))
    assert abs(well.rotation[:, 0] @ there) == pytest.approx(well.bottom, rel=0.3)


class Crowd:
    """A harmonic potential with known stiffnesses relative to a reference, most of them close to 1."""

    def __init__(self, stiffness: np.ndarray, seed: int) -> None:
        rng = np.random.default_rng(seed)
        root = np.sqrt(np.geomspace(1.0, 50.0, len(stiffness)))
        rotation = np.linalg.qr(rng.standard_normal((len(root), len(root))))[0]
        self.matrix = root[:, None] * (rotation @ np.diag(stiffness) @ rotation.T) * root
        self.factor = HessianFactor(csc_matrix(diags(root**2)))
        self.evaluations = 0

    def forces(self, u: np.ndarray) -> np.ndarray:
        self.evaluations += 1
        return -self.matrix @ u


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), lowest=st.floats(-0.5, 0.25).filter(lambda x: abs(x) > 0.01))
def test_the_sign_of_a_soft_mode_is_found_in_a_crowd(seed: int, lowest: float) -> None:
    others = np.random.default_rng(seed).normal(1.0, 0.12, 149).clip(0.4, 1.6)
    crowd = Crowd(np.concatenate([[lowest], others]), seed)
    mode = lowest_mode(crowd.forces, crowd.factor, np.zeros(150))
    assert mode.stiffness == pytest.approx(lowest, rel=1.5 * ACCURACY, abs=1e-3)
    assert crowd.evaluations <= 16


def test_one_negative_stiffness_is_proof_enough() -> None:
    others = np.random.default_rng(0).normal(1.0, 0.1, 149)
    deep, shallow = (Crowd(np.concatenate([[lowest], others]), 0) for lowest in (-1.0, 0.3))
    for crowd in (deep, shallow):
        lowest_mode(crowd.forces, crowd.factor, np.zeros(150))
    assert deep.evaluations < shallow.evaluations


def test_forces_that_are_known_are_not_evaluated_again() -> None:
    well, seen = DoubleWell(4), 0

    def forces(u: np.ndarray) -> np.ndarray:
        nonlocal seen
        seen += 1
        assert np.any(u != 0.0)
        return well.forces(u)

    known = lowest_mode(forces, well.factor, np.zeros(SIZE), well.forces(np.zeros(SIZE)))
    fresh = lowest_mode(well.forces, well.factor, np.zeros(SIZE))
    assert known.stiffness == fresh.stiffness
    assert seen <= MOST


def test_few_unknowns_are_searched_in_full() -> None:
    factor = HessianFactor(csc_matrix(np.diag([1.0, 2.0, 4.0])))
    mode = lowest_mode(lambda u: -np.array([0.5, 3.0, -2.0]) * u, factor, np.zeros(3))
    assert mode.stiffness == pytest.approx(-0.5, rel=ACCURACY)
    assert mode.direction == pytest.approx([0.0, 0.0, 1.0], abs=0.15)


def test_a_laplacian_serves_as_well_as_a_hessian() -> None:
    """A chain buckles at its middle: a saddle in y, found and left with nothing but its graph."""
    sites, middle = 21, 10
    chain = np.stack([np.arange(sites - 1), np.arange(1, sites)], axis=1)
    free = np.ones(sites, dtype=bool)
    free[[0, -1]] = False
    laplacian = NeighbourLaplacian(free, chain, 2.0)

    def forces(u: np.ndarray) -> np.ndarray:
        force = -laplacian.product(u)
        force[middle - 1, 1] += u[middle - 1, 1] - 10.0 * u[middle - 1, 1] ** 3
        return force

    def product(u: np.ndarray, direction: np.ndarray) -> np.ndarray:
        bent = laplacian.product(direction)
        bent[middle - 1, 1] -= (1.0 - 30.0 * u[middle - 1, 1] ** 2) * direction[middle - 1, 1]
        return bent

    found = settle(forces, product, laplacian, np.zeros((sites - 2, 3)), tolerance=1e-9, most_evaluations=100)
    assert found.settled
    assert found.ending == "converged"
    assert found.stiffness is not None
    assert found.stiffness < 0.0
    # the chain pulls back on its middle, 2 · 2 / 10 for each Å, and the push is 1 − 10 y²
    assert abs(found.last.displacement[middle - 1, 1]) == pytest.approx(np.sqrt((1.0 - 0.4) / 10.0), abs=1e-6)


def test_newton_krylov_finishes_a_descent_that_stalls(monkeypatch: pytest.MonkeyPatch) -> None:
    well = DoubleWell(6)

    def settled() -> Settling:
        return settle(
            well.forces, well.product, well.factor, np.zeros(SIZE), tolerance=1e-9, most_evaluations=200
        )

    # a descent that finds no step short enough
    monkeypatch.setattr("kernels.descent.SHORTEST_FRACTION", 2.0)
    finished = settled()
    assert finished.ending == "converged"
    assert abs(well.rotation[:, 0] @ finished.last.displacement) == pytest.approx(well.bottom, abs=1e-6)
    monkeypatch.setattr("kernels.settling.newton_krylov", lambda *_, **__: finished.first)
    assert not settled().settled, "the descent must have stalled, or this shows nothing"


def test_the_ending_tells_a_saddle_from_a_minimum() -> None:
    """A descent that may not take a step leaves the core where it was followed down to."""
    well = DoubleWell(1)
    found = settle(well.forces, well.product, well.factor, np.zeros(SIZE), tolerance=1e-9, most_evaluations=2)
    assert not found.settled
    assert found.first.converged
    assert found.ending == "out of evaluations"
    assert found.evaluations > found.first.evaluations
