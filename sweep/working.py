"""A batch on a worker: its assignments one by one, each recorded before the next begins."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from distributed import Reschedule

from sweep.artefacts import Recipe
from sweep.assignments import NOT_BEGUN, Assignment, Outcome
from sweep.clusters.leaving import LEAVING
from sweep.gang import GangDied, GangTimeout
from sweep.grid import Block, Cylinder
from sweep.journal import JournalError
from sweep.worker import (
    estimate_block,
    here,
    make_artefact,
    relax_points,
    truncation_errors,
)

# After this long nothing of a batch is begun any more: it was thought to take half of that, s.
LONGEST_BATCH_S = 2.0
# Errors of the worker, not of what it works on: nothing more can be recorded, or no gang be started.
_OF_THE_WORKER = (OSError, JournalError)
# Two that look like them: the next call has a new gang.
_OF_THE_CALL = (GangDied, GangTimeout)


def work_through(assignments: Sequence[Assignment]) -> list[Outcome]:
    """Do what a worker is given to do, unless it is recorded already.

    Parameters
    ----------
    assignments
        In the order in which they are to be done.

    Returns
    -------
    list of Outcome
        One for each: an error costs its own assignment. Those behind an error of the worker itself (its disk is full)
        are not begun, nor those whose turn does not come within `LONGEST_BATCH_S`, or before the worker has to leave.
    """
    until = time.monotonic() + LONGEST_BATCH_S
    here().look()
    outcomes: list[Outcome] = []
    for assignment in assignments:
        if LEAVING.is_set() or (time.monotonic() > until and outcomes):
            break
        outcomes.append(_outcome(assignment, until))
        error = outcomes[-1].error
        if isinstance(error, _OF_THE_WORKER) and not isinstance(error, _OF_THE_CALL):
            break
    # nothing is told before it is on the disk
    here().journal.sync()
    here().log.flush()
    if outcomes:
        outcomes[-1] = replace(outcomes[-1], journaled=here().journal.sizes)
    return outcomes + [NOT_BEGUN] * (len(assignments) - len(outcomes))


def _outcome(assignment: Assignment, until: float) -> Outcome:
    started = time.perf_counter()
    try:
        outcome = _done(assignment, until)
    except Reschedule:
        outcome = NOT_BEGUN
    except Exception as error:  # noqa: BLE001 - whatever it ended with is dealt with by the driver
        outcome = Outcome(error=error)
    return replace(outcome, seconds=time.perf_counter() - started)


def _done(assignment: Assignment, until: float) -> Outcome:
    """Do one assignment."""
    work, place, attempt = assignment.work, assignment.place, assignment.attempt
    if isinstance(work, Recipe):
        make_artefact(work, attempt)
        return Outcome()
    if isinstance(place, Cylinder):
        truncation_errors(place, work, attempt)
        return Outcome()
    assert isinstance(place, Block)
    if assignment.stage == "estimates":
        return Outcome(answer=estimate_block(place, work, attempt))
    return Outcome(left=relax_points(place, assignment.weightings, work, attempt, until=until))
