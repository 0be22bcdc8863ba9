"""Relaxation by forces alone: Anderson-accelerated chord Newton, and Newton–Krylov where it stalls.

Energies are never compared: line searches on them break on these systems long before the forces are small.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from kernels.course import (
    FURTHEST_FROM_START,
    LONGEST_STEP,
    Course,
    Floats,
    Forces,
    Outcome,
    Product,
    Relaxation,
    Solve,
    limited,
)
from kernels.newton_krylov import newton_krylov

__all__ = [
    "FURTHEST_FROM_START",
    "Floats",
    "Forces",
    "Outcome",
    "Product",
    "Relaxation",
    "Solve",
    "anderson_chord",
    "newton_krylov",
    "relax",
]

# Steps remembered by the acceleration: 8 sufficed for the worst fits measured with the reference's Hessian
# (theory.md, "Relaxing …"), 16 saves an evaluation or two with the Laplacian.
ANDERSON_DEPTH = 16
# Evaluations without a new smallest residual after which the acceleration is taken to have stalled.
PATIENCE = 12
# A residual so many times the smallest one says that the last step led astray: go back, and less far.
ASTRAY = 4.0
# By how much less far, relative to the step that led astray; and by how much further after a step that did not.
RETREAT, ADVANCE = 0.25, 2.0


def anderson_chord(
    forces: Forces,
    solve: Solve,
    start: Floats,
    *,
    tolerance: float,
    most_evaluations: int = 200,
    start_force: Floats | None = None,
) -> Relaxation:
    """Iterate u ← u + H⁻¹F(u) with a fixed H, accelerated over the last steps (Anderson, type II).

    Each step costs one force evaluation. The steps δ = H⁻¹F are the residuals of the fixed-point map; the next
    point is the combination of remembered points whose combined δ is least. Where the forces grow instead, what is
    remembered is forgotten, and a shorter step taken from the best point.

    Parameters
    ----------
    forces : callable
        Unknowns (any shape, Å) to forces of the same shape, eV/Å.
    solve : callable
        Forces to H⁻¹F, Å. H is the reference's Hessian, factorised once, or what stands for it.
    start : ndarray
        Where to begin, Å.
    tolerance : float
        Largest force component at which the relaxation ends, eV/Å.
    most_evaluations : int
        Force evaluations after which it is given up.
    start_force : ndarray, optional
        Forces at the start, eV/Å, where they are known: of a linear potential the design rows there give them. The
        start is then not evaluated, and the first point that is has the displacement of linear response.

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
    course = Course(start, tolerance, most_evaluations, forces)
    point, longest = course.start, LONGEST_STEP
    points: deque[Floats] = deque(maxlen=ANDERSON_DEPTH + 1)
    steps: deque[Floats] = deque(maxlen=ANDERSON_DEPTH + 1)
    force = course.evaluate(point) if start_force is None else course.know(point, start_force)
    while True:
        if ending := course.ending(point):
            return course.result(ending)
        if course.stalled(PATIENCE):
            return course.result("stagnated")
        if course.residuals[-1] > ASTRAY * course.smallest:
            longest = RETREAT * float(np.max(np.abs(point - course.best)))
            points.clear()
            steps.clear()
            point, force = course.best, course.best_force
        points.append(point)
        steps.append(solve(force))
        point = point + limited(_combined(points, steps) - point, longest)
        longest = min(LONGEST_STEP, ADVANCE * longest)
        course.steps += 1
        force = course.evaluate(point)


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


def relax(
    forces: Forces,
    solve: Solve,
    start: Floats,
    *,
    tolerance: float,
    most_evaluations: int = 200,
    product: Product | None = None,
    start_force: Floats | None = None,
) -> Relaxation:
    """Anderson-accelerated chord Newton, then Newton–Krylov from the best point where that ended unconverged.

    Parameters
    ----------
    forces, solve, start, tolerance, most_evaluations, start_force
        As in `anderson_chord`; `most_evaluations` holds for each of the two.
    product : callable, optional
        As in `newton_krylov`; without it there is no second attempt.

    Returns
    -------
    Relaxation
        Counts and residuals of both attempts together.
    """
    first = anderson_chord(
        forces,
        solve,
        start,
        tolerance=tolerance,
        most_evaluations=most_evaluations,
        start_force=start_force,
    )
    if first.converged or product is None:
        return first
    # a run that blew up says nothing of its last points: begin again where it was asked to begin
    again = first.displacement if first.outcome != "blew up" else np.asarray(start, dtype=float)
    return first.then(
        newton_krylov(forces, product, solve, again, tolerance=tolerance, most_evaluations=most_evaluations)
    )
