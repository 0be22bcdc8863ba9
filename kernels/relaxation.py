"""Relaxation by forces alone: Anderson-accelerated chord Newton, and Newton–Krylov where it stalls.

Energies are never compared: line searches on them break on these systems long before the forces are small.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Forces = Callable[[Floats], Floats]
Solve = Callable[[Floats], Floats]
Product = Callable[[Floats, Floats], Floats]
Outcome = Literal["converged", "stagnated", "out of evaluations", "blew up"]

# Steps remembered by the acceleration: 8 sufficed for the worst fits measured (theory.md, "Relaxing …").
ANDERSON_DEPTH = 8
# No component moves further in one step, Å: a tenth of a bond, beyond which the quadratic model means nothing.
LONGEST_STEP = 0.25
# A relaxation that strays this far from its start has left the basin it was asked about, Å.
FURTHEST_FROM_START = 3.0
# Evaluations without a new smallest residual after which the acceleration is taken to have stalled.
PATIENCE = 12
KRYLOV_ITERATIONS = 40
SHORTEST_FRACTION = 1.0 / 16.0


@dataclass(frozen=True)
class Relaxation:
    """How a relaxation ended.

    Attributes
    ----------
    displacement : ndarray
        The unknowns at the smallest residual met, Å, in the shape of the start.
    outcome : str
        ``converged``, ``stagnated``, ``out of evaluations`` or ``blew up``.
    steps : int
        Steps taken.
    evaluations : int
        Force evaluations, Hessian products included (each costs about one).
    residuals : tuple of float
        Largest force component after each force evaluation, eV/Å.
    """

    displacement: Floats
    outcome: Outcome
    steps: int
    evaluations: int
    residuals: tuple[float, ...]

    @property
    def converged(self) -> bool:
        """Whether the tolerance was met."""
        return self.outcome == "converged"

    @property
    def residual(self) -> float:
        """Largest force component at `displacement`, eV/Å."""
        return min(self.residuals)


@dataclass
class _Course:
    """What a relaxation has seen: counts, residuals, and the best point so far."""

    start: Floats
    tolerance: float
    most_evaluations: int
    forces: Forces
    residuals: list[float] = field(default_factory=list)
    evaluations: int = 0
    steps: int = 0
    best: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.best = self.start

    def evaluate(self, point: Floats) -> Floats:
        force = self.forces(point)
        self.evaluations += 1
        residual = float(np.max(np.abs(force), initial=0.0))
        if not np.isfinite(residual):
            residual = np.inf
        if residual < min(self.residuals, default=np.inf):
            self.best = point
        self.residuals.append(residual)
        return force

    @property
    def met(self) -> bool:
        return self.residuals[-1] <= self.tolerance

    def ending(self, point: Floats) -> Outcome | None:
        if self.met:
            return "converged"
        if not np.isfinite(self.residuals[-1]) or np.max(np.abs(point - self.start)) > FURTHEST_FROM_START:
            return "blew up"
        if self.evaluations >= self.most_evaluations:
            return "out of evaluations"
        return None

    def result(self, outcome: Outcome) -> Relaxation:
        return Relaxation(self.best, outcome, self.steps, self.evaluations, tuple(self.residuals))


def _limited(step: Floats) -> Floats:
    """Shorten a step whose largest component exceeds `LONGEST_STEP`."""
    longest = float(np.max(np.abs(step), initial=0.0))
    return step * min(1.0, LONGEST_STEP / longest) if longest > 0.0 else step


def anderson_chord(
    forces: Forces, solve: Solve, start: Floats, *, tolerance: float, most_evaluations: int = 200
) -> Relaxation:
    """Iterate u ← u + H⁻¹F(u) with a fixed H, accelerated over the last steps (Anderson, type II).

    Each step costs one force evaluation. The steps δ = H⁻¹F are the residuals of the fixed-point map; the next
    point is the combination of remembered points whose combined δ is least.

    Parameters
    ----------
    forces : callable
        Unknowns (any shape, Å) to forces of the same shape, eV/Å.
    solve : callable
        Forces to H⁻¹F, Å. H is the reference's Hessian, factorised once.
    start : ndarray
        Where to begin, Å.
    tolerance : float
        Largest force component at which the relaxation ends, eV/Å.
    most_evaluations : int
        Force evaluations after which it is given up.

    Returns
    -------
    Relaxation
        ``stagnated`` after `PATIENCE` evaluations without a new smallest residual.

    Notes
    -----
    theory.md, "Relaxing with the reference's Hessian". D. G. Anderson, J. ACM 12, 547 (1965);
    H. F. Walker, P. Ni, SIAM J. Numer. Anal. 49, 1715 (2011).

    Examples
    --------
    >>> import numpy as np
    >>> pull = lambda u: 1.0 - u - 0.3 * np.sin(u)
    >>> anderson_chord(pull, lambda f: f, np.zeros(2), tolerance=1e-12).converged
    True
    """
    course = _Course(np.array(start, dtype=float), tolerance, most_evaluations, forces)
    point = course.start
    points: deque[Floats] = deque(maxlen=ANDERSON_DEPTH + 1)
    steps: deque[Floats] = deque(maxlen=ANDERSON_DEPTH + 1)
    while True:
        force = course.evaluate(point)
        if ending := course.ending(point):
            return course.result(ending)
        if _stalled(course.residuals):
            return course.result("stagnated")
        points.append(point)
        steps.append(solve(force))
        point = point + _limited(_combined(points, steps) - point)
        course.steps += 1


def _combined(points: deque[Floats], steps: deque[Floats]) -> Floats:
    """Anderson's next point from the remembered points and steps, the newest last."""
    newest = points[-1] + steps[-1]
    if len(points) == 1:
        return newest
    step_changes = np.stack([(b - a).ravel() for a, b in zip(steps, list(steps)[1:], strict=False)], axis=1)
    point_changes = np.stack(
        [(b - a).ravel() for a, b in zip(points, list(points)[1:], strict=False)], axis=1
    )
    # rcond drops directions that differ by rounding only, which would otherwise be amplified without bound
    mixing, *_ = np.linalg.lstsq(step_changes, steps[-1].ravel(), rcond=1e-10)
    return newest - ((point_changes + step_changes) @ mixing).reshape(newest.shape)


def _stalled(residuals: list[float]) -> bool:
    return len(residuals) > PATIENCE and min(residuals[-PATIENCE:]) >= min(residuals[:-PATIENCE])


def chord_descent(forces: Forces, solve: Solve, start: Floats, steps: int) -> Floats:
    """Take plain steps u ← u + H⁻¹F(u): slow, but always downhill where no stiffness exceeds twice H's.

    Unlike an accelerated iteration it is repelled by saddles, like every descent.

    Parameters
    ----------
    forces, solve, start
        As in `anderson_chord`.
    steps : int
        How many, one force evaluation each.

    Returns
    -------
    ndarray
        Where they end, Å.
    """
    point = start
    for _ in range(steps):
        point = point + _limited(solve(forces(point)))
    return point


def newton_krylov(
    forces: Forces,
    product: Product,
    solve: Solve,
    start: Floats,
    *,
    tolerance: float,
    most_evaluations: int = 400,
) -> Relaxation:
    """Newton's method with its own Hessian by products, solved by truncated conjugate gradients.

    Parameters
    ----------
    forces, solve, start, tolerance, most_evaluations
        As in `anderson_chord`; `solve` preconditions.
    product : callable
        (unknowns, direction) to the Hessian times the direction (minus the change of the forces), eV/Å.

    Returns
    -------
    Relaxation
        ``stagnated`` where no fraction of the step down to 1/16 makes the forces less along it.

    Notes
    -----
    A step is shortened until the force along it has not turned round by much, or the residual has fallen:
    energies are never compared.
    Truncation at negative curvature after T. Steihaug, SIAM J. Numer. Anal. 20, 626 (1983).
    """
    course = _Course(np.array(start, dtype=float), tolerance, most_evaluations, forces)
    point = course.start
    force = course.evaluate(point)
    while True:
        if ending := course.ending(point):
            return course.result(ending)
        step, products = _truncated_gradients(partial(product, point), solve, force)
        course.evaluations += products
        accepted = _shortened(course, point, force, _limited(step))
        if accepted is None:
            return course.result("stagnated")
        point, force = accepted
        course.steps += 1


def _shortened(course: _Course, point: Floats, force: Floats, step: Floats) -> tuple[Floats, Floats] | None:
    """Take the largest fraction of a step that makes progress in the forces; None where none does."""
    before, along = float(np.max(np.abs(force))), abs(float(np.vdot(force, step)))
    fraction = 1.0
    while fraction >= SHORTEST_FRACTION:
        trial = point + fraction * step
        trial_force = course.evaluate(trial)
        # still downhill, or past the lowest point by less than it had to go: not overshot
        fallen = float(np.vdot(trial_force, step)) >= -0.9 * along or course.residuals[-1] < 0.9 * before
        if fallen and np.isfinite(course.residuals[-1]):
            return trial, trial_force
        fraction /= 2.0
    return None


def _truncated_gradients(
    hessian: Callable[[Floats], Floats], solve: Solve, force: Floats
) -> tuple[Floats, int]:
    """Preconditioned conjugate gradients for (Hessian) step = force, ended early far out or at negative curvature."""
    residual, step = force.copy(), np.zeros_like(force)
    direction = preconditioned = solve(residual)
    size = float(np.vdot(residual, preconditioned))
    # the forcing term of Eisenstat and Walker: solve only as well as the linear model is believed
    target = size * min(0.5, abs(size) ** 0.25) ** 2
    for count in range(1, KRYLOV_ITERATIONS + 1):
        bent = hessian(direction)
        curvature = float(np.vdot(direction, bent))
        if curvature <= 0.0:
            # along the force even so, as far as a well of that depth would let it go
            return (step if count > 1 else direction * (size / max(-curvature, 1e-12))), count
        length = size / curvature
        step = step + length * direction
        residual = residual - length * bent
        preconditioned = solve(residual)
        previous, size = size, float(np.vdot(residual, preconditioned))
        if abs(size) <= target:
            return step, count
        direction = preconditioned + (size / previous) * direction
    return step, KRYLOV_ITERATIONS


def relax(
    forces: Forces,
    solve: Solve,
    start: Floats,
    *,
    tolerance: float,
    most_evaluations: int = 200,
    product: Product | None = None,
) -> Relaxation:
    """Anderson-accelerated chord Newton, then Newton–Krylov from the best point where that ended unconverged.

    Parameters
    ----------
    forces, solve, start, tolerance, most_evaluations
        As in `anderson_chord`; `most_evaluations` holds for each of the two.
    product : callable, optional
        As in `newton_krylov`; without it there is no second attempt.

    Returns
    -------
    Relaxation
        Counts and residuals of both attempts together.
    """
    first = anderson_chord(forces, solve, start, tolerance=tolerance, most_evaluations=most_evaluations)
    if first.converged or product is None:
        return first
    # a run that blew up says nothing of its last points: begin again where it was asked to begin
    again = first.displacement if first.outcome != "blew up" else np.asarray(start, dtype=float)
    second = newton_krylov(
        forces, product, solve, again, tolerance=tolerance, most_evaluations=most_evaluations
    )
    return Relaxation(
        second.displacement if second.residual <= first.residual else first.displacement,
        second.outcome,
        first.steps + second.steps,
        first.evaluations + second.evaluations,
        first.residuals + second.residuals,
    )
