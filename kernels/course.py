"""How a relaxation went: its counts, its residuals and its best point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Forces = Callable[[Floats], Floats]
Solve = Callable[[Floats], Floats]
Product = Callable[[Floats, Floats], Floats]
Outcome = Literal["converged", "stagnated", "out of evaluations", "blew up"]

# No component moves further in one step, Å: a tenth of a bond, beyond which the quadratic model means nothing.
LONGEST_STEP = 0.25
# A relaxation that strays this far from its start has left the basin it was asked about, Å.
FURTHEST_FROM_START = 3.0


@dataclass(frozen=True)
class Relaxation:
    """How a relaxation ended.

    Attributes
    ----------
    displacement : ndarray
        The unknowns at the smallest residual met, Å, in the shape of the start.
    force : ndarray
        The forces there, eV/Å.
    outcome : str
        ``converged``, ``stagnated``, ``out of evaluations`` or ``blew up``.
    steps : int
        Steps taken.
    evaluations : int
        Force evaluations, Hessian products included (each costs about one).
    residuals : tuple of float
        Largest force component at each point whose forces were seen, eV/Å: the start's first, though it may have
        been known and not evaluated.
    """

    displacement: Floats
    force: Floats
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
        return float(np.max(np.abs(self.force), initial=0.0)) if self.residuals else np.inf

    def then(self, second: Relaxation) -> Relaxation:
        """Add a second attempt's counts and residuals to this one's; the better of the two points is kept."""
        best = second if second.residual <= self.residual else self
        return replace(
            best,
            outcome=second.outcome,
            steps=self.steps + second.steps,
            evaluations=self.evaluations + second.evaluations,
            residuals=self.residuals + second.residuals,
        )


@dataclass
class Course:
    """What a relaxation has seen so far: every method evaluates its forces through one.

    Parameters
    ----------
    start : ndarray
        Where it begins, Å.
    tolerance : float
        Largest force component at which it ends, eV/Å.
    most_evaluations : int
        Force evaluations after which it is given up.
    forces : callable
        Unknowns to forces, eV/Å.

    Attributes
    ----------
    residuals : list of float
        Largest force component at each point seen, eV/Å; infinite where a force was no number.
    evaluations, steps : int
        Counts; whoever evaluates Hessian products adds them.
    best, best_force : ndarray
        The point of the smallest residual so far, and the forces there.
    """

    start: Floats
    tolerance: float
    most_evaluations: int
    forces: Forces
    residuals: list[float] = field(default_factory=list)
    evaluations: int = 0
    steps: int = 0
    best: Floats = field(init=False)
    best_force: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.start = np.array(self.start, dtype=float)
        self.best, self.best_force = self.start, np.full_like(self.start, np.inf)

    def evaluate(self, point: Floats) -> Floats:
        """Evaluate the forces at a point, and remember what matters of it."""
        self.evaluations += 1
        return self.know(point, self.forces(point))

    def know(self, point: Floats, force: Floats) -> Floats:
        """Remember what matters of forces at a point that were not evaluated here."""
        residual = float(np.max(np.abs(force), initial=0.0))
        if not np.isfinite(residual):
            residual = np.inf
        if residual < self.smallest:
            self.best, self.best_force = point, force
        self.residuals.append(residual)
        return force

    @property
    def smallest(self) -> float:
        """The smallest residual so far, eV/Å."""
        return min(self.residuals, default=np.inf)

    def ending(self, point: Floats) -> Outcome | None:
        """Say whether the relaxation is over at the point evaluated last, and how."""
        if not np.isfinite(self.smallest) or np.max(np.abs(point - self.start)) > FURTHEST_FROM_START:
            return "blew up"
        if self.residuals[-1] <= self.tolerance:
            return "converged"
        if self.evaluations >= self.most_evaluations:
            return "out of evaluations"
        return None

    def stalled(self, patience: int) -> bool:
        """Say whether the last `patience` evaluations brought no smaller residual."""
        return len(self.residuals) > patience and min(self.residuals[-patience:]) >= min(
            self.residuals[:-patience]
        )

    def result(self, outcome: Outcome) -> Relaxation:
        """Sum up."""
        return Relaxation(
            self.best, self.best_force, outcome, self.steps, self.evaluations, tuple(self.residuals)
        )


def limited(step: Floats, longest: float = LONGEST_STEP) -> Floats:
    """Shorten a step whose largest component exceeds `longest`, Å."""
    component = float(np.max(np.abs(step), initial=0.0))
    return step * min(1.0, longest / component) if component > 0.0 else step
