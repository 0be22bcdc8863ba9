"""Which tasks of a plan may run, given what is done; knows nothing of Dask."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from sweep.artefacts import Recipe
from sweep.causes import Cause
from sweep.grid import Block, Cylinder
from sweep.plan import BlockWork, Plan
from sweep.recipes import needs
from sweep.stages import STAGE_OF, STAGES
from sweep.variables import Status

# Upstream stages first while they hold everything up, then whatever brings results nearest.
URGENCY = {
    stage: urgency
    for urgency, stage in enumerate(
        (
            "material",
            "equilibria",
            "truncation",
            "relaxations",
            "estimates",
            "transfers",
            "fits",
            "response",
            "factors",
            "training",
        )
    )
}

# The kernels whose answers are recorded instead of kept as artefacts.
(TRUNCATION,), (ESTIMATES,), (RELAXATION,) = (
    STAGES[stage] for stage in ("truncation", "estimates", "relaxations")
)

# What waits for artefacts: others made of them, blocks, and cylinders for their truncation errors.
_Dependent: TypeAlias = Recipe | BlockWork | Cylinder


@dataclass(frozen=True, order=True)
class Task:
    """One piece of work for a worker.

    Parameters
    ----------
    urgency, number
        Place in the queue.
    stage
        Stage it belongs to, which says what a worker does with it.
    name
        What it makes: an artefact's key, or its cylinder's, or its block's key (and weightings).
    kernel
        Name of the kernel; tasks of one kernel take about the same time.
    recipe
        That kernel, its version and its inputs.
    place
        Block of estimates and relaxations, cylinder of truncation errors.
    weightings
        Of relaxations: their points.
    """

    urgency: int
    number: int
    stage: str = field(compare=False)
    name: str = field(compare=False)
    kernel: str = field(compare=False)
    recipe: Recipe = field(compare=False)
    place: Block | Cylinder | None = field(default=None, compare=False)
    weightings: tuple[int, ...] = field(default=(), compare=False)

    @property
    def size(self) -> int:
        """How many points it has; one where it is no work on points."""
        return len(self.weightings) or 1


@dataclass(frozen=True, order=True)
class _Ready:
    """What may run: a task but for its recipe, which is looked up when its turn comes; points whole blocks together."""

    urgency: int
    number: int
    kernel: str = field(compare=False)
    what: Recipe | Block | Cylinder = field(compare=False)
    weightings: tuple[int, ...] = field(default=(), compare=False)

    @property
    def size(self) -> int:
        return len(self.weightings) or 1


@dataclass(frozen=True)
class Failure:
    """Work that could not be done.

    Parameters
    ----------
    place
        The block it was for, or the cylinder whose truncation errors it was.
    weightings
        Points of the block, or none for all of it.
    cause
        Why.
    """

    place: Block | Cylinder
    weightings: tuple[int, ...]
    cause: Cause


@dataclass(frozen=True)
class Event:
    """How far a stage is: so much done of so much, and so much lost."""

    stage: str
    done: int
    total: int
    failed: int


class Schedule:
    """The tasks of a plan: ready, waiting for others, done, or lost.

    Parameters
    ----------
    plan
        What is to be done.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.totals = Counter(plan.tasks)
        self.done: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self._numbers = itertools.count()
        self._ready: list[_Ready] = []
        self._sizes: Counter[str] = Counter()
        self._waiting: dict[str, int] = {}
        self._dependents: dict[str, list[_Dependent]] = defaultdict(list)
        missing = {recipe.key for recipe in plan.artefacts}
        for recipe in plan.artefacts:
            self._await(recipe, needs(recipe), missing)
        for work in plan.blocks:
            self._await(work, plan.recipes.block_inputs(work.block).values(), missing)
        for cylinder in plan.cylinders:
            self._await(cylinder, needs(plan.recipes.truncation(cylinder)), missing)

    def next_kernel(self) -> str | None:
        """Say which kernel the most urgent task that may run is for; None where there is none."""
        return self._ready[0].kernel if self._ready else None

    def next(self, points: int | None = None) -> Task | None:
        """Take the most urgent task that may run; None where there is none.

        Parameters
        ----------
        points
            How many points of its block a task of relaxations may have; None for all.
        """
        if not self._ready:
            return None
        ready = heapq.heappop(self._ready)
        if points is not None and len(ready.weightings) > points:
            # what is left keeps its place in the queue
            heapq.heappush(self._ready, replace(ready, weightings=ready.weightings[points:]))
            ready = replace(ready, weightings=ready.weightings[:points])
        self._sizes[ready.kernel] -= ready.size
        return self._task(ready)

    def ready(self, kernel: str) -> int:
        """Count what may run of one kernel: points, or tasks where it works on no points."""
        return self._sizes[kernel]

    def put_back(self, task: Task, left: tuple[int, ...] = ()) -> None:
        """Take back a task whose turn did not come on its worker, or not for all of its points."""
        self.done[task.stage] += len(task.weightings) - len(left)
        self._push(task.kernel, _what(task), left, number=task.number)

    @property
    def finished(self) -> bool:
        """Whether nothing is ready (what runs may still make more so)."""
        return not self._ready

    def event(self, stage: str) -> Event:
        """Say how far a stage is."""
        return Event(stage, self.done[stage], self.totals[stage], self.failed[stage])

    def succeed(
        self, task: Task, statuses: Sequence[str] = (), chosen: Collection[int] | None = None
    ) -> None:
        """Take note that a task is done: what waited for it may run.

        Parameters
        ----------
        task
            The task.
        statuses
            Of estimates: a word for each weighting. A fit that is not finite cannot be relaxed.
        chosen
            Of estimates: the weightings to be relaxed; None for all that can be.
        """
        self.done[task.stage] += len(task.weightings) or 1
        if task.stage == "estimates":
            for work in self._dependents.pop(task.name + "/points", []):
                assert isinstance(work, BlockWork)
                relaxable = tuple(w for w in work.weightings if statuses[w] == Status.estimated.name)
                self.failed["relaxations"] += len(work.weightings) - len(relaxable)
                wanted = relaxable if chosen is None else tuple(w for w in relaxable if w in chosen)
                # those not chosen stay estimated, and are no work any more
                self.totals["relaxations"] -= len(relaxable) - len(wanted)
                self._queue_points(replace(work, weightings=wanted))
        elif task.stage != "relaxations":
            for dependent in self._dependents.pop(task.name, []):
                self._release(dependent)

    def fail(self, task: Task, cause: Cause) -> list[Failure]:
        """Take note that a task cannot be done, nor anything that needs it; returns what that costs."""
        if task.place is not None:
            self.failed[task.stage] += len(task.weightings) or 1
            lost = [Failure(task.place, task.weightings, cause)]
            if task.stage == "estimates":
                self._give_up_points(self._dependents.pop(task.name + "/points", []))
            return lost
        self.failed[task.stage] += 1
        return list(self._lose(task.name, cause))

    def retry(self, task: Task, left: tuple[int, ...]) -> Task:
        """Give a task another turn, with the points that it has left; those it finished count as done."""
        self.done[task.stage] += len(task.weightings) - len(left)
        return replace(task, number=next(self._numbers), weightings=left)

    def give_up_first(self, task: Task, left: tuple[int, ...], cause: Cause) -> tuple[Failure, Task]:
        """Give up the first of the points that a task has left; those behind it have not had their turn."""
        again = self.retry(task, left)
        self.failed[task.stage] += 1
        assert task.place is not None
        return Failure(task.place, left[:1], cause), replace(again, weightings=left[1:])

    def _await(self, dependent: _Dependent, needed: Iterable[Recipe], missing: set[str]) -> None:
        waits_for = {recipe.key for recipe in needed} & missing
        self._waiting[_name_of(dependent)] = len(waits_for)
        for key in waits_for:
            self._dependents[key].append(dependent)
        if not waits_for:
            self._enqueue(dependent)

    def _release(self, dependent: _Dependent) -> None:
        name = _name_of(dependent)
        if name not in self._waiting:
            return  # lost already, with something else that it needed
        self._waiting[name] -= 1
        if self._waiting[name] == 0:
            self._enqueue(dependent)

    def _enqueue(self, dependent: _Dependent) -> None:
        if isinstance(dependent, Recipe):
            self._push(dependent.function, dependent)
        elif isinstance(dependent, Cylinder):
            self._push(TRUNCATION, dependent)
        elif dependent.recorded:
            self._queue_points(dependent)
        else:
            self._dependents[dependent.block.key + "/points"] = [dependent]
            self._push(ESTIMATES, dependent.block)

    def _queue_points(self, work: BlockWork) -> None:
        if work.weightings:
            self._push(RELAXATION, work.block, work.weightings)

    def _push(
        self,
        kernel: str,
        what: Recipe | Block | Cylinder,
        weightings: tuple[int, ...] = (),
        number: int | None = None,
    ) -> None:
        number = next(self._numbers) if number is None else number
        ready = _Ready(URGENCY[STAGE_OF[kernel]], number, kernel, what, weightings)
        self._sizes[kernel] += ready.size
        heapq.heappush(self._ready, ready)

    def _task(self, ready: _Ready) -> Task:
        """Give what is ready its recipe, its name and a number of its own."""
        recipes, what = self.plan.recipes, ready.what
        name = f"{what.key}/{ready.weightings[0]}" if ready.weightings else what.key
        place = None if isinstance(what, Recipe) else what
        if isinstance(what, Recipe):
            recipe = what
        elif isinstance(what, Cylinder):
            recipe = recipes.truncation(what)
        else:
            recipe = recipes.relaxation(what) if ready.weightings else recipes.estimates(what)
        return Task(
            ready.urgency,
            next(self._numbers),
            STAGE_OF[ready.kernel],
            name,
            ready.kernel,
            recipe,
            place,
            ready.weightings,
        )

    def _lose(self, name: str, cause: Cause) -> Iterator[Failure]:
        """Everything that waited for an artefact that cannot be made, however indirectly, once each."""
        for dependent in self._dependents.pop(name, []):
            own = _name_of(dependent)
            if self._waiting.pop(own, None) is None:
                continue
            if isinstance(dependent, Recipe):
                self.failed[STAGE_OF[dependent.function]] += 1
                yield from self._lose(own, cause)
                continue
            if isinstance(dependent, Cylinder):
                self.failed["truncation"] += 1
                yield Failure(dependent, (), cause)
                continue
            self.failed["relaxations"] += len(dependent.weightings)
            if dependent.recorded:
                yield Failure(dependent.block, dependent.weightings, cause)
            else:
                self.failed["estimates"] += 1
                yield Failure(dependent.block, (), cause)

    def _give_up_points(self, works: Iterable[_Dependent]) -> None:
        for work in works:
            assert isinstance(work, BlockWork)
            self.failed["relaxations"] += len(work.weightings)


def _name_of(dependent: _Dependent) -> str:
    """Name what waits; an artefact's, a block's and a cylinder's keys never coincide."""
    return dependent.block.key if isinstance(dependent, BlockWork) else dependent.key


def _what(task: Task) -> Recipe | Block | Cylinder:
    """Say what a task is about."""
    return task.recipe if task.place is None else task.place
