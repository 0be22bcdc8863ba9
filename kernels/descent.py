"""Descent to a minimum by forces alone: a limited-memory quasi-Newton method that no saddle attracts."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from kernels.course import Course, Floats, Forces, Relaxation, limited
from kernels.preconditioners import Preconditioner

# Changes of force remembered. Descents into a core's well take about 16 steps: they forget nothing.
MEMORY = 20
# A change along which the potential is softer than this, relative to the preconditioner, is not remembered: the
# model stays definite, so every step goes down.
LEAST_STIFFNESS = 0.02
# A step past the lowest point along it by more than this share of the force it began with is taken back.
OVERSHOT = 0.9
# It is shortened to where the force along it vanishes by interpolation: no more than to this in one go, and in all.
SHORTEST_CUT, SHORTEST_FRACTION = 0.2, 1e-3
PATIENCE = 25


class _Change(NamedTuple):
    """A step, the change of minus the force over it, and the inverse of their product."""

    step: Floats
    bent: Floats
    inverse: float


def descend(
    forces: Forces,
    preconditioner: Preconditioner,
    start: Floats,
    *,
    tolerance: float,
    most_evaluations: int = 200,
) -> Relaxation:
    """Go down to a minimum by L-BFGS on the preconditioned problem, without a look at energies.

    Parameters
    ----------
    forces : callable
        Unknowns (any shape, Å) to forces of the same shape, eV/Å.
    preconditioner : Preconditioner
        Its stiffness is the model that what is learnt on the way corrects.
    start : ndarray
        Where to begin, Å: off any saddle.
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
    J. Nocedal, Math. Comp. 35, 773 (1980). The model is positive definite always, so a step has the force with it,
    and one that ends where the force points back is shortened; unlike `kernels.relaxation.anderson_chord`, which
    ends at any point without forces, this ends at a minimum but for accidents of symmetry.

    Examples
    --------
    >>> from scipy.sparse import csc_matrix, identity
    >>> from kernels.factorisation import HessianFactor
    >>> double_well = lambda u: u - u**3
    >>> found = descend(double_well, HessianFactor(csc_matrix(identity(1))), np.array([0.01]), tolerance=1e-9)
    >>> found.displacement.round(6)
    array([1.])
    """
    course = Course(start, tolerance, most_evaluations, forces)
    point = course.start
    force = course.evaluate(point)
    changes: deque[_Change] = deque(maxlen=MEMORY)
    while True:
        if ending := course.ending(point):
            return course.result(ending)
        if course.stalled(PATIENCE):
            return course.result("stagnated")
        step = limited(_modelled(preconditioner, changes, force))
        advanced = _advanced(course, preconditioner, changes, point, force, step)
        if advanced is None:
            return course.result(course.ending(point) or "stagnated")
        point, force = advanced
        course.steps += 1


def _advanced(
    course: Course,
    preconditioner: Preconditioner,
    changes: deque[_Change],
    point: Floats,
    force: Floats,
    step: Floats,
) -> tuple[Floats, Floats] | None:
    """Take a step as far as the force along it has not turned round by much; None where no part of it will do."""
    before, along, fraction = course.residuals[-1], float(np.vdot(force, step)), 1.0
    while fraction >= SHORTEST_FRACTION and course.evaluations < course.most_evaluations:
        trial = point + fraction * step
        trial_force = course.evaluate(trial)
        if not np.isfinite(course.residuals[-1]):
            fraction *= SHORTEST_CUT
            continue
        _remember(changes, preconditioner, fraction * step, force - trial_force)
        after = float(np.vdot(trial_force, step))
        if after >= -OVERSHOT * along or course.residuals[-1] < OVERSHOT * before:
            return trial, trial_force
        fraction *= max(SHORTEST_CUT, along / (along - after))
    return None


def _remember(changes: deque[_Change], preconditioner: Preconditioner, step: Floats, bent: Floats) -> None:
    """Learn from a step, unless the potential is soft along it."""
    curvature = float(np.vdot(step, bent))
    if curvature > LEAST_STIFFNESS * float(np.vdot(step, preconditioner.product(step))):
        changes.append(_Change(step, bent, 1.0 / curvature))


def _modelled(preconditioner: Preconditioner, changes: deque[_Change], force: Floats) -> Floats:
    """Apply the inverse of the model's Hessian to the forces (Nocedal's two loops)."""
    remaining, shares = force.copy(), []
    for change in reversed(changes):
        shares.append(change.inverse * float(np.vdot(change.step, remaining)))
        remaining -= shares[-1] * change.bent
    step = preconditioner.solve(remaining)
    for change, share in zip(changes, reversed(shares), strict=True):
        step = step + (share - change.inverse * float(np.vdot(change.bent, step))) * change.step
    return step
