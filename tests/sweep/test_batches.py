"""Batches: everything is dealt out once, a second's work at a time, whatever the order in which workers answer."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.batches import BATCH_S, LEAST_BATCH_S, Batches
from sweep.plan import Plan
from sweep.prepared import prepare
from sweep.recipes import needs
from sweep.schedule import Schedule, Task

QUICK = Path(__file__).resolve().parents[2] / "studies/quick.yaml"


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    prepared = prepare(QUICK, tmp_path_factory.mktemp("batches") / "quick.zarr", None)
    return prepared.plan(prepared.remaining(), verify=False)


def points_of(task: Task) -> list[tuple[str, int | None]]:
    """What a task does: its points, or the one thing that it makes."""
    if task.stage == "relaxations":
        assert task.place is not None
        return [(task.place.key, weighting) for weighting in task.weightings]
    return [(f"{task.stage} {task.name}", None)]


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32), paces=st.lists(st.floats(1e-4, 3.0), min_size=10, max_size=10))
def test_everything_is_dealt_out_once_and_nothing_before_what_it_needs(
    plan: Plan, seed: int, paces: list[float]
) -> None:
    rng, schedule = random.Random(seed), Schedule(plan)
    batches = Batches(schedule)
    pace = dict(zip(plan.tasks, paces, strict=True))
    done: Counter[tuple[str, int | None]] = Counter()
    running: list[Task] = []
    made: set[str] = set()
    while True:
        while len(running) < 12 and (batch := batches.next(4)):
            assert len({task.kernel for task in batch}) == 1
            for task in batch:
                if task.place is None:
                    assert {one.key for one in needs(task.recipe)} <= made
            running += batch
        if not running:
            break
        task = running.pop(rng.randrange(len(running)))
        # a worker may get to some of the points, to all, or not begin at all
        met = rng.randint(0, task.size)
        if met == 0:
            schedule.put_back(task, task.weightings)
            continue
        left = task.weightings[met:]
        done.update(points_of(task)[: met if task.weightings else 1])
        batches.learn(task, met, met * pace[task.stage])
        if left:
            schedule.put_back(task, left)
        else:
            made.add(task.name)
            schedule.succeed(task, ("estimated",) * 3)
    assert set(done.values()) == {1}
    assert len(done) == sum(plan.tasks.values())
    assert dict(schedule.done) == {stage: count for stage, count in plan.tasks.items() if count}


def relaxing(plan: Plan) -> Schedule:
    """A schedule of which nothing is left but the points."""
    schedule = Schedule(plan)
    while schedule.next_kernel() != "kernels.points:relax_point":
        task = schedule.next()
        assert task is not None
        schedule.succeed(task, ("estimated",) * 3)
    # the urgency of points lets them go before other blocks' estimates: those too
    held = []
    while (task := schedule.next()) is not None:
        if task.stage == "relaxations":
            held.append(task)
        else:
            schedule.succeed(task, ("estimated",) * 3)
    for task in held:
        schedule.put_back(task, task.weightings)
    return schedule


def test_what_was_never_measured_travels_alone(plan: Plan) -> None:
    (task,) = Batches(relaxing(plan)).next(1)
    assert len(task.weightings) == 1


@given(pace=st.floats(1e-4, 5.0), window=st.integers(1, 8))
@settings(max_examples=20)
def test_a_batch_takes_a_second_or_is_one_point(plan: Plan, pace: float, window: int) -> None:
    schedule = relaxing(plan)
    batches = Batches(schedule)
    (first,) = batches.next(4)
    batches.learn(first, 1, pace)
    while batch := batches.next(window):
        points = sum(len(task.weightings) for task in batch)
        assert points == 1 or points * pace <= BATCH_S * (1 + 1e-9)


def test_the_last_batches_are_shared_out(plan: Plan) -> None:
    schedule = relaxing(plan)
    batches = Batches(schedule)
    (first,) = batches.next(4)
    batches.learn(first, 1, 0.02)
    sizes = []
    while batch := batches.next(4):
        sizes.append(0.02 * sum(len(task.weightings) for task in batch))
    # 71 points of 0.02 s for four places in the window: none gets a whole second while others go without
    assert max(sizes) <= 71 * 0.02 / 4
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes[:-1]) >= LEAST_BATCH_S - 0.02
