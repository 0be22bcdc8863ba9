"""What a worker is given to do, and what it answers: plain data, a few hundred bytes a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sweep.artefacts import KernelCall, Recipe
from sweep.grid import Block, Cylinder


@dataclass(frozen=True)
class Assignment:
    """One task as a worker is told it.

    Parameters
    ----------
    stage
        Stage it belongs to.
    work
        The kernel and its inputs. Of an artefact its whole recipe, which its file holds; of everything else the call
        alone, artefacts by their keys.
    place
        Block of estimates and relaxations, cylinder of truncation errors; None for an artefact.
    weightings
        Of relaxations: their points.
    attempt
        How often it is tried now, from 1; of several points, the first of them.
    """

    stage: str
    work: Recipe | KernelCall
    place: Block | Cylinder | None = None
    weightings: tuple[int, ...] = ()
    attempt: int = 1


class Estimated(NamedTuple):
    """A block whose fits and estimates are recorded.

    Attributes
    ----------
    statuses
        A word for each weighting.
    chosen
        Weightings to be relaxed; None for all that can be.
    """

    statuses: tuple[str, ...]
    chosen: frozenset[int] | None


@dataclass(frozen=True)
class Outcome:
    """What became of an assignment.

    Parameters
    ----------
    begun
        Whether its turn came before the batch's time was up.
    left
        Of relaxations: points whose turn did not come.
    seconds
        How long what was done took, recording included (s).
    answer
        Of estimates: what was found.
    error
        What it ended with, if anything went wrong.
    journaled
        Of the last one of a batch: the worker's journal by name, and its size on the disk (bytes). Whoever reads it on
        another host may not see all of that yet.
    """

    begun: bool = True
    left: tuple[int, ...] = ()
    seconds: float = 0.0
    answer: Estimated | None = None
    error: Exception | None = None
    journaled: Mapping[str, int] = field(default_factory=dict)


#: Of an assignment that is still to be done.
NOT_BEGUN = Outcome(begun=False)
