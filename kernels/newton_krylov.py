"""Newton's method with a potential's own Hessian, by products: where a fixed one does not lead to the end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from kernels.course import Course, Floats, Forces, Product, Relaxation, Solve, limited

KRYLOV_ITERATIONS = 40
SHORTEST_FRACTION = 1.0 / 16.0


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
        As in `kernels.relaxation.anderson_chord`; `solve` preconditions.
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
    course = Course(start, tolerance, most_evaluations, forces)
    point = course.start
    force = course.evaluate(point)
    while True:
        if ending := course.ending(point):
            return course.result(ending)
        step, products = _truncated_gradients(partial(product, point), solve, force)
        course.evaluations += products
        accepted = _shortened(course, point, force, limited(step))
        if accepted is None:
            return course.result("stagnated")
        point, force = accepted
        course.steps += 1


def _shortened(course: Course, point: Floats, force: Floats, step: Floats) -> tuple[Floats, Floats] | None:
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
