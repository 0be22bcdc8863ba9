"""The two relaxation methods on problems whose solutions are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.relaxation import FURTHEST_FROM_START, anderson_chord, newton_krylov, relax

TOLERANCE = 1e-10


def quadratic(seed: int, size: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """A symmetric positive definite matrix with eigenvalues from 1 to `spread`, and a solution near 0."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.standard_normal((size, size)))[0]
    matrix = rotation @ np.diag(np.geomspace(1.0, spread, size)) @ rotation.T
    return matrix, 0.1 * rng.standard_normal(size)


class Anharmonic:
    """Forces of ½(u-s)A(u-s) + Σ(u-s)⁴/4, whose one minimum is s, counting evaluations."""

    def __init__(self, seed: int, size: int = 12, spread: float = 30.0) -> None:
        self.matrix, self.solution = quadratic(seed, size, spread)
        self.evaluations = 0

    def forces(self, u: np.ndarray) -> np.ndarray:
        self.evaluations += 1
        away = u - self.solution
        return -(self.matrix @ away) - away**3

    def product(self, u: np.ndarray, direction: np.ndarray) -> np.ndarray:
        return self.matrix @ direction + 3.0 * (u - self.solution) ** 2 * direction

    def solve(self, force: np.ndarray) -> np.ndarray:
        return np.linalg.solve(self.matrix, force)


@given(seed=st.integers(0, 1000), error=st.floats(0.5, 1.6))
def test_anderson_finds_the_minimum_with_a_hessian_that_is_off(seed: int, error: float) -> None:
    problem = Anharmonic(seed)
    result = anderson_chord(
        problem.forces, lambda f: error * problem.solve(f), np.zeros(12), tolerance=TOLERANCE
    )
    assert result.outcome == "converged"
    assert np.max(np.abs(result.displacement - problem.solution)) < 1e-9
    assert result.evaluations == problem.evaluations == len(result.residuals) == result.steps + 1


@given(seed=st.integers(0, 1000))
def test_newton_krylov_finds_the_minimum_without_a_good_preconditioner(seed: int) -> None:
    problem = Anharmonic(seed)
    result = newton_krylov(
        problem.forces, problem.product, lambda f: f / 10.0, np.zeros(12), tolerance=TOLERANCE
    )
    assert result.outcome == "converged"
    assert np.max(np.abs(result.displacement - problem.solution)) < 1e-9


def test_anderson_needs_fewer_evaluations_than_the_plain_chord() -> None:
    problem = Anharmonic(3)
    accelerated = anderson_chord(
        problem.forces, lambda f: 0.3 * problem.solve(f), np.zeros(12), tolerance=TOLERANCE
    )
    u, plain = np.zeros(12), 0
    while np.max(np.abs(force := problem.forces(u))) > TOLERANCE:
        u, plain = u + 0.3 * problem.solve(force), plain + 1
    assert accelerated.evaluations < plain / 2


def test_residual_is_that_of_the_point_returned() -> None:
    problem = Anharmonic(5)
    result = anderson_chord(problem.forces, problem.solve, np.zeros(12), tolerance=1e-14, most_evaluations=3)
    assert result.outcome == "out of evaluations"
    assert np.max(np.abs(problem.forces(result.displacement))) == result.residual


def test_a_runaway_blows_up_and_is_not_followed_far() -> None:
    seen: list[float] = []

    def push(u: np.ndarray) -> np.ndarray:
        seen.append(float(np.max(np.abs(u))))
        return np.ones_like(u)

    result = anderson_chord(push, lambda f: f, np.zeros(3), tolerance=TOLERANCE, most_evaluations=1000)
    assert result.outcome in ("blew up", "stagnated")
    assert max(seen) < FURTHEST_FROM_START + 1.0


def test_forces_that_are_not_numbers_blow_up() -> None:
    result = anderson_chord(lambda u: u * np.nan, lambda f: f, np.zeros(3), tolerance=TOLERANCE)
    assert result.outcome == "blew up"
    assert result.evaluations == 1


def test_a_step_that_leads_astray_is_taken_back() -> None:
    """Far out the force is many times what the model says, and turns: without a way back it stalls."""
    size = 30
    stiffness = np.linspace(1.0, 10.0, size)
    solution = 0.4 * np.cos(1.7 * np.arange(size))

    def forces(u: np.ndarray) -> np.ndarray:
        away = u - solution
        return -stiffness * away - 300.0 * np.sum(away**2) * away

    result = anderson_chord(forces, lambda f: f, np.zeros(size), tolerance=TOLERANCE)
    assert result.converged
    assert result.displacement == pytest.approx(solution, abs=1e-9)


def test_a_force_that_is_no_number_on_the_way_is_backed_out_of() -> None:
    def forces(u: np.ndarray) -> np.ndarray:
        return np.where(np.any(u > 0.12), np.nan, 0.1 - u)

    result = anderson_chord(forces, lambda f: 1.9 * f, np.zeros(3), tolerance=TOLERANCE)
    assert result.converged
    assert result.displacement == pytest.approx(np.full(3, 0.1), abs=1e-9)


def test_a_start_whose_force_is_known_costs_no_evaluation() -> None:
    problem = Anharmonic(11)
    start = np.zeros(12)
    plain = anderson_chord(problem.forces, problem.solve, start, tolerance=TOLERANCE)
    known = problem.forces(start)
    result = anderson_chord(problem.forces, problem.solve, start, tolerance=TOLERANCE, start_force=known)
    assert result.evaluations == plain.evaluations - 1
    assert result.residuals == plain.residuals
    np.testing.assert_array_equal(result.displacement, plain.displacement)
    # a start that is known to be the end is not moved
    there = anderson_chord(
        problem.forces, problem.solve, plain.displacement, tolerance=TOLERANCE, start_force=plain.force
    )
    assert there.converged
    assert there.evaluations == 0


def test_two_attempts_are_told_as_one() -> None:
    problem = Anharmonic(13)
    first = anderson_chord(problem.forces, problem.solve, np.zeros(12), tolerance=1e-12, most_evaluations=3)
    second = anderson_chord(problem.forces, problem.solve, first.displacement, tolerance=1e-12)
    both = first.then(second)
    assert both.outcome == second.outcome == "converged"
    assert both.evaluations == first.evaluations + second.evaluations == len(both.residuals)
    assert both.residual == second.residual
    # a second attempt that made things worse gives up its point, not its counts
    worse = second.then(first)
    assert worse.residual == second.residual
    assert worse.outcome == "out of evaluations"


def test_no_minimum_is_stagnation_not_silence() -> None:
    # |F| >= 1 everywhere
    result = anderson_chord(
        lambda u: 1.0 + np.sin(40.0 * u) ** 2 * 0.1, lambda f: 1e-3 * f, np.zeros(2), tolerance=TOLERANCE
    )
    assert result.outcome == "stagnated"
    assert not result.converged


def test_newton_krylov_takes_over_where_the_chord_fails() -> None:
    problem, start = Anharmonic(7, size=60, spread=1e4), np.zeros(60)

    def solve(force: np.ndarray) -> np.ndarray:
        return force / 1e4

    alone = relax(problem.forces, solve, start, tolerance=1e-9)
    assert not alone.converged, "the problem must need the second method, or it shows nothing"
    both = relax(problem.forces, solve, start, tolerance=1e-9, product=problem.product, most_evaluations=2000)
    assert both.converged
    assert both.displacement == pytest.approx(problem.solution, abs=1e-8)
    assert both.steps > 0


def test_negative_curvature_does_not_lead_to_the_saddle() -> None:
    # a double well in x: the start lies between the saddle at 0 and the minimum at 0.2
    def forces(u: np.ndarray) -> np.ndarray:
        return np.array([u[0] * (0.04 - u[0] ** 2), -u[1]])

    def product(u: np.ndarray, direction: np.ndarray) -> np.ndarray:
        return np.array([(3.0 * u[0] ** 2 - 0.04) * direction[0], direction[1]])

    result = newton_krylov(forces, product, lambda f: f, np.array([0.03, 0.1]), tolerance=1e-12)
    assert result.converged
    assert result.displacement == pytest.approx([0.2, 0.0], abs=1e-8)
