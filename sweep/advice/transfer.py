"""What a weighting chosen on other dislocations costs on the one that was left out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sweep.advice.regret import regrets, worst
from sweep.advice.replicas import factors, left_one_out, mean_known, replica_means, student
from sweep.advice.trials import DISLOCATION, Bools, Floats, Labels, Trials
from sweep.advice.words import counted

AS_GOOD, WORSE, CANNOT_TELL = "as good", "worse", "cannot tell"
#: Errors within this factor of a dislocation's own best are as good.
NEARLY = 1.1


@dataclass(frozen=True)
class Transfer:
    """How well a choice of weighting carries over to a dislocation that had no part in it.

    Parameters
    ----------
    left_out
        Name of the dislocation.
    weighting
        Chosen on all others; none where it cannot be.
    own
        What the dislocation itself would choose.
    verdict
        ``"as good"`` where the error is surely within `NEARLY` of that at its own choice, ``"worse"`` where it is
        surely larger, ``"cannot tell"``.
    ratio, low, high
        Error at the weighting of the others over that at its own, and its interval.
    replicas
        Number of replicas.
    reason
        What the verdict rests on.
    failed
        Number of slices of the dislocation where it failed at the weighting of the others and not at its own. Where
        they are half of the slices or more, the verdict is not ``"as good"``.
    """

    left_out: str
    weighting: Labels | None
    own: Labels | None
    verdict: str
    ratio: float
    low: float
    high: float
    replicas: int
    reason: str
    failed: int = 0

    @property
    def failures(self) -> str:
        """Say in how many further slices it failed; nothing where it did in none."""
        return f"it failed in {counted(self.failed, 'slice')} at theirs alone" if self.failed else ""


def transfers_of(trials: Trials, confidence: float) -> tuple[Transfer, ...]:
    """Leave out each dislocation in turn, choose the weighting on the others, and try it on the one left out.

    Both choices are of least regret (`sweep.advice.regret`), made by all replicas but one and compared on that
    one. What carries over is the *choice* of weights: each dislocation's potentials are fitted to its own training
    set.
    """
    names = [f"{name}" for name in trials.axes.get(DISLOCATION, np.array([]))]
    if len(names) < 2:
        reason = f"{counted(len(names), 'dislocation')}: leaving one out takes two"
        return (_unknown(names[0] if names else "", None, None, reason),)
    return tuple(_transfer(trials, place, name, confidence) for place, name in enumerate(names))


def _transfer(trials: Trials, place: int, name: str, confidence: float) -> Transfer:
    this = np.arange(trials.log_error.shape[0]) == place
    means = replica_means(trials)
    others, own = choice(means, ~this), choice(means, this)
    if others is None or own is None:
        lacking = "the others have" if others is None else "it has"
        return _unknown(name, None, None, f"{lacking} no two weightings to compare")
    ratios = []
    failed, valued = np.isinf(means[place, ..., others]), np.isfinite(means[place, ..., own])
    lost = int((failed & valued).sum())
    compared = int((np.isfinite(means[place, ..., others]) & valued).sum())
    for replica, without in left_one_out(trials):
        theirs, mine = choice(without, ~this), choice(without, this)
        if theirs is not None and mine is not None:
            errors = trials.log_error[place, :, :, :, replica]
            ratios.append(float(mean_known(errors[..., theirs] - errors[..., mine], (0, 1))))
    mean, low, high, replicas = student(np.array(ratios), confidence)
    labels = trials.weighting(others), trials.weighting(own)
    if not replicas:
        why = "no replica has values at both, chosen without it"
        return replace(_unknown(name, *labels, why), failed=lost)
    ratio, low, high = factors(mean, low, high)
    as_good = high <= NEARLY and lost < compared
    verdict = AS_GOOD if as_good else WORSE if low > 1 else CANNOT_TELL
    reason = counted(replicas, "replica") + ("" if replicas > 1 else ": no interval")
    return Transfer(name, *labels, verdict, ratio, low, high, replicas, reason, lost)


def choice(means: Floats, dislocations: Bools) -> int | None:
    """Choose the weighting of least regret for some dislocations; none where nothing can be compared."""
    regret = worst(regrets(means[dislocations]))
    best = int(regret.argmin())
    return best if np.isfinite(regret[best]) else None


def _unknown(name: str, weighting: Labels | None, own: Labels | None, reason: str) -> Transfer:
    nan = float("nan")
    return Transfer(name, weighting, own, CANNOT_TELL, nan, nan, nan, 0, reason)
