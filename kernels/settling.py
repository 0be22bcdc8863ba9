"""From the reference equilibrium to a minimum of a potential, saddles left on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.course import Forces, Product, Relaxation
from kernels.descent import descend
from kernels.newton_krylov import newton_krylov
from kernels.preconditioners import Preconditioner
from kernels.relaxation import relax
from kernels.stability import followed_down, lowest_mode

Floats = NDArray[np.float64]

# A core that still stands on a saddle after this many departures is reported as it is.
MOST_DEPARTURES = 4


@dataclass(frozen=True)
class Settling:
    """How a potential's core settled.

    Attributes
    ----------
    first : Relaxation
        The relaxation to the point without forces that continues the reference's core.
    last : Relaxation
        The last relaxation: the first itself, or the last descent from a saddle.
    settled : bool
        Whether it ended in a minimum.
    stiffness : float or None
        Lowest stiffness relative to the reference at the end of the first: negative where that is a saddle. None
        where it did not converge.
    saddle : ndarray or None
        That end, Å, where it is a saddle.
    steps, evaluations : int
        Of everything together, the checks of stability and the ways down from saddles included.
    """

    first: Relaxation
    last: Relaxation
    settled: bool
    stiffness: float | None
    saddle: Floats | None
    steps: int
    evaluations: int

    @property
    def ending(self) -> str:
        """How it ended, in a word or two: ``converged`` only in a minimum."""
        if self.last.converged and not self.settled:
            return "on a saddle, or without its stability being certain"
        return self.last.outcome


class _Counted:
    """Forces and products that count themselves."""

    def __init__(self, forces: Forces, product: Product) -> None:
        self._forces, self._product, self.count = forces, product, 0

    def forces(self, point: Floats) -> Floats:
        self.count += 1
        return self._forces(point)

    def product(self, point: Floats, direction: Floats) -> Floats:
        self.count += 1
        return self._product(point, direction)


def settle(
    forces: Forces,
    product: Product,
    preconditioner: Preconditioner,
    start: Floats,
    *,
    tolerance: float,
    most_evaluations: int,
    start_force: Floats | None = None,
) -> Settling:
    """Relax until there is neither a force nor a way down.

    A symmetric start has symmetric forces, so a relaxation by forces may end on a saddle and cannot know. The softest
    mode is therefore looked at wherever forces vanish; along a negative one the core is followed down to a minimum.

    Parameters
    ----------
    forces, product, start, tolerance, most_evaluations, start_force
        As in `kernels.relaxation.relax`; `most_evaluations` holds for each method of each relaxation.
    preconditioner : Preconditioner
        The reference's Hessian, or what stands for it.

    Returns
    -------
    Settling
        Its evaluations include those of the stability checks.
    """
    counted = _Counted(forces, product)
    first = last = relax(
        counted.forces,
        preconditioner.solve,
        start,
        tolerance=tolerance,
        most_evaluations=most_evaluations,
        product=counted.product,
        start_force=start_force,
    )
    stiffness: float | None = None
    steps, settled = first.steps, False
    for departures in range(1 + MOST_DEPARTURES):
        if not last.converged:
            break
        mode = lowest_mode(counted.forces, preconditioner, last.displacement, last.force)
        stiffness = mode.stiffness if stiffness is None else stiffness
        settled = mode.stable
        if mode.stiffness >= 0.0 or departures == MOST_DEPARTURES:
            break
        below = followed_down(counted.forces, preconditioner, mode, last.displacement)
        last = _descended(counted, preconditioner, below, tolerance, most_evaluations)
        steps += last.steps
    saddle = first.displacement if stiffness is not None and stiffness < 0.0 else None
    return Settling(first, last, settled, stiffness, saddle, steps, counted.count)


def _descended(
    counted: _Counted, preconditioner: Preconditioner, below: Floats, tolerance: float, most_evaluations: int
) -> Relaxation:
    """Go down by the quasi-Newton method, then by Newton–Krylov where that did not end in a minimum."""
    down = descend(
        counted.forces, preconditioner, below, tolerance=tolerance, most_evaluations=most_evaluations
    )
    if down.converged or down.outcome == "blew up":
        return down
    return down.then(
        newton_krylov(
            counted.forces,
            counted.product,
            preconditioner.solve,
            down.displacement,
            tolerance=tolerance,
            most_evaluations=most_evaluations,
        )
    )
