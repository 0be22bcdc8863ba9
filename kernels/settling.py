"""From the reference equilibrium to a minimum of a potential, saddles left on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.factorisation import HessianFactor
from kernels.relaxation import Forces, Product, Relaxation, chord_descent, relax
from kernels.stability import followed_down, lowest_mode

Floats = NDArray[np.float64]

# A core that still stands on a saddle after this many departures is reported as it is.
MOST_DEPARTURES = 4
# Plain chord steps after the first departure; every further one takes twice as many.
DESCENT_STEPS = 15


@dataclass(frozen=True)
class Settling:
    """How a potential's core settled.

    Attributes
    ----------
    last : Relaxation
        The last relaxation.
    settled : bool
        Whether it ended in a minimum.
    stiffness : float or None
        Lowest stiffness relative to the reference at the first point without forces, the one that continues the
        reference's core: negative where that is a saddle. None where no relaxation converged.
    saddle : ndarray or None
        That point, Å, where it is a saddle.
    steps, evaluations : int
        Of everything together.
    """

    last: Relaxation
    settled: bool
    stiffness: float | None
    saddle: Floats | None
    steps: int
    evaluations: int


def settle(
    forces: Forces,
    product: Product,
    factor: HessianFactor,
    start: Floats,
    *,
    tolerance: float,
    most_evaluations: int,
) -> Settling:
    """Relax until there is neither a force nor a way down.

    A symmetric start has symmetric forces, so a relaxation by forces may end on a saddle and cannot know. The softest
    mode is therefore looked at wherever forces vanish; along a negative one the core is followed down and
    relaxed again.

    Parameters
    ----------
    forces, product, start, tolerance, most_evaluations
        As in `kernels.relaxation.relax`; `most_evaluations` holds for each method of each relaxation.
    factor : HessianFactor
        The reference's Hessian.

    Returns
    -------
    Settling
        Its evaluations include those of the stability checks.
    """
    count, steps = 0, 0

    def counted(point: Floats) -> Floats:
        nonlocal count
        count += 1
        return forces(point)

    def counted_product(point: Floats, direction: Floats) -> Floats:
        nonlocal count
        count += 1
        return product(point, direction)

    stiffness: float | None = None
    saddle: Floats | None = None
    begin, settled = start, False
    for departures in range(1 + MOST_DEPARTURES):
        last = relax(
            counted,
            factor.solve,
            begin,
            tolerance=tolerance,
            most_evaluations=most_evaluations,
            product=counted_product,
        )
        steps += last.steps
        if not last.converged:
            break
        mode = lowest_mode(counted, factor, last.displacement)
        if stiffness is None:
            stiffness = mode.stiffness
            saddle = last.displacement if stiffness < 0.0 else None
        if mode.stiffness >= 0.0:
            settled = True
            break
        # the accelerated iteration seeks any point without forces, the saddle too: first get well away from it
        below = followed_down(counted, mode, last.displacement)
        begin = chord_descent(counted, factor.solve, below, DESCENT_STEPS * 2**departures)
    return Settling(last, settled, stiffness, saddle, steps, count)
