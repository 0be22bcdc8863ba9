"""What a plan would cost, stage by stage, if its calls took what earlier ones took."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sweep.forecast.spent import SIZES, Spent
from sweep.plan import Plan
from sweep.stages import STAGES

#: Called on every relaxed core for each of the user's own measures.
MEASURING = "kernels.measured:measure"


@dataclass(frozen=True)
class Cost:
    """What the calls of a stage would cost.

    Parameters
    ----------
    seconds
        Of one worker, for the kernels that are known (s).
    memory_mb
        Most resident memory that the ranks of a gang would hold (10⁶ bytes); NaN where it is not known.
    measured
        How many earlier calls that is from.
    unknown
        Kernels of which no call is known.
    """

    seconds: float
    memory_mb: float
    measured: int
    unknown: tuple[str, ...]


def costs(plan: Plan, spent: Mapping[str, Spent]) -> dict[str, Cost]:
    """Give what each stage with calls to make would cost.

    Parameters
    ----------
    plan
        What is to be done.
    spent
        What calls took so far, by kernel.
    """
    calls, found = plan.calls, {}
    for stage, kernels in STAGES.items():
        wanted = {kernel: calls[kernel] for kernel in kernels if calls[kernel]}
        if wanted and stage == "relaxations" and (own := plan.recipes.study.measures):
            wanted[MEASURING] = calls[kernels[0]] * len(own)
        if wanted:
            found[stage] = _cost(wanted, spent)
    return found


def _cost(wanted: Mapping[str, int], spent: Mapping[str, Spent]) -> Cost:
    known = {kernel: spent[kernel] for kernel in wanted if kernel in spent}
    memory = [each.memory_mb for each in known.values() if math.isfinite(each.memory_mb)]
    return Cost(
        sum(wanted[kernel] * each.seconds for kernel, each in known.items()),
        max(memory, default=math.nan),
        sum(each.calls for each in known.values()),
        tuple(kernel for kernel in wanted if kernel not in known),
    )


def beyond(plan: Plan, spent: Mapping[str, Spent]) -> dict[str, tuple[float, float]]:
    """Name sizes of blocks that are larger than any that was measured: the largest to do, and so far, by dimension."""
    measured: dict[str, float] = {}
    # a comparison's radius is no block's
    of_blocks = [*STAGES["estimates"], *STAGES["relaxations"]]
    for each in (spent[kernel] for kernel in of_blocks if kernel in spent):
        for name, label in each.largest.items():
            measured[name] = max(label, measured.get(name, -math.inf))
    largest = {
        name: max((getattr(work.block, name) or 0.0 for work in plan.blocks), default=0.0)
        for name in measured.keys() & set(SIZES)
    }
    return {
        name: (largest[name], measured[name])
        for name in SIZES
        if largest.get(name, 0.0) > measured.get(name, math.inf)
    }
