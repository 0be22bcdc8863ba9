"""How wrong fits are on a dislocation that they were not trained on, beside fits that were trained on it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import xarray as xr

from sweep.advice.replicas import factors, left_one_out, mean_known, student
from sweep.advice.transfer import AS_GOOD, CANNOT_TELL, NEARLY, WORSE, choice
from sweep.advice.trials import DISLOCATION, Floats, Trials
from sweep.advice.words import counted
from sweep.transfers.variables import PREFIX, TARGET
from sweep.variables import Trust

#: The estimate that stands for an error on other dislocations, where little or nothing is relaxed.
ESTIMATE_OF = {
    "geometry_error": "geometry_estimate",
    "geometry_estimate": "geometry_estimate",
    "energy_error": "energy_estimate",
    "energy_estimate": "energy_estimate",
}
_TRUST = f"{PREFIX}estimate_trusted"


@dataclass(frozen=True)
class Elsewhere:
    """How wrong fits trained on one dislocation are on another.

    Parameters
    ----------
    trained, judged
        Names of the two dislocations; every training set has bulk cells besides.
    verdict
        ``"as good"`` where the error is surely within `NEARLY` of that of fits trained on the judged dislocation,
        ``"worse"`` where it is surely larger, ``"cannot tell"``.
    ratio, low, high
        Estimated error over that of fits trained on the judged dislocation itself, and its interval over replicas.
    replicas
        Number of replicas.
    trusted, estimates
        Number of comparisons neither of whose estimates is distrusted, and of all.
    reason
        What the verdict rests on.
    """

    trained: str
    judged: str
    verdict: str
    ratio: float
    low: float
    high: float
    replicas: int
    trusted: int
    estimates: int
    reason: str


def elsewhere_of(ds: xr.Dataset, trials: Trials, confidence: float) -> tuple[Elsewhere, ...]:
    """Compare fits on each dislocation with fits trained on it, for every pair of a store's dislocations.

    Compared are linear-response estimates of the same recipe, weighting and replica, at the weighting that all other
    replicas regret least over every dislocation (all weightings, where there is none to choose). Means over recipes
    and radii are a replica's one value. Where an estimate of either is distrusted, the comparison is left out; where
    that leaves none, all are shown and nothing is concluded.

    Parameters
    ----------
    ds
        A store, as `sweep.open_store` gives it.
    trials
        Of its error.
    confidence
        Of the intervals.

    Returns
    -------
    tuple of Elsewhere
        In the store's order; empty for a store without transfers, or of errors that have no estimate.
    """
    estimate = PREFIX + ESTIMATE_OF.get(trials.error, "")
    if estimate not in ds or TARGET not in ds.dims or DISLOCATION not in trials.axes:
        return ()
    order, shape = (TARGET, *trials.axes), trials.log_error.shape
    values = np.abs(ds[estimate].transpose(*order).values.astype(float).reshape(-1, *shape))
    known = np.isfinite(values) & (values > 0)
    logs = np.log(np.where(known, values, 1.0), where=known, out=np.full(values.shape, np.nan))
    distrusted = np.zeros(values.shape, dtype=bool)
    if _TRUST in ds:
        distrusted = ds[_TRUST].transpose(*order).values.reshape(values.shape) == Trust.distrusted
    names = [f"{name}" for name in trials.axes[DISLOCATION]]
    targets = [f"{name}" for name in ds[TARGET].values]
    chosen = _choices(trials)
    found = []
    for trained, judged in permutations(names, 2):
        at, here, there = targets.index(judged), names.index(trained), names.index(judged)
        ratio = logs[at, here] - logs[at, there]
        doubtful = distrusted[at, here] | distrusted[at, there]
        found.append(_compared(trained, judged, ratio, doubtful, chosen, confidence))
    return tuple(found)


def _choices(trials: Trials) -> list[int | None]:
    """Choose for each replica the weighting that all others regret least, wherever it is used."""
    everywhere = np.ones(trials.log_error.shape[0], dtype=bool)
    return [choice(means, everywhere) for _, means in left_one_out(trials)]


def _compared(
    trained: str,
    judged: str,
    ratio: Floats,
    doubtful: np.ndarray,
    chosen: list[int | None],
    confidence: float,
) -> Elsewhere:
    """Average logarithms of ratios, (radii, recipes, weightings, replicas), over all but the replicas."""
    at_choice = np.zeros(ratio.shape, dtype=bool)
    for replica, weighting in enumerate(chosen):
        at_choice[:, :, slice(None) if weighting is None else weighting, replica] = True
    compared = at_choice & np.isfinite(ratio)
    trusted = compared & ~doubtful
    used = trusted if trusted.any() else compared
    values = mean_known(np.where(used, ratio, np.nan), (0, 1, 2))
    picked = any(weighting is not None for weighting in chosen)
    mean, low, high, replicas = student(values, confidence, chosen=picked)
    ratio_, low, high = factors(mean, low, high)
    verdict = AS_GOOD if high <= NEARLY else WORSE if low > 1 else CANNOT_TELL
    if not trusted.any():
        verdict = CANNOT_TELL
    counts = int(trusted.sum()), int(compared.sum())
    reason = _rests_on(*counts, replicas)
    return Elsewhere(trained, judged, verdict, ratio_, low, high, replicas, *counts, reason)


def _rests_on(trusted: int, estimates: int, replicas: int) -> str:
    if not estimates:
        return "no estimate of both"
    told = f"{trusted} of {counted(estimates, 'comparison')} of trusted estimates"
    if not trusted:
        told = (
            f"none of {counted(estimates, 'comparison')} of trusted estimates: relax some with sweep transfer"
        )
    return f"{counted(replicas, 'replica')}{'' if replicas > 1 else ', no interval'}; {told}"
