"""The Pareto front of error against labelling cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sweep.advice.points import Points
from sweep.advice.trials import Labels


@dataclass(frozen=True)
class FrontPoint:
    """A point than which none is both cheaper to label and more accurate.

    Parameters
    ----------
    point
        Recipe and weights.
    labelled_atoms, basis_size
        What it costs.
    typical, upper
        Geometric mean over replicas, and the limit that holds for all compared points together; NaN below three
        replicas.
    replicas
        Number of replicas.
    """

    point: Labels
    labelled_atoms: float
    basis_size: float
    typical: float
    upper: float
    replicas: int


@dataclass(frozen=True)
class Front:
    """Points that no other beats, from the cheapest to the most accurate.

    Parameters
    ----------
    simulated
        What they are for; empty for everything simulated.
    points
        None where no point has an error and a cost.
    reason
        What the front rests on.
    """

    simulated: Labels
    points: tuple[FrontPoint, ...]
    reason: str


def front_of(points: Points) -> Front:
    """Find the points that no other beats in both the atoms to label and the typical error.

    Of points with fewer than half of the most replicas none is taken: the smallest of many errors is a small one
    by luck, the more so the fewer replicas it is a mean of.
    """
    least = (int(points.replicas.max(initial=0)) + 1) // 2
    taken = points.usable & (points.replicas >= least)
    # of equally dear points the most accurate comes first, then the smallest basis
    order = np.lexsort((points.basis_size, points.typical, points.labelled_atoms))
    order = order[taken[order]]
    if not len(order):
        return Front(points.simulated, (), f"no point has both a value of {points.trials.error} and a cost")
    errors = points.typical[order]
    before = np.concatenate([[np.inf], np.minimum.accumulate(errors)[:-1]])
    members = tuple(_member(points, int(index)) for index in order[errors < before])
    return Front(points.simulated, members, f"{len(order)} points with {least} replicas or more")


def _member(points: Points, index: int) -> FrontPoint:
    return FrontPoint(
        point=points.label(index),
        labelled_atoms=float(points.labelled_atoms[index]),
        basis_size=float(points.basis_size[index]),
        typical=float(points.typical[index]),
        upper=float(points.upper[index]),
        replicas=int(points.replicas[index]),
    )
