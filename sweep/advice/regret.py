"""The weighting to regret least, whichever dislocation it is used for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sweep.advice.replicas import (
    at_best,
    factors,
    left_one_out,
    mean_known,
    median_known,
    replica_means,
    student,
)
from sweep.advice.trials import Bools, Floats, Labels, Trials
from sweep.advice.words import counted, listed


@dataclass(frozen=True)
class BestWeighting:
    """The weighting of least regret.

    Parameters
    ----------
    weighting
        Its weights; none where there is nothing to choose from.
    regret, low, high
        Its error over that of each slice's best weighting, and the interval, where it does worst: both chosen by
        all replicas but one and compared on that one, since the smallest of many errors is small by luck too.
    simulated
        Where it does worst.
    second, second_ratio
        The next best, and its regret over that of the best.
    slices
        Number of slices compared, each with one best weighting.
    slice_dims
        Dimensions that tell slices apart.
    same, replicas
        When one of so many replicas is left out, how often the choice is the same.
    reason
        What the choice rests on.
    """

    weighting: Labels | None
    regret: float
    low: float
    high: float
    simulated: Labels
    second: Labels | None
    second_ratio: float
    slices: int
    slice_dims: tuple[str, ...]
    same: int
    replicas: int
    reason: str


def comparable(means: Floats) -> Bools:
    """Say in which slices weightings can be compared: where one has a value and another has one too, or failed.

    Parameters
    ----------
    means : (..., weightings) ndarray
        Logarithms of errors: infinite where a weighting failed, NaN where it is unknown.
    """
    tried = (~np.isnan(means)).sum(axis=-1) > 1
    return np.asarray(np.isfinite(means).any(axis=-1) & tried)


def regrets(means: Floats) -> Floats:
    """Give the regret of every weighting for each thing simulated.

    Parameters
    ----------
    means : (dislocations, radii, recipes, weightings) ndarray
        Logarithms of errors: infinite where a weighting failed, NaN where it is unknown.

    Returns
    -------
    (dislocations · radii, weightings) ndarray
        Medians over recipes of the logarithm of the error over the best weighting's: infinite where a weighting
        failed in half of the slices that are `comparable` or more, NaN where it is known in fewer than half.

    Examples
    --------
    >>> errors = np.log([[0.01, 0.02], [0.03, 0.03]])
    >>> np.exp(regrets(errors[None, None])).round(2).tolist()
    [[1.0, 1.41]]
    >>> errors = np.log([[0.01, 0.005], [0.01, np.inf], [0.01, np.inf]])
    >>> np.exp(regrets(errors[None, None])).tolist()
    [[1.0, inf]]
    """
    compared = comparable(means)[..., None]
    best = np.where(np.isfinite(means), means, np.inf).min(axis=-1, keepdims=True, initial=np.inf)
    above = np.where(compared & ~np.isnan(means), means - np.where(compared, best, 0.0), np.nan)
    slices = compared.sum(axis=2)
    often = (~np.isnan(above)).sum(axis=2)
    median = median_known(above, 2)
    return np.where((2 * often >= slices) & (slices > 0), median, np.nan).reshape(-1, means.shape[-1])


def worst(regret: Floats) -> Floats:
    """Give the largest regret of each weighting; infinite where it cannot be judged."""
    known = regret[(~np.isnan(regret)).any(axis=-1)]
    if not len(known):
        return np.full(regret.shape[-1], np.inf)
    largest: Floats = np.where(np.isnan(known), np.inf, known).max(axis=0)
    return largest


def best_weighting(trials: Trials, confidence: float) -> BestWeighting:
    """Choose the weighting whose largest regret over everything simulated is smallest.

    A slice is one choice along every dimension but the weights and the replicas. In each, regret is the logarithm
    of an error over the slice's best; of slices with the same thing simulated the median counts, so that a few
    that failed decide nothing.
    """
    means = replica_means(trials)
    replicas = trials.log_error.shape[-1]
    compared = comparable(means)
    slices = int(compared.sum())
    regret = worst(regrets(means))
    order = np.argsort(regret, kind="stable")
    if not np.isfinite(regret[order[0]]):
        return _nothing(trials, _why_nothing(trials, slices))
    same, ratio, low, high, place = _on_left_out(trials, int(order[0]), confidence)
    second = order[1] if len(order) > 1 and np.isfinite(regret[order[1]]) else None
    return BestWeighting(
        weighting=trials.weighting(int(order[0])),
        regret=ratio,
        low=low,
        high=high,
        simulated={} if place is None else trials.simulated(*divmod(place, means.shape[1])),
        second=None if second is None else trials.weighting(int(second)),
        second_ratio=float("nan") if second is None else factors(regret[second] - regret[order[0]])[0],
        slices=slices,
        slice_dims=trials.slice_dims,
        same=same,
        replicas=replicas,
        reason=_rests_on(slices, int(np.isinf(means[..., order[0]][compared]).sum()), same, replicas),
    )


def _on_left_out(
    trials: Trials, chosen: int, confidence: float
) -> tuple[int, float, float, float, int | None]:
    """Choose by all replicas but one in turn, and try the choice on that one.

    Returns
    -------
    same
        How often the choice is that of all replicas.
    ratio, low, high
        Error over the slice's best, and its interval, where that is largest; NaN where it cannot be told.
    place
        Where that is.
    """
    same, logs = 0, []
    everything = np.ones(trials.log_error.shape[3], dtype=bool)
    for replica, means in left_one_out(trials):
        regret = worst(regrets(means))
        if np.isfinite(regret).any():
            same += int(regret.argmin() == chosen)
            errors = trials.log_error[..., replica]
            above = errors[..., regret.argmin()] - at_best(means, everything, errors)
            logs.append(mean_known(above, -1).ravel())
    typical = mean_known(np.array(logs), 0) if logs else np.array([np.nan])
    if not np.isfinite(typical).any():
        return same, float("nan"), float("nan"), float("nan"), None
    place = int(np.nanargmax(typical))
    # the worst of several places looks worse than it is: the interval holds for all of them together
    surer = 1 - (1 - confidence) / np.isfinite(typical).sum()
    mean, low, high, _ = student(np.array(logs)[:, place], surer)
    ratio, low, high = factors(mean, low, high)
    return same, ratio, low, high, place


def _rests_on(slices: int, failed: int, same: int, replicas: int) -> str:
    compared = (
        f"{counted(slices, 'slice')} compared{f', {failed} of them without a value of it' if failed else ''}"
    )
    if replicas < 2:
        return f"{compared}; one replica: how firm the choice is cannot be told"
    return f"{compared}; the same choice in {same} of {replicas} when one replica is left out"


def _why_nothing(trials: Trials, slices: int) -> str:
    if not trials.weight_dims:
        return "no weights to choose from"
    if trials.log_error.shape[3] < 2:
        return f"one weighting, {listed(trials.weighting(0))}: nothing to choose from"
    if not slices:
        return "no slice has a weighting with a value beside another that was tried"
    return "no weighting has values in half of the slices of everything simulated"


def _nothing(trials: Trials, reason: str) -> BestWeighting:
    nan = float("nan")
    return BestWeighting(
        weighting=None,
        regret=nan,
        low=nan,
        high=nan,
        simulated={},
        second=None,
        second_ratio=nan,
        slices=0,
        slice_dims=trials.slice_dims,
        same=0,
        replicas=trials.log_error.shape[-1],
        reason=reason,
    )
