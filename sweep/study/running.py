"""Sections that say how a study runs: none of them changes a number, and so none is part of its fingerprint."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sweep.study.fields import Positive, Section

SECONDS = "a number of seconds above 0"
RANKS = "a whole number from 1 to 1024"

_Ranks = Annotated[int, Field(ge=1, le=1024)]


class StageLimits(Section):
    """Longest that a call of a kernel may take in each stage (s); those left out are not limited by this."""

    material: Positive | None = Field(default=None, description=SECONDS)
    equilibria: Positive | None = Field(default=None, description=SECONDS)
    truncation: Positive | None = Field(default=None, description=SECONDS)
    training: Positive | None = Field(default=None, description=SECONDS)
    factors: Positive | None = Field(default=None, description=SECONDS)
    response: Positive | None = Field(default=None, description=SECONDS)
    fits: Positive | None = Field(default=None, description=SECONDS)
    estimates: Positive | None = Field(default=None, description=SECONDS)
    transfers: Positive | None = Field(default=None, description=SECONDS)
    relaxations: Positive | None = Field(default=None, description=SECONDS)

    @property
    def named(self) -> dict[str, float]:
        """Limits of the stages that are named (s)."""
        return {stage: seconds for stage, seconds in self if seconds is not None}


class Limits(Section):
    """Longest that one call of a kernel may take before its gang is ended.

    `kernel_s` holds for every stage that `stages` does not name. Without either a limit follows from what earlier
    calls took (`sweep.limits`).
    """

    kernel_s: Positive | None = Field(default=None, description=SECONDS)
    stages: StageLimits = StageLimits()


class StageRanks(Section):
    """MPI ranks of the gang in each stage; those left out have those of `sweep run --ranks`."""

    material: _Ranks | None = Field(default=None, description=RANKS)
    equilibria: _Ranks | None = Field(default=None, description=RANKS)
    truncation: _Ranks | None = Field(default=None, description=RANKS)
    training: _Ranks | None = Field(default=None, description=RANKS)
    factors: _Ranks | None = Field(default=None, description=RANKS)
    response: _Ranks | None = Field(default=None, description=RANKS)
    fits: _Ranks | None = Field(default=None, description=RANKS)
    estimates: _Ranks | None = Field(default=None, description=RANKS)
    transfers: _Ranks | None = Field(default=None, description=RANKS)
    relaxations: _Ranks | None = Field(default=None, description=RANKS)

    @property
    def named(self) -> dict[str, int]:
        """Ranks of the stages that are named."""
        return {stage: ranks for stage, ranks in self if ranks is not None}
