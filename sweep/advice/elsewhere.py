"""How wrong fits are on a dislocation that they were not trained on, beside fits that were trained on it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import xarray as xr

from sweep.advice.replicas import factors, left_one_out, mean_known, student
from sweep.advice.transfer import AS_GOOD, CANNOT_TELL, NEARLY, WORSE, choice
from sweep.advice.trials import DISLOCATION, Bools, Floats, Trials
from sweep.advice.words import counted
from sweep.rates.points import LEFT_OUT
from sweep.transfers.variables import PREFIX, STATUS, TARGET
from sweep.variables import Status, Trust

#: The estimate that stands for an error on other dislocations, where little or nothing is relaxed.
ESTIMATE_OF = {
    "geometry_error": "geometry_estimate",
    "geometry_estimate": "geometry_estimate",
    "energy_error": "energy_estimate",
    "energy_estimate": "energy_estimate",
}
#: What relaxing gives of an error; the size of it counts.
RELAXED_OF = {"geometry_error": "geometry_error", "energy_error": "energy_difference"}
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
        Error over that of fits trained on the judged dislocation itself, and its interval over replicas.
    replicas
        Number of replicas.
    trusted, estimates
        Number of comparisons that are relaxed or neither of whose estimates is distrusted, and of all.
    reason
        What the verdict rests on.
    relaxed
        Number of comparisons of errors that were relaxed, the others being of estimates.
    lost
        Number of fits trained on the other dislocation that relaxed into no such core (unconverged, in another minimum,
        failed), where those trained on the judged one did not. Where they are half or more, it is not ``"as good"``.
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
    relaxed: int = 0
    lost: int = 0


def elsewhere_of(ds: xr.Dataset, trials: Trials, confidence: float) -> tuple[Elsewhere, ...]:
    """Compare fits on each dislocation with fits trained on it, for every pair of a store's dislocations.

    Compared are errors of the same recipe, weighting and replica, at the weighting that all other replicas regret least
    over every dislocation (all weightings, where there is none to choose): those of relaxed cores where both were
    relaxed, linear-response estimates elsewhere. Means over recipes and radii are a replica's one value. Where an
    estimate of either is distrusted, the comparison is left out; where that leaves none, all are shown and nothing is
    concluded. Where either was relaxed and is no measurement, its estimate counts for nothing.

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
    names = [f"{name}" for name in trials.axes[DISLOCATION]]
    targets = [f"{name}" for name in ds[TARGET].values]
    chosen = _choices(trials)
    judged_fits = _judged(ds, trials, estimate)
    found = []
    for trained, judged in permutations(names, 2):
        at, here, there = targets.index(judged), names.index(trained), names.index(judged)
        comparison = _comparison(judged_fits, (at, here), (at, there))
        found.append(_compared(trained, judged, comparison, chosen, confidence))
    return tuple(found)


@dataclass(frozen=True)
class _Judged:
    """Fits judged on every dislocation: (targets, dislocations, radii, recipes, weightings, replicas).

    There are no errors where the question is of estimates.
    """

    estimates: Floats
    errors: Floats | None
    distrusted: Bools
    lost: Bools


@dataclass(frozen=True)
class _Comparison:
    """Fits of one dislocation beside those of another: (radii, recipes, weightings, replicas)."""

    ratio: Floats
    doubtful: Bools
    relaxed: Bools
    lost: Bools
    can_relax: bool


def _judged(ds: xr.Dataset, trials: Trials, estimate: str) -> _Judged:
    """Read logarithms of estimates and of relaxed errors, NaN where there is none."""
    shape = trials.log_error.shape

    def laid_out(name: str) -> np.ndarray:
        return ds[name].transpose(TARGET, *trials.axes).values.reshape(-1, *shape)

    def logarithms(values: np.ndarray, known: Bools) -> Floats:
        values = np.abs(values.astype(float))
        known = known & np.isfinite(values) & (values > 0)
        return np.log(np.where(known, values, 1.0), where=known, out=np.full(values.shape, np.nan))

    estimated = laid_out(estimate)
    status = laid_out(STATUS) if STATUS in ds else np.full(estimated.shape, Status.estimated, dtype=np.uint8)
    relaxed = PREFIX + RELAXED_OF.get(trials.error, "")
    return _Judged(
        estimates=logarithms(estimated, np.ones(estimated.shape, dtype=bool)),
        errors=logarithms(laid_out(relaxed), status == Status.relaxed) if relaxed in ds else None,
        distrusted=laid_out(_TRUST) == Trust.distrusted
        if _TRUST in ds
        else np.zeros(estimated.shape, dtype=bool),
        lost=np.isin(status, [int(flag) for flag in LEFT_OUT]),
    )


def _comparison(fits: _Judged, here: tuple[int, int], there: tuple[int, int]) -> _Comparison:
    """Compare fits at two places of (targets, dislocations): relaxed errors where both are, estimates elsewhere."""
    ratio = fits.estimates[here] - fits.estimates[there]
    relaxed = np.zeros(ratio.shape, dtype=bool)
    if fits.errors is not None:
        errors = fits.errors[here] - fits.errors[there]
        relaxed = np.isfinite(errors)
        ratio = np.where(relaxed, errors, ratio)
    return _Comparison(
        ratio=np.where(fits.lost[here] | fits.lost[there], np.nan, ratio),
        doubtful=~relaxed & (fits.distrusted[here] | fits.distrusted[there]),
        relaxed=relaxed,
        lost=fits.lost[here] & ~fits.lost[there],
        can_relax=fits.errors is not None,
    )


def _choices(trials: Trials) -> list[int | None]:
    """Choose for each replica the weighting that all others regret least, wherever it is used."""
    everywhere = np.ones(trials.log_error.shape[0], dtype=bool)
    return [choice(means, everywhere) for _, means in left_one_out(trials)]


def _compared(
    trained: str, judged: str, comparison: _Comparison, chosen: list[int | None], confidence: float
) -> Elsewhere:
    """Average logarithms of ratios over all but the replicas."""
    ratio = comparison.ratio
    at_choice = np.zeros(ratio.shape, dtype=bool)
    for replica, weighting in enumerate(chosen):
        at_choice[:, :, slice(None) if weighting is None else weighting, replica] = True
    compared = at_choice & np.isfinite(ratio)
    trusted = compared & ~comparison.doubtful
    used = trusted if trusted.any() else compared
    values = mean_known(np.where(used, ratio, np.nan), (0, 1, 2))
    picked = any(weighting is not None for weighting in chosen)
    mean, low, high, replicas = student(values, confidence, chosen=picked)
    ratio_, low, high = factors(mean, low, high)
    lost = int((at_choice & comparison.lost).sum())
    as_good = high <= NEARLY and lost < used.sum()
    verdict = AS_GOOD if as_good else WORSE if low > 1 else CANNOT_TELL
    if not trusted.any():
        verdict = CANNOT_TELL
    counts = int(trusted.sum()), int(compared.sum())
    reason = _rests_on(*counts, lost, replicas)
    if not counts[0] and comparison.can_relax:
        reason += "; sweep transfer relaxes some"
    relaxed = int((used & comparison.relaxed).sum())
    return Elsewhere(trained, judged, verdict, ratio_, low, high, replicas, *counts, reason, relaxed, lost)


def _rests_on(trusted: int, estimates: int, lost: int, replicas: int) -> str:
    gone = f"{counted(lost, 'fit')} relaxed into no such core" if lost else ""
    if not estimates:
        return gone or "no estimate of both"
    which = "that are relaxed or of trusted estimates"
    told = f"{trusted or 'none'} of {counted(estimates, 'comparison')} {which}"
    basis = f"{counted(replicas, 'replica')}{'' if replicas > 1 else ', no interval'}"
    return "; ".join(filter(None, [basis, told, gone]))
