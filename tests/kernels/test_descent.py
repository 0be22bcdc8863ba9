"""Quasi-Newton descent by forces, on energies whose minima are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_matrix

from kernels.course import FURTHEST_FROM_START
from kernels.descent import PATIENCE, descend
from kernels.factorisation import HessianFactor

SIZE = 12
PLAIN = HessianFactor(csc_matrix(np.eye(SIZE)))


def stiffness(seed: int, softest: float = 1.0, stiffest: float = 30.0) -> np.ndarray:
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((SIZE, SIZE)))[0]
    return rotation @ np.diag(np.geomspace(softest, stiffest, SIZE)) @ rotation.T


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), error=st.floats(0.2, 4.0))
def test_the_minimum_is_found_with_a_model_that_is_off(seed: int, error: float) -> None:
    matrix = stiffness(seed)
    solution = 0.1 * np.random.default_rng(seed + 1).standard_normal(SIZE)

    def forces(u: np.ndarray) -> np.ndarray:
        return -(matrix @ (u - solution)) - (u - solution) ** 3

    model = HessianFactor(csc_matrix(error * stiffness(seed, 1.5, 20.0)))
    found = descend(forces, model, np.zeros(SIZE), tolerance=1e-10)
    assert found.converged
    assert found.displacement == pytest.approx(solution, abs=1e-9)
    assert found.evaluations == len(found.residuals)
    assert np.max(np.abs(forces(found.displacement))) == found.residual


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), beside=st.floats(1e-3, 0.05), depth=st.floats(0.2, 2.0))
def test_a_saddle_does_not_attract(seed: int, beside: float, depth: float) -> None:
    """From close by a saddle, with a model that knows of none: every step leads away from it."""
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((SIZE, SIZE)))[0]
    stiff = np.geomspace(1.0, 5.0, SIZE)

    def forces(u: np.ndarray) -> np.ndarray:
        x = rotation.T @ u
        force = -stiff * x
        force[0] = depth * x[0] * (1.0 - (x[0] / 0.3) ** 2)
        return rotation @ force

    start = rotation @ np.array([beside, *np.full(SIZE - 1, 0.1)])
    found = descend(forces, PLAIN, start, tolerance=1e-9)
    assert found.converged
    assert rotation.T @ found.displacement == pytest.approx([0.3, *np.zeros(SIZE - 1)], abs=1e-8)


def test_a_step_that_overshoots_is_taken_back() -> None:
    # a model a hundred times too soft: whole steps would run between the walls for ever
    matrix = 100.0 * np.eye(SIZE)
    found = descend(lambda u: -(matrix @ u), PLAIN, np.full(SIZE, 0.2), tolerance=1e-9)
    assert found.converged
    assert found.evaluations < 10


def test_a_step_into_nonsense_is_taken_back() -> None:
    def forces(u: np.ndarray) -> np.ndarray:
        return np.where(np.any(np.abs(u) > 0.1), np.nan, -(u + 0.09) / 0.3)

    found = descend(forces, PLAIN, np.zeros(SIZE), tolerance=1e-9)
    assert found.converged
    assert found.displacement == pytest.approx(np.full(SIZE, -0.09), abs=1e-8)


def test_nonsense_everywhere_is_told() -> None:
    assert descend(lambda u: u * np.nan, PLAIN, np.ones(SIZE), tolerance=1e-9).outcome == "blew up"
    start, seen = np.ones(SIZE), []

    def forces(u: np.ndarray) -> np.ndarray:
        seen.append(u)
        return u if len(seen) == 1 else u * np.nan

    assert descend(forces, PLAIN, start, tolerance=1e-9).outcome == "stagnated"


def test_a_hill_without_a_bottom_blows_up_and_is_not_followed_far() -> None:
    found = descend(np.ones_like, PLAIN, np.zeros(SIZE), tolerance=1e-9, most_evaluations=1000)
    assert found.outcome in ("blew up", "stagnated")
    assert np.max(np.abs(found.displacement)) < FURTHEST_FROM_START + 1.0


def test_no_progress_is_stagnation() -> None:
    # |F| >= 1 everywhere
    found = descend(
        lambda u: 1.0 + np.sin(40.0 * u) ** 2 * 0.1,
        HessianFactor(csc_matrix(1e3 * np.eye(SIZE))),
        np.zeros(SIZE),
        tolerance=1e-9,
    )
    assert found.outcome == "stagnated"
    assert found.evaluations > PATIENCE


def test_it_is_given_up_when_told() -> None:
    matrix = stiffness(0, 1.0, 1e4)
    found = descend(lambda u: -(matrix @ u), PLAIN, np.full(SIZE, 0.2), tolerance=1e-12, most_evaluations=5)
    assert found.outcome == "out of evaluations"
    assert found.evaluations == 5
