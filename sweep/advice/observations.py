"""What each kind of observation does to the error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sweep.advice.replicas import at_best, factors, left_one_out, mean_known, student
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
    """

    observation: str
    simulated: Labels
    verdict: str
    ratio: float
    low: float
    high: float
    replicas: int
    reason: str


def effects_of(trials: Trials, confidence: float) -> tuple[Effect, ...]:
    """Compare the best weightings with and without each observation, for each thing simulated and for all.

    In every slice, the best with it and the best without it are chosen by all replicas but one and compared on
    that one: a choice is not judged by the luck that it was made by. Logarithms of ratios are averaged over
    slices, then over replicas, whose scatter gives the interval.
    """
    effects: list[Effect] = []
    for name in trials.weight_dims:
        observation, weights = name.removeprefix(WEIGHT), trials.weights(name)
        without = weights == 0
        if not without.any() or without.all():
            lacks = "no weight of 0" if not without.any() else "no weight above 0"
            effects.append(_unknown(observation, f"{lacks} on its axis: give it both"))
            continue
        chosen = max(without.sum(), (~without).sum()) > 1
        effects += _summaries(trials, observation, _ratios(trials, without), confidence, chosen=bool(chosen))
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


def _summaries(
    trials: Trials, observation: str, ratios: Floats, confidence: float, *, chosen: bool
) -> list[Effect]:
    by_place = mean_known(ratios, -1)
    slices = np.isfinite(ratios).any(axis=0).sum(axis=-1)
    effects = [
        _effect(
            observation,
            trials.simulated(dislocation, radius),
            student(by_place[:, dislocation, radius], confidence, chosen=chosen),
            int(number),
        )
        for (dislocation, radius), number in np.ndenumerate(slices)
    ]
    if len(effects) > 1:
        overall = mean_known(by_place, (1, 2))
        effects.append(
            _effect(observation, {}, student(overall, confidence, chosen=chosen), int(slices.sum()))
        )
    return effects


def _effect(
    observation: str, simulated: Labels, interval: tuple[float, float, float, int], slices: int
) -> Effect:
    mean, low, high, replicas = interval
    if not replicas:
        why = "no slice has values with and without it in two replicas or more"
        return _unknown(observation, why, simulated)
    verdict = HELPS if high < 0 else HURTS if low > 0 else CANNOT_TELL
    reason = f"{counted(replicas, 'replica')}, {counted(slices, 'slice')}"
    if replicas < 2:
        reason += ": no interval"
    ratio, low, high = factors(mean, low, high)
    return Effect(observation, simulated, verdict, ratio, low, high, replicas, reason)


def _unknown(observation: str, reason: str, simulated: Labels | None = None) -> Effect:
    nan = float("nan")
    return Effect(observation, simulated or {}, CANNOT_TELL, nan, nan, nan, 0, reason)
