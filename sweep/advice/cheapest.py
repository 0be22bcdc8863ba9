"""The cheapest point whose error stays within a tolerance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sweep.advice.limits import LEAST_REPLICAS
from sweep.advice.points import Points
from sweep.advice.trials import Labels
from sweep.advice.words import amount, counted

MEETS, NONE_MEETS, CANNOT_TELL = "meets", "none meets", "cannot tell"


@dataclass(frozen=True)
class Cheapest:
    """The cheapest point that meets a tolerance, or why there is none to name.

    Parameters
    ----------
    simulated
        What it is for; empty for everything simulated.
    verdict
        ``"meets"``; ``"none meets"`` where every point is above the tolerance with the confidence asked for;
        ``"cannot tell"``.
    point
        Recipe and weights; where one cannot tell, the cheapest that may meet it, if there is one.
    labelled_atoms, basis_size
        What it costs.
    typical, upper, alone
        Geometric mean over replicas; the limit that holds for all compared points together; and that of this
        point alone.
    replicas
        Number of replicas that these rest on.
    compared
        Number of points that were compared.
    reason
        What the verdict rests on.
    """

    simulated: Labels
    verdict: str
    point: Labels | None
    labelled_atoms: float
    basis_size: float
    typical: float
    upper: float
    alone: float
    replicas: int
    compared: int
    reason: str


def cheapest_of(points: Points, tolerance: float) -> Cheapest:
    """Find the cheapest point whose limit is within a tolerance.

    Cheapest is the fewest atoms to label; equals are told apart by the size of the basis, then by the limit. A
    point one of whose replicas ended without a measurement is never advised, however good the others.
    """
    usable = points.usable
    order = points.by_cost()
    order = order[usable[order]]
    aside = _left_out(points)
    if not len(order):
        return _nothing(points, _why_nothing(points) + aside)
    if len(meets := order[points.upper[order] <= tolerance]):
        return _named(points, int(meets[0]), MEETS, _rests_on(points) + aside)
    if np.isfinite(points.lower[order]).all() and (points.lower[order] > tolerance).all():
        nearest = order[np.argmin(points.typical[order])]
        why = f"the smallest error is {amount(points.typical[nearest], points.trials.units)}; {_rests_on(points)}"
        return _nothing(points, why + aside, verdict=NONE_MEETS)
    maybe = order[points.alone[order] <= tolerance]
    maybe = maybe if len(maybe) else order[points.typical[order] <= tolerance]
    if not len(maybe):
        smallest = amount(points.typical[order].min(), points.trials.units)
        return _nothing(points, f"the smallest error is {smallest}; {_rests_on(points)}" + aside)
    chosen = int(maybe[0])
    return _named(points, chosen, CANNOT_TELL, _why_not_sure(points, chosen) + aside)


def _left_out(points: Points) -> str:
    words = ""
    if barred := int(points.barred.sum()):
        words += f"; {counted(barred, 'point')} left out: a replica ended without a measurement"
    if partial := int((points.partial & ~points.barred).sum()):
        words += f"; {counted(partial, 'point')} left out: not every replica was relaxed"
    return words


def _rests_on(points: Points) -> str:
    if not points.compared:
        most = int(points.replicas.max(initial=0))
        return f"{counted(most, 'replica')}, and a limit takes {LEAST_REPLICAS}"
    return f"{counted(points.compared, 'point')} compared"


def _why_nothing(points: Points) -> str:
    if not np.isfinite(points.typical).any():
        where = " everywhere" if not points.simulated else ""
        return f"no point has a value of {points.trials.error}{where}"
    if not np.isfinite(points.labelled_atoms).any():
        return "no point's labelled_atoms are known"
    return "no point can be advised"


def _why_not_sure(points: Points, chosen: int) -> str:
    """Say why the cheapest point whose error looks small enough is not sure to be."""
    units = points.trials.units
    if not np.isfinite(points.upper[chosen]):
        few = counted(int(points.replicas[chosen]), "replica")
        return f"{few} where a limit takes {LEAST_REPLICAS}: no statement with confidence; add replicas"
    limit, alone = (amount(values[chosen], units) for values in (points.upper, points.alone))
    return f"its limit is {limit} among {counted(points.compared, 'point')}, {alone} alone: add replicas"


def _named(points: Points, index: int, verdict: str, reason: str) -> Cheapest:
    return Cheapest(
        simulated=points.simulated,
        verdict=verdict,
        point=points.label(index),
        labelled_atoms=float(points.labelled_atoms[index]),
        basis_size=float(points.basis_size[index]),
        typical=float(points.typical[index]),
        upper=float(points.upper[index]),
        alone=float(points.alone[index]),
        replicas=int(points.replicas[index]),
        compared=points.compared,
        reason=reason,
    )


def _nothing(points: Points, reason: str, verdict: str = CANNOT_TELL) -> Cheapest:
    nan = float("nan")
    return Cheapest(points.simulated, verdict, None, nan, nan, nan, nan, nan, 0, points.compared, reason)
