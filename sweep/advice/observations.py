"""What each kind of observation does to the error."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sweep.advice.replicas import at_best, factors, left_one_out, mean_known, replica_means, student
from sweep.advice.trials import WEIGHT, Bools, Floats, Labels, Trials
from sweep.advice.words import counted

HELPS, HURTS, CANNOT_TELL = "helps", "hurts", "cannot tell"


@dataclass(frozen=True)
class Effect:
    """The effect of fitting one kind of observation.

    Parameters
    ----------
    observation
        Kind of observation: energy, forces, virial, ...
    simulated
        Where; empty for everything simulated.
    verdict
        ``"helps"``, ``"hurts"`` or ``"cannot tell"``.
    ratio, low, high
        Error with the observation over that without it, and its interval.
    replicas
        Number of replicas.
    reason
        What the verdict rests on.
    failed_with, failed_without
        Number of slices without a ratio because every weighting with the observation failed (for some replica), or
        every one without it.
    """

    observation: str
    simulated: Labels
    verdict: str
    ratio: float
    low: float
    high: float
    replicas: int
    reason: str
    failed_with: int = 0
    failed_without: int = 0

    @property
    def failures(self) -> str:
        """Say in how many further slices one side alone failed; nothing where none did."""
        parts = [(self.failed_with, "with"), (self.failed_without, "without")]
        told = [
            f"every weighting {side} it failed in {counted(count, 'slice')}" for count, side in parts if count
        ]
        return ", ".join(told)


def effects_of(trials: Trials, confidence: float) -> tuple[Effect, ...]:
    """Compare the best weightings with and without each observation, for each thing simulated and for all.

    In every slice, the best with it and the best without it are chosen by all replicas but one and compared on
    that one: a choice is not judged by the luck that it was made by. Logarithms of ratios are averaged over
    slices, then over replicas, whose scatter gives the interval. A slice in which one side failed altogether has no
    ratio: the reason counts them, and where they are half of the slices or more the failing side is not called better.
    """
    effects: list[Effect] = []
    for name in trials.weight_dims:
        observation, weights = name.removeprefix(WEIGHT), trials.weights(name)
        without = weights == 0
        if not without.any() or without.all():
            lacks = "no weight of 0" if not without.any() else "no weight above 0"
            effects.append(_unknown(observation, f"{lacks} on its axis: give it both"))
            continue
        effects += _summaries(trials, observation, without, confidence)
    return tuple(effects)


def most_worth_adding(effects: tuple[Effect, ...]) -> str | None:
    """Name the observation that helps most over everything simulated, if one does."""
    helping = [effect for effect in _overall(effects) if effect.verdict == HELPS]
    return min(helping, key=lambda effect: effect.ratio).observation if helping else None


def _overall(effects: tuple[Effect, ...]) -> list[Effect]:
    """Of each observation take the effect over everything simulated, which comes last."""
    return list({effect.observation: effect for effect in effects}.values())


def _ratios(trials: Trials, without: Bools) -> Floats:
    """Give logarithms of the error with an observation over that without: (replicas, dislocations, radii, recipes)."""
    found = [
        at_best(means, ~without, trials.log_error[..., replica])
        - at_best(means, without, trials.log_error[..., replica])
        for replica, means in left_one_out(trials)
    ]
    return np.stack(found)


def _failures(trials: Trials, without: Bools) -> np.ndarray:
    """Count for everything simulated, (with or without, dislocations, radii), slices where only that side failed."""
    means = replica_means(trials)
    sides = [means[..., ~without], means[..., without]]
    valued = [np.isfinite(side).any(axis=-1) for side in sides]
    failed = [np.isinf(side).any(axis=-1) for side in sides]
    alone = [failed[side] & ~valued[side] & valued[1 - side] for side in (0, 1)]
    return np.asarray(np.stack(alone).sum(axis=-1))


def _summaries(trials: Trials, observation: str, without: Bools, confidence: float) -> list[Effect]:
    ratios, failures = _ratios(trials, without), _failures(trials, without)
    chosen = bool(max(without.sum(), (~without).sum()) > 1)
    by_place = mean_known(ratios, -1)
    slices = np.isfinite(ratios).any(axis=0).sum(axis=-1)
    effects = [
        _effect(
            observation,
            trials.simulated(dislocation, radius),
            student(by_place[:, dislocation, radius], confidence, chosen=chosen),
            int(number),
            failures[:, dislocation, radius],
        )
        for (dislocation, radius), number in np.ndenumerate(slices)
    ]
    if len(effects) > 1:
        interval = student(mean_known(by_place, (1, 2)), confidence, chosen=chosen)
        effects.append(_effect(observation, {}, interval, int(slices.sum()), failures.sum(axis=(1, 2))))
    return effects


def _effect(
    observation: str,
    simulated: Labels,
    interval: tuple[float, float, float, int],
    slices: int,
    failures: np.ndarray,
) -> Effect:
    mean, low, high, replicas = interval
    with_it, without = map(int, failures)
    if not replicas:
        why = "no slice has values with and without it in two replicas or more"
        return replace(_unknown(observation, why, simulated), failed_with=with_it, failed_without=without)
    verdict = HELPS if high < 0 else HURTS if low > 0 else CANNOT_TELL
    # the side that the ratio favours is not better where the ratio is of a minority that it survived in
    lost = {HELPS: with_it, HURTS: without}.get(verdict, 0)
    if 2 * lost >= slices + with_it + without:
        verdict = CANNOT_TELL
    reason = f"{counted(replicas, 'replica')}, {counted(slices, 'slice')}"
    if replicas < 2:
        reason += ": no interval"
    ratio, low, high = factors(mean, low, high)
    return Effect(observation, simulated, verdict, ratio, low, high, replicas, reason, with_it, without)


def _unknown(observation: str, reason: str, simulated: Labels | None = None) -> Effect:
    nan = float("nan")
    return Effect(observation, simulated or {}, CANNOT_TELL, nan, nan, nan, 0, reason)
