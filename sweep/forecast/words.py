"""A forecast in lines for people: what will run, what will not, why, and what that costs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sweep.forecast.costs import Cost, beyond, costs
from sweep.forecast.forecast import Forecast
from sweep.plan import BlockWork, Plan
from sweep.stages import STAGE_OF

NOT_BEGUN = "not begun yet"


def described(forecast: Forecast) -> Sequence[str]:
    """Give a forecast in lines: points and why they are to do, tasks by stage with what they cost, what is damaged."""
    return [
        *_refusals(forecast),
        *_points(forecast),
        *_stages(forecast),
        *_made_again(forecast),
        *_in_all(forecast),
    ]


def _refusals(forecast: Forecast) -> Iterator[str]:
    if forecast.refused:
        yield "nothing would run into this store, for the reason given last; into another with the same --artefacts:"
    if forecast.versions:
        yield f"refused without --accept-versions: {forecast.versions}"
    if (driver := forecast.driver) is not None:
        yield (
            f"process {driver.pid} on {driver.host} is at work on this store: another run is refused while it lasts"
        )


def _points(forecast: Forecast) -> Iterator[str]:
    plan = forecast.plan
    grid, left = plan.recipes.grid, plan.points_total - plan.points_done
    yield (
        f"study {plan.recipes.study.study}: {grid.n_points} points in {grid.n_blocks} blocks"
        + (f", {grid.n_asked} of them listed" if grid.listed is not None else "")
        + (f", {grid.n_excluded} excluded (every weight zero)" if grid.n_excluded else "")
    )
    if plan.recipes.fitting:
        failed = f"; {plan.points_failed} of those done failed (--retry-failed)" if plan.points_failed else ""
        yield f"{plan.points_done} points done, {left} to do{failed}"
        reasons = _why(plan, forecast.added)
        if set(reasons) - {NOT_BEGUN}:
            yield "to do: " + ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    else:
        yield "no point is asked for (fidelity.points is none)"
    if forecast.added:
        words = (f"{name} {', '.join(map(_label, labels))}" for name, labels in forecast.added.items())
        yield f"new: {'; '.join(words)}"
    if forecast.points_not_chosen:
        yield f"{forecast.points_not_chosen} points stay estimated: the study's fidelity does not choose them"
    if plan.recipes.comparing:
        total, left = len(list(grid.cylinders())), len(plan.cylinders)
        yield f"truncation errors of {total} cylinders: {total - left} done, {left} to do"


def _why(plan: Plan, added: Mapping[str, Sequence[Any]]) -> Counter[str]:
    """Count the points to do by the reason why they are not done yet."""
    grid, reasons = plan.recipes.grid, Counter[str]()
    for work in plan.blocks:
        count = len(work.weightings)
        if not (plan.recipes.relaxing or work.recorded):
            count = int((grid.asked(work.block) & grid.fits).sum())
        if count:
            reasons[_reason(work, added)] += count
    return reasons


def _reason(work: BlockWork, added: Mapping[str, Sequence[Any]]) -> str:
    new = [name for name, labels in added.items() if getattr(work.block, name) in labels]
    if new:
        return f"of a new {' and '.join(new)}"
    return "estimated and not relaxed yet" if work.recorded else NOT_BEGUN


def _stages(forecast: Forecast) -> Iterator[str]:
    plan, known = forecast.plan, costs(forecast.plan, forecast.spent)
    anything = any(cost.measured for cost in known.values())
    damaged = Counter(STAGE_OF.get(each.function, "") for each in forecast.damaged)
    for stage, count in plan.tasks.items():
        most = " at the most" if stage == "relaxations" and count and plan.recipes.sampling else ""
        again = f" ({damaged[stage]} damaged)" if damaged[stage] else ""
        exist = f", {plan.present[stage]} exist" if plan.present[stage] else ""
        cost = f": {_cost(known[stage])}" if stage in known and anything else ""
        yield f"  {stage:<12} {count:>6} to run{most}{again}{exist}{cost}"


def _cost(cost: Cost) -> str:
    """Say what a stage would cost, or that it is not known.

    Examples
    --------
    >>> _cost(Cost(7200.0, 512.0, 12, ()))
    'about 2 h, 0.512 GB (from 12 calls)'
    >>> _cost(Cost(90.0, math.nan, 1, ("kernels.materials:bulk_properties",)))
    'about 1.5 min, memory not known (from 1 call), and bulk_properties, not known yet'
    >>> _cost(Cost(0.0, math.nan, 0, ("kernels.materials:bulk_properties",)))
    'not known yet'
    """
    if not cost.measured:
        return "not known yet"
    measured = f"from {cost.measured} call{'s' * (cost.measured != 1)}"
    known = f"about {_time(cost.seconds)}, {_memory(cost.memory_mb)} ({measured})"
    names = ", ".join(kernel.partition(":")[2] for kernel in cost.unknown)
    return f"{known}, and {names}, not known yet" if names else known


def _made_again(forecast: Forecast) -> Iterator[str]:
    for artefact in forecast.damaged:
        yield f"damaged, will be made again by {artefact.function}: {artefact.path} ({artefact.reason})"
    for journal in forecast.journals:
        yield (
            f"damaged from byte {journal.offset} on ({journal.reason}): {journal.path}; what it held after that "
            "and the store has not is computed again"
        )


def _in_all(forecast: Forecast) -> Iterator[str]:
    found = costs(forecast.plan, forecast.spent)
    if not found:
        return
    unknown = [stage for stage, cost in found.items() if cost.unknown]
    if not any(cost.measured for cost in found.values()):
        yield f"how long that takes, and how much memory, is not known yet: {forecast.logs} tells of no such call"
        return
    seconds = sum(cost.seconds for cost in found.values())
    memory = [cost.memory_mb for cost in found.values() if math.isfinite(cost.memory_mb)]
    holding = f", its ranks holding {_memory(max(memory))} at the most" if memory else ""
    besides = f"; not known yet, and not counted: {', '.join(unknown)}" if unknown else ""
    yield f"in all about {_time(seconds)} of one worker{_ranks(forecast)}{holding}{besides}"
    if larger := beyond(forecast.plan, forecast.spent):
        words = (f"{name} {most:g} (so far {before:g})" for name, (most, before) in larger.items())
        yield f"larger than anything measured: {', '.join(words)}; it will take more than that"


def _ranks(forecast: Forecast) -> str:
    sizes = sorted({size for each in forecast.spent.values() for size in each.ranks})
    if not sizes:
        return ""
    return f" of {sizes[0]}{f' to {sizes[-1]}' * (len(sizes) > 1)} rank{'s' * (sizes != [1])}"


def _time(seconds: float) -> str:
    """Give a time in the largest unit of which it is one or more.

    Examples
    --------
    >>> _time(7200.0), _time(90.0), _time(0.25)
    ('2 h', '1.5 min', '0.25 s')
    """
    units = (("h", 3600.0), ("min", 60.0), ("s", 1.0))
    unit, size = next(((unit, size) for unit, size in units if seconds >= size), units[-1])
    return f"{seconds / size:.3g} {unit}"


def _memory(megabytes: float) -> str:
    return f"{megabytes / 1000:.3g} GB" if math.isfinite(megabytes) else "memory not known"


def _label(label: Any) -> str:
    return f"{label:g}" if isinstance(label, float) else str(label)
