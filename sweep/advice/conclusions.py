"""What advice comes to, in sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sweep.advice.cheapest import MEETS, NONE_MEETS, Cheapest
from sweep.advice.elsewhere import Elsewhere
from sweep.advice.observations import Effect
from sweep.advice.transfer import AS_GOOD, WORSE, Transfer
from sweep.advice.words import amount, counted, label_words, listed, number, span, whole

if TYPE_CHECKING:
    from sweep.advice.advice import Advice


def asked(advice: Advice) -> str:
    """Say in one line what was asked."""
    which = "a typical training set" if advice.share == 0.5 else f"{100 * advice.share:g} % of training sets"
    sure = f"with {100 * advice.confidence:g} % confidence"
    return f"{advice.error} of at most {amount(advice.tolerance, advice.units)} from {which}, {sure}"


def conclusions(advice: Advice) -> tuple[str, ...]:
    """Say in sentences what each part of advice comes to, with its numbers."""
    found = [_cheapest(advice, each) for each in advice.cheapest]
    found.append(_weighting(advice))
    found.append(_observations(advice))
    found += [_transfer(each) for each in advice.transfers if each.weighting is not None]
    found += [_elsewhere(each) for each in advice.elsewhere if each.replicas or each.lost]
    return tuple(found)


def _cheapest(advice: Advice, found: Cheapest) -> str:
    where = _where(found.simulated)
    if found.verdict == NONE_MEETS:
        return f"{where}: no point meets it; {found.reason}."
    if found.point is None:
        return f"{where}: cannot tell; {found.reason}."
    cost = f"{whole(found.labelled_atoms)} labelled atoms and {whole(found.basis_size)} functions"
    typical = amount(found.typical, advice.units)
    if found.verdict == MEETS:
        limit = amount(found.upper, advice.units)
        return f"{where}: {cost} will do, at {listed(found.point)}: {typical}, below {limit}."
    return f"{where}: {cost} may do, at {listed(found.point)}: {typical}, but {found.reason}."


def _weighting(advice: Advice) -> str:
    best = advice.weighting
    if best.weighting is None:
        return f"Weighting: {best.reason}."
    regret = ""
    if math.isfinite(best.regret):
        where = f", at its worst for {listed(best.simulated)}" if best.simulated else ""
        regret = (
            f"; error over the best weighting's {number(best.regret)} ({span(best.low, best.high)}){where}"
        )
    return f"Weighting to regret least: {listed(best.weighting)}{regret}; {best.reason}."


def _observations(advice: Advice) -> str:
    if advice.add_next is None:
        return f"Observations: none is known to help. {_effects(advice.effects)}"
    return f"Observation that helps most: {advice.add_next}. {_effects(advice.effects)}"


def _effects(effects: tuple[Effect, ...]) -> str:
    """Give the effect of each observation over everything simulated, which stands last."""
    overall = {effect.observation: effect for effect in effects}.values()
    words = [f"{effect.observation}: {effect.verdict}, {_numbers(effect)}" for effect in overall]
    return "; ".join(words) + ("." if words else "")


def _transfer(found: Transfer) -> str:
    verdict = {AS_GOOD: "is as good as its own", WORSE: "is worse than its own"}.get(
        found.verdict, "cannot be told from its own"
    )
    return f"{found.left_out} with the weighting chosen without it {verdict}: {_numbers(found)}."


def _elsewhere(found: Elsewhere) -> str:
    if not found.replicas:
        return f"Trained on {found.trained} and bulk, {found.judged} cannot be judged: {found.reason}."
    times = f"{number(found.ratio)} times ({span(found.low, found.high)})"
    return (
        f"Trained on {found.trained} and bulk, {found.judged} is {times} as wrong as when trained on {found.judged} "
        f"itself, {_how(found)}; {found.reason}."
    )


def _how(found: Elsewhere) -> str:
    """Say what stands for the errors that are compared."""
    if not found.relaxed:
        return "by linear response"
    if found.relaxed == found.trusted:
        return "by relaxed cores"
    return f"by linear response and {counted(found.relaxed, 'pair')} of relaxed cores"


def _numbers(found: Effect | Transfer) -> str:
    told = f"error times {number(found.ratio)} ({span(found.low, found.high)})"
    if not found.replicas:
        told = found.reason
    return f"{told}, but {found.failures}" if found.failures else told


def _where(simulated: dict[str, object]) -> str:
    if not simulated:
        return "Everything simulated"
    return ", ".join(
        f"{label_words(label)}" if name == "dislocation" else f"{name} {label_words(label)}"
        for name, label in simulated.items()
    )
