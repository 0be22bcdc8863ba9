"""Failures by cause: how many there are of each, where the first were, and what one's log said last."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sweep.causes import Cause
from sweep.grid import DIMENSIONS, WEIGHTING_DIMENSIONS, Grid
from sweep.store import Failed

#: Places that are named of each cause.
NAMED = 3
# What differs between two failures of one cause: numbers, and addresses in hexadecimal.
_PARTICULAR = re.compile(r"0x[0-9a-f]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class FailureGroup:
    """Failures of one cause.

    Parameters
    ----------
    where
        What failed, in the order of its names.
    cause
        That of the latest of them.
    """

    where: tuple[Failed, ...]
    cause: Cause


def by_cause(failed: Mapping[Failed, Cause]) -> list[FailureGroup]:
    """Gather failures of one stage whose messages differ in numbers only; the commonest first.

    Examples
    --------
    >>> from sweep.grid import Cylinder
    >>> places = [Cylinder("screw", radius) for radius in (25.0, 30.0, 35.0)]
    >>> messages = ["took longer than 61 s", "took longer than 75.5 s", "no minimum"]
    >>> causes = [Cause("truncation", why, when=f"{9 + hour}:00") for hour, why in enumerate(messages, 1)]
    >>> failed = {(at, None): cause for at, cause in zip(places, causes)}
    >>> [(len(group.where), group.cause.message) for group in by_cause(failed)]
    [(2, 'took longer than 75.5 s'), (1, 'no minimum')]
    """
    gathered: dict[tuple[str, str], list[Failed]] = defaultdict(list)
    for where in sorted(failed, key=_order):
        cause = failed[where]
        gathered[cause.stage, _PARTICULAR.sub("#", cause.first_line)].append(where)
    groups = [
        FailureGroup(tuple(places), max((failed[where] for where in places), key=lambda cause: cause.when))
        for places in gathered.values()
    ]
    return sorted(groups, key=lambda group: -len(group.where))


def described(groups: list[FailureGroup], grid: Grid) -> Iterator[str]:
    """Give failures in lines for people."""
    for group in groups:
        cause, count = group.cause, len(group.where)
        stage = f" in {cause.stage}" if cause.stage else ""
        yield f"{count} failure{'s' * (count != 1)}{stage}: {cause.first_line}"
        for where in group.where[:NAMED]:
            yield f"    {coordinates(where, grid)}"
        if count > NAMED:
            yield f"    and {count - NAMED} more"
        tried = f"tried {cause.attempts} time{'s' * (cause.attempts != 1)}"
        yield f"    the latest: {', '.join(filter(None, [tried, _by(cause.worker), cause.when]))}"
        if cause.log_tail:
            yield "    the last lines of its log:"
            yield from (f"      | {line}" for line in cause.log_tail.splitlines())


def coordinates(where: Failed, grid: Grid) -> str:
    """Name what failed by its labels along the grid's dimensions."""
    place, weighting = where
    if weighting is None:
        return place.key
    names = [name for name in DIMENSIONS if name in WEIGHTING_DIMENSIONS and name in grid.dims]
    shape = [len(grid.axis(name)) for name in names]
    words, rest = [], weighting
    for name, size in zip(reversed(names), reversed(shape), strict=True):
        rest, position = divmod(rest, size)
        words.append(f"{name}={grid.axis(name).values[position]:g}")
    return ",".join([place.key, *reversed(words)])


def _order(where: Failed) -> tuple[str, int]:
    return where[0].key, -1 if where[1] is None else where[1]


def _by(worker: str) -> str:
    return f"by worker {worker}" if worker else ""
