"""The points of one simulated dislocation, or of all together, with their costs and the limits of their errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweep.advice.limits import Limits, limits_of
from sweep.advice.trials import Bools, Floats, Labels, Trials


@dataclass(frozen=True)
class Points:
    """Points that compete: every recipe with every weighting, where one thing is simulated.

    Parameters
    ----------
    trials
        What they are taken from.
    simulated
        Labels of what is simulated; empty for all of it together.
    typical, upper, lower, alone : (points,) ndarray
        As in `Limits`; of all together, the largest, the lower limits being those that hold for all parts at once.
    replicas : (points,) ndarray of int
        Number of replicas; of all together, the smallest.
    barred : (points,) ndarray of bool
        Whether a replica was tried and gave no measurement.
    partial : (points,) ndarray of bool
        Whether some replicas were relaxed and others not.
    labelled_atoms, basis_size : (points,) ndarray
        Costs; of all together, the sum of atoms (those of bulk cells once for each dislocation, although one set of
        labels serves all) and the largest basis.
    compared
        Number of points whose limits hold together.
    """

    trials: Trials
    simulated: Labels
    typical: Floats
    upper: Floats
    lower: Floats
    alone: Floats
    replicas: np.ndarray
    barred: Bools
    partial: Bools
    labelled_atoms: Floats
    basis_size: Floats
    compared: int

    def label(self, index: int) -> Labels:
        """Give the recipe and the weights of a point."""
        recipe, weighting = divmod(index, self.trials.log_error.shape[3])
        return {**self.trials.recipe(recipe), **self.trials.weighting(weighting)}

    @property
    def usable(self) -> Bools:
        """Points with an error and a cost, none of whose replicas is barred."""
        return np.isfinite(self.typical) & np.isfinite(self.labelled_atoms) & ~self.barred

    def by_cost(self) -> np.ndarray:
        """Order points by the atoms to label, then by the size of the basis, then by the limit of the error."""
        return np.lexsort((self.typical, self.upper, self.basis_size, self.labelled_atoms))


def points_of(trials: Trials, confidence: float, share: float) -> Iterator[Points]:
    """Go through what is simulated; where that is more than one thing, end with all of it together."""
    each, lowers = [], []
    dislocations, radii, recipes, weightings, replicas = trials.log_error.shape
    for dislocation in range(dislocations):
        cost = {
            name: np.repeat(getattr(trials, name)[dislocation], weightings)
            for name in ("labelled_atoms", "basis_size")
        }
        for radius in range(radii):
            log_error = trials.log_error[dislocation, radius].reshape(recipes * weightings, replicas)
            barred = trials.barred[dislocation, radius].reshape(log_error.shape).any(axis=-1)
            eligible = ~barred & np.isfinite(cost["labelled_atoms"])
            limits = limits_of(log_error, eligible, confidence, share)
            if (parts := dislocations * radii) > 1:
                # that one of the parts is above its lower limit is a union of claims: each must be surer
                surer = 1 - (1 - confidence) / parts
                lowers.append(limits_of(log_error, eligible, surer, share).lower)
            known = {"barred": barred, "partial": trials.partial[dislocation, radius].ravel(), **cost}
            each.append(_points(trials, trials.simulated(dislocation, radius), limits, known))
            yield each[-1]
    if len(each) > 1:
        yield _together(each, np.max(lowers, axis=0), radii)


def _points(trials: Trials, simulated: Labels, limits: Limits, known: dict[str, NDArray[Any]]) -> Points:
    return Points(
        trials=trials,
        simulated=simulated,
        typical=limits.typical,
        upper=limits.upper,
        lower=limits.lower,
        alone=limits.alone,
        replicas=limits.replicas,
        **known,
        compared=limits.compared,
    )


def _together(each: list[Points], lower: Floats, radii: int) -> Points:
    """Put all that is simulated together: a point's error is its largest, which no part of it may exceed."""
    # a limit that every part meets with 95 % confidence is met by all with 95 %: an intersection of claims
    largest = {
        name: np.max([getattr(points, name) for points in each], axis=0)
        for name in ("typical", "upper", "alone")
    }
    return Points(
        trials=each[0].trials,
        simulated={},
        **largest,
        lower=lower,
        replicas=np.min([points.replicas for points in each], axis=0),
        barred=np.any([points.barred for points in each], axis=0),
        partial=np.any([points.partial for points in each], axis=0),
        # one training set serves every simulated radius
        labelled_atoms=np.sum([points.labelled_atoms for points in each[::radii]], axis=0),
        basis_size=np.max([points.basis_size for points in each], axis=0),
        compared=max(points.compared for points in each),
    )
