"""How long a call of a kernel may take: what the study says, or else a generous multiple of what calls took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

#: Limit of a kernel of which little is known, and of a second attempt at least: a hang must end, a large equilibrium
#: must not, s.
CAP_S = 3600.0
#: A learned limit is so many times the slowest call so far, ...
MULTIPLE = 30.0
#: ... never less than this, s, ...
FLOOR_S = 600.0
#: ... and begins to hold after so many calls: the first may all be of the smallest cylinder.
ENOUGH = 8


@dataclass(frozen=True)
class GivenLimits:
    """Limits that a study gives.

    Parameters
    ----------
    kernel_s
        Of every stage that is not named; None where the study says nothing.
    stages
        By stage, s.
    """

    kernel_s: float | None = None
    stages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Limit:
    """The limit of one call.

    Parameters
    ----------
    seconds
        How long it may take.
    why
        Where that comes from, in words that follow "its limit is".
    """

    seconds: float
    why: str


class KernelLimits:
    """The limits of a worker's calls, which learn from those that succeed.

    Parameters
    ----------
    given
        By the study.

    Examples
    --------
    >>> limits = KernelLimits(GivenLimits(stages={"fits": 20.0}))
    >>> limits.of("kernels.fitting:fit_block", "fits").seconds
    20.0
    >>> limits.of("kernels.points:relax_point", "relaxations").seconds
    3600.0
    """

    def __init__(self, given: GivenLimits) -> None:
        self._given = given
        self._calls: dict[str, int] = defaultdict(int)
        self._slowest: dict[str, float] = defaultdict(float)

    def learn(self, function: str, seconds: float) -> None:
        """Take note of a call that succeeded."""
        self._calls[function] += 1
        self._slowest[function] = max(self._slowest[function], seconds)

    def of(self, function: str, stage: str, attempt: int = 1) -> Limit:
        """Give the limit of a call.

        Parameters
        ----------
        function
            The kernel.
        stage
            Its stage.
        attempt
            From 1. A learned limit never ends a second attempt within `CAP_S`: later points may be far larger than
            those that it was learned from.
        """
        if stage in self._given.stages:
            return Limit(self._given.stages[stage], f"the study's limits.stages.{stage}")
        if self._given.kernel_s is not None:
            return Limit(self._given.kernel_s, "the study's limits.kernel_s")
        calls, slowest = self._calls[function], self._slowest[function]
        if calls < ENOUGH:
            return Limit(CAP_S, f"what a kernel has until {ENOUGH} of its calls have succeeded")
        learned = max(FLOOR_S, MULTIPLE * slowest)
        if attempt > 1 and learned < CAP_S:
            return Limit(CAP_S, "what a second attempt has")
        why = f"{MULTIPLE:g} times the slowest of {calls} calls ({slowest:.3g} s), at least {FLOOR_S:g} s"
        return Limit(learned, why)


def how_to_change(limit: Limit, stage: str) -> str:
    """Say where a limit comes from, and where it is changed.

    Examples
    --------
    >>> how_to_change(Limit(20.0, "the study's limits.kernel_s"), "fits")
    "its limit is the study's limits.kernel_s; in the study, limits: {stages: {fits: SECONDS}} changes it"
    """
    where = f"{{stages: {{{stage}: SECONDS}}}}" if stage else "{kernel_s: SECONDS}"
    return f"its limit is {limit.why}; in the study, limits: {where} changes it"
