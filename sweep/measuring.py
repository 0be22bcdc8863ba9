"""Calls the user's own measures on a relaxed core: one that fails costs its own numbers and no others."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sweep.gang import GangError, KernelError
from sweep.journal import AnyRecord
from sweep.measured import Measure
from sweep.records import Record

KERNEL = "kernels.measured:measure"
# How a message of a record begins that tells of a measure.
MARK = "measure "
#: Of what a relaxation is given, measures are given too.
ARGUMENTS = ("basis", "dislocation", "equilibrium", "fit")


def unmeasured(records: Iterable[AnyRecord]) -> Counter[str]:
    """Count the reasons why measures failed, in records of points that did not fail themselves."""
    return Counter(
        part.removeprefix(MARK)
        for record in records
        if isinstance(record, Record) and not record.failed
        for part in record.message.split("; ")
        if part.startswith(MARK)
    )


def measure_lines(reasons: Counter[str]) -> Iterator[str]:
    """Say which measures failed, each reason once with how often it was met."""
    for reason, count in reasons.most_common():
        yield f"not measured {count} time{'s' * (count != 1)}: {reason}"


def measured(
    call: Callable[[str, Mapping[str, Any]], Mapping[str, Any]],
    measures: Sequence[Measure],
    arguments: Mapping[str, Any],
    weighting: int,
    corrector: Any,
) -> tuple[dict[str, float], list[str]]:
    """Measure one relaxed core.

    Parameters
    ----------
    call
        Calls a kernel in the gang, as ``call(function, arguments)``.
    measures
        What is to be called.
    arguments
        Of the relaxation.
    weighting
        Which of the block's fits.
    corrector
        Where the free atoms ended, as `kernels.points.relax_point` gave it.

    Returns
    -------
    values : dict
        A number for each name; NaN where its function failed, whatever it did to the gang.
    failures : list of str
        What happened, a line each.
    """
    given = {name: arguments[name] for name in ARGUMENTS} | {"weighting": weighting, "corrector": corrector}
    values: dict[str, float] = {}
    failures: list[str] = []
    for measure in measures:
        own = {"function": measure.function, "options": dict(measure.options)}
        try:
            values |= call(KERNEL, given | own)
        except GangError as error:
            values |= dict.fromkeys(measure.names, math.nan)
            said = f"{error.kind}: {error.reason}" if isinstance(error, KernelError) else str(error)
            first_line = said.partition("\n")[0].replace("; ", ", ")
            failures.append(f"{MARK}{measure.function} failed: {first_line}")
    return values, failures
