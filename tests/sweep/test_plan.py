"""Plans and schedules of the quick study: counts worked out by hand, orders, retries and losses."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.artefacts import ArtefactFolder
from sweep.causes import Cause
from sweep.compaction import failure_records
from sweep.forecast import Forecast, described
from sweep.grid import Cylinder
from sweep.kernel_versions import KERNEL_VERSIONS
from sweep.plan import BlockWork, Plan, left_to_do, plan_study
from sweep.prepared import Prepared, prepare
from sweep.recipes import needs
from sweep.schedule import Failure, Schedule, Task
from sweep.stages import STAGE_OF
from sweep.truncations import TruncationRecord

QUICK = Path(__file__).resolve().parents[2] / "studies/quick.yaml"
BROKEN = Cause("truncation", "broken", worker="3", attempts=2, log_tail="its last words")
# 1 dislocation and radius, 2 degrees, 3 domain radii, 2 sizes, 2 replicas, 3 weightings
TASKS = {
    "material": 1,
    "equilibria": 1 + 8 + 1,  # rough, Hessian parts, polished
    "truncation": 0,
    "training": 3 * 2 * 2 + 2 * 2 + 2,  # core, bulk, held out of each
    "factors": 2 * 3 * 2 * 2 + 2,  # and held out
    "response": 2 + 2,  # response maps and elastic rows
    "fits": 2 * 3 * 2 * 2,
    "estimates": 2 * 3 * 2 * 2,
    "transfers": 0,
    "relaxations": 72,
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(QUICK, tmp_path_factory.mktemp("plan") / "quick.zarr", None)


@pytest.fixture(scope="module")
def plan(prepared: Prepared) -> Plan:
    return prepared.plan(prepared.remaining(), verify=True)


def planned_with(folder: Path, fidelity: str) -> Plan:
    """The quick study over two radii, with a comparison radius."""
    study = folder / "compared.yaml"
    text = QUICK.read_text().replace("[25.0]", "[25.0, 30.0]").replace("relax: all", fidelity)
    study.write_text(text + "simulation: {comparison_radius: 90.0}\n")
    prepared = prepare(study, folder / "compared.zarr", None)
    return prepared.plan(prepared.remaining(), verify=True)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return planned_with(tmp_path_factory.mktemp("compared"), "relax: all")


ESTIMATED = ("estimated",) * 3


def run_through(
    schedule: Schedule, rng: random.Random, failing: frozenset[str] = frozenset()
) -> list[Failure]:
    """Run a schedule with several tasks under way, ended in any order; each is checked to be ready."""
    running: list[Task] = []
    made: set[str] = set()
    failures: list[Failure] = []
    while True:
        while len(running) < 5 and (task := schedule.next()) is not None:
            if task.stage not in ("estimates", "relaxations"):
                wanted = {recipe.key for recipe in needs(task.recipe)}
                assert wanted <= made, "a task was given out before what it needs"
            running.append(task)
        if not running:
            return failures
        task = running.pop(rng.randrange(len(running)))
        if task.name in failing:
            failures += schedule.fail(task, BROKEN)
        else:
            made.add(task.name)
            schedule.succeed(task, ESTIMATED)


def test_counts_are_those_worked_out_by_hand(plan: Plan) -> None:
    assert plan.tasks == TASKS
    assert plan.points_total == 72
    assert plan.points_done == 0
    text = "\n".join(described(Forecast(plan)))
    assert "72 points in 24 blocks" in text


def test_artefacts_come_after_what_they_draw_on(plan: Plan) -> None:
    seen: set[str] = set()
    for recipe in plan.artefacts:
        assert {needed.key for needed in needs(recipe)} <= seen
        seen.add(recipe.key)


def test_every_kernel_has_a_version_and_a_stage() -> None:
    assert set(KERNEL_VERSIONS) == set(STAGE_OF)


def test_what_exists_is_not_made_again(prepared: Prepared, tmp_path: Path) -> None:
    folder = ArtefactFolder(tmp_path)
    functions = prepared.recipes.functions(next(prepared.grid.blocks()))
    for recipe in [prepared.recipes.equilibrium("screw", 25.0), prepared.recipes.elastic_rows(functions)]:
        folder.write(recipe, {"number": 1.0})
    plan = plan_study(prepared.recipes, folder, prepared.remaining(), verify=True)
    # the equilibrium's parts are not wanted once it is there; the material still is, by the training sets
    assert plan.tasks == TASKS | {"equilibria": 0, "response": TASKS["response"] - 1}
    assert plan.present == {"equilibria": 1, "response": 1}


def test_finished_blocks_need_nothing(prepared: Prepared) -> None:
    def finished(block: object) -> BlockWork:
        return BlockWork(block, recorded=True, weightings=())  # type: ignore[arg-type]

    plan = plan_study(prepared.recipes, prepared.artefacts, finished, verify=True)
    assert plan.nothing_to_do
    assert plan.artefacts == ()
    assert plan.points_done == 72


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_a_schedule_does_everything_once_in_any_order(plan: Plan, seed: int) -> None:
    schedule = Schedule(plan)
    assert run_through(schedule, random.Random(seed)) == []
    assert dict(schedule.done) == {stage: count for stage, count in TASKS.items() if count}


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_a_lost_fit_costs_its_own_block_only(plan: Plan, seed: int) -> None:
    schedule = Schedule(plan)
    work = plan.blocks[7]
    failures = run_through(
        schedule, random.Random(seed), failing=frozenset([plan.recipes.fit(work.block).key])
    )
    assert [(failure.place, failure.weightings) for failure in failures] == [(work.block, ())]
    assert schedule.done["relaxations"] == 72 - 3
    assert schedule.failed["relaxations"] == 3


def test_truncation_errors_wait_for_the_comparison(compared: Plan) -> None:
    # 2 radii; the comparison's, and of each radius 8 Hessian parts, the rough and the polished equilibrium
    assert compared.tasks["truncation"] == 2
    assert compared.tasks["equilibria"] == 1 + 2 * (8 + 2)
    schedule = Schedule(compared)
    assert run_through(schedule, random.Random(1)) == []
    assert schedule.done["truncation"] == 2


def test_a_lost_comparison_costs_the_truncation_errors_alone(compared: Plan) -> None:
    schedule = Schedule(compared)
    recipe = compared.recipes.comparison_equilibrium("screw")
    failures = run_through(schedule, random.Random(2), failing=frozenset([recipe.key]))
    assert {failure.place for failure in failures} == {Cylinder("screw", 25.0), Cylinder("screw", 30.0)}
    assert schedule.failed["truncation"] == 2
    assert schedule.done["relaxations"] == 2 * 72


def test_lost_truncation_errors_cost_nothing_else(compared: Plan) -> None:
    schedule = Schedule(compared)
    lost = Cylinder("screw", 30.0)
    failures = run_through(schedule, random.Random(3), failing=frozenset([lost.key]))
    assert failures == [Failure(lost, (), BROKEN)]
    assert (schedule.done["truncation"], schedule.failed["truncation"]) == (1, 1)
    assert schedule.done["relaxations"] == 2 * 72
    (record,) = failure_records(compared.recipes.grid, failures[0])
    assert isinstance(record, TruncationRecord)
    assert (record.cylinder, record.status, record.message) == (lost, "failed", "broken")


def test_no_point_is_planned_where_none_is_asked_for(tmp_path: Path) -> None:
    plan = planned_with(tmp_path, "points: none")
    assert not plan.blocks
    assert not plan.nothing_to_do
    assert {stage: count for stage, count in plan.tasks.items() if count} == {
        "material": 1,
        "equilibria": 1,
        "truncation": 2,
    }
    text = "\n".join(described(Forecast(plan)))
    assert "no point is asked for" in text
    assert "truncation errors of 2 cylinders: 0 done, 2 to do" in text
    assert left_to_do(plan) == "truncation errors of 2 cylinders"


def test_a_lost_equilibrium_costs_every_block_once(plan: Plan) -> None:
    schedule = Schedule(plan)
    recipe = plan.recipes.equilibrium("screw", 25.0)
    failures = run_through(schedule, random.Random(0), failing=frozenset([recipe.key]))
    assert sorted(failure.place.key for failure in failures) == sorted(work.block.key for work in plan.blocks)
    assert schedule.done["relaxations"] == 0


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), data=st.data())
def test_whatever_is_lost_everything_is_accounted_for(plan: Plan, seed: int, data: st.DataObject) -> None:
    names = [recipe.key for recipe in plan.artefacts] + [work.block.key for work in plan.blocks]
    failing = data.draw(st.frozensets(st.sampled_from(names), max_size=4))
    schedule = Schedule(plan)
    failures = run_through(schedule, random.Random(seed), failing)
    for stage in ("estimates", "relaxations"):
        assert schedule.done[stage] + schedule.failed[stage] == TASKS[stage], stage
    assert len({failure.place for failure in failures}) == len(failures), "a block is given up once"
    assert schedule.failed["relaxations"] == 3 * len(failures)


def test_a_fit_that_is_not_finite_is_not_relaxed(plan: Plan) -> None:
    schedule = Schedule(plan)
    while (task := schedule.next()) is not None:
        schedule.succeed(task, ("estimated", "failed", "estimated"))
    assert schedule.done["relaxations"] == 48
    assert schedule.failed["relaxations"] == 24


def test_points_that_are_not_chosen_are_no_work(plan: Plan) -> None:
    schedule = Schedule(plan)
    while (task := schedule.next()) is not None:
        schedule.succeed(task, ("estimated", "failed", "estimated"), frozenset({1, 2}))
    # of each block one fit is broken, one chosen and one left as it is
    assert (schedule.done["relaxations"], schedule.failed["relaxations"]) == (24, 24)
    assert schedule.event("relaxations").total == 48


def test_giving_up_one_point_leaves_those_behind_it(plan: Plan) -> None:
    schedule = Schedule(plan)
    while (task := schedule.next()) is not None and task.stage != "relaxations":
        schedule.succeed(task, ESTIMATED)
    assert task is not None
    assert len(task.weightings) == 3
    failure, rest = schedule.give_up_first(task, task.weightings[1:], BROKEN)
    assert failure.weightings == task.weightings[1:2]
    assert rest.weightings == task.weightings[2:]
    schedule.succeed(rest)
    assert (schedule.done["relaxations"], schedule.failed["relaxations"]) == (2, 1)


def test_a_retried_task_keeps_only_what_it_has_left(plan: Plan) -> None:
    schedule = Schedule(plan)
    while (task := schedule.next()) is not None and task.stage != "relaxations":
        schedule.succeed(task, ESTIMATED)
    assert task is not None
    again = schedule.retry(task, task.weightings[1:])
    assert again.weightings == task.weightings[1:]
    assert schedule.done["relaxations"] == 1
