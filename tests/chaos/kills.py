"""Who is killed when: a deck of victims and moments, dealt by a seed."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from tests.chaos.victims import Victim


class Moment(StrEnum):
    """When a kill strikes."""

    any = "any time"
    set_up = "set-up"
    growth = "growth of the store"
    compaction = "compaction"


@dataclass(frozen=True)
class Blow:
    """A kill to come: whom, and when."""

    victim: Victim
    moment: Moment = Moment.any


@dataclass(frozen=True)
class Kill:
    """A kill that was made.

    Parameters
    ----------
    seconds
        Since the beginning.
    blow
        Whom, and what moment was waited for.
    pid
        Of the victim.
    step
        How often the study had grown.
    place
        Where the workers were: local, or at an address.
    stage
        Furthest stage of which something had been made in this step.
    journaled
        Records of blocks, points and cylinders by then.
    """

    seconds: float
    blow: Blow
    pid: int
    step: int
    place: str
    stage: str
    journaled: int

    def __str__(self) -> str:
        moment = "" if self.blow.moment is Moment.any else f" ({self.blow.moment})"
        return (
            f"{self.seconds:7.1f} s  {self.blow.victim}{moment}, pid {self.pid}; {self.place}, step {self.step}, "
            f"{self.stage}; {self.journaled} records journaled"
        )


def deck(counts: Counter[Blow], seed: int) -> list[Blow]:
    """Shuffle blows: the last is dealt first."""
    blows = list(counts.elements())
    random.Random(seed).shuffle(blows)
    return blows


LOCAL_BLOWS = Counter(
    {
        Blow(Victim.driver): 4,
        Blow(Victim.driver, Moment.set_up): 4,
        Blow(Victim.driver, Moment.compaction): 4,
        Blow(Victim.driver, Moment.growth): 2,
        Blow(Victim.worker): 12,
        Blow(Victim.launcher): 11,
        Blow(Victim.rank, Moment.set_up): 2,
        Blow(Victim.rank): 12,
    }
)
CLUSTER_BLOWS = Counter(
    {
        Blow(Victim.scheduler): 10,
        Blow(Victim.nanny): 11,
        Blow(Victim.worker): 8,
        Blow(Victim.driver): 3,
        Blow(Victim.driver, Moment.compaction): 2,
        Blow(Victim.driver, Moment.growth): 2,
        Blow(Victim.launcher): 8,
        Blow(Victim.rank): 11,
    }
)
