"""Saddles are seen and left: on energies whose minima are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_matrix

from kernels.factorisation import HessianFactor
from kernels.relaxation import anderson_chord, chord_descent
from kernels.settling import settle
from kernels.stability import followed_down, lowest_mode

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


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), depth=st.floats(0.05, 2.0))
def test_the_lowest_mode_is_the_known_one(seed: int, depth: float) -> None:
    well = DoubleWell(seed, depth)
    mode = lowest_mode(well.forces, well.factor, np.zeros(SIZE))
    assert mode.stiffness == pytest.approx(-depth, rel=0.05, abs=0.02)
    along = abs(well.rotation[:, 0] @ mode.direction) / np.linalg.norm(mode.direction)
    assert along > 0.97
    assert np.max(mode.direction) == pytest.approx(1.0)


@settings(max_examples=30, deadline=None)
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


def test_descent_is_repelled_by_a_saddle() -> None:
    well = DoubleWell(2)
    beside = 0.02 * well.rotation[:, 0]
    for steps in (5, 20, 80):
        reached = abs(well.rotation[:, 0] @ chord_descent(well.forces, well.factor.solve, beside, steps))
        assert reached > 0.02
        beside = reached * well.rotation[:, 0]
    assert reached == pytest.approx(well.bottom, rel=1e-3)


def test_following_a_mode_ends_near_its_bottom() -> None:
    well = DoubleWell(3)
    mode = lowest_mode(well.forces, well.factor, np.zeros(SIZE))
    there = followed_down(well.forces, mode, np.zeros(SIZE))
    assert abs(well.rotation[:, 0] @ there) == pytest.approx(well.bottom, rel=0.3)
