"""The engine against workers that die: who is blamed, who is tried again, and who is given up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from distributed.client import FutureCancelledError
from distributed.core import Status
from distributed.scheduler import KilledWorker, WorkerState

from sweep.assignments import NOT_BEGUN, Assignment, Estimated, Outcome
from sweep.clusters import WorkersLostError
from sweep.engine import Engine
from sweep.gang import GangDied
from sweep.grid import Block
from sweep.plan import Plan
from sweep.prepared import prepare
from sweep.schedule import Failure

QUICK = Path(__file__).resolve().parents[2] / "studies/quick.yaml"


@dataclass(eq=False)
class Sent:
    """A batch as Dask holds it; each point takes 0.3 s."""

    key: str
    assignments: list[Assignment]
    outcomes: list[Outcome] = field(default_factory=list)
    error: BaseException | None = None
    told: list[Callable[[Sent], None]] = field(default_factory=list)

    def add_done_callback(self, tell: Callable[[Sent], None]) -> None:
        self.told.append(tell)

    def result(self, timeout: float) -> object:  # noqa: ARG002 - as Dask names it
        if self.error is not None:
            raise self.error
        return self.outcomes

    def release(self) -> None:
        pass

    @property
    def relaxing(self) -> bool:
        return self.assignments[0].stage == "relaxations"

    @property
    def points(self) -> list[tuple[Block, int]]:
        return [
            (assignment.place, weighting)
            for assignment in self.assignments
            if isinstance(assignment.place, Block)
            for weighting in assignment.weightings
        ]


class Cluster:
    """Dask's side, as far as the engine sees it: tasks end when the test says so, and how it says."""

    def __init__(self) -> None:
        self.running: list[Sent] = []
        self.recorded: set[tuple[Block, int]] = set()
        self.keys: set[str] = set()

    def submit(
        self,
        function: Callable[..., object],  # noqa: ARG002 - as Dask takes it
        assignments: list[Assignment],
        *,
        key: str,
        pure: bool,
        retries: int,
    ) -> Sent:
        assert not pure
        assert retries == 0
        assert key not in self.keys
        self.keys.add(key)
        self.running.append(Sent(key, assignments))
        return self.running[-1]

    def left_of(self, block: Block, weightings: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(w for w in weightings if (block, w) not in self.recorded)

    def end(self, sent: Sent, error: BaseException | None = None) -> None:
        self.running.remove(sent)
        sent.error = error
        if error is None:
            if not sent.outcomes:
                sent.outcomes = [done(assignment) for assignment in sent.assignments]
            for assignment, outcome in zip(sent.assignments, sent.outcomes, strict=True):
                if assignment.weightings and outcome.begun and outcome.error is None:
                    points = set(assignment.weightings) - set(outcome.left)
                    assert not {(assignment.place, point) for point in points} & self.recorded
                    self.recorded |= {(assignment.place, point) for point in points}
        for tell in sent.told:
            tell(sent)


def done(assignment: Assignment) -> Outcome:
    answer = Estimated(("estimated",) * 3, None) if assignment.stage == "estimates" else None
    return Outcome(answer=answer, seconds=0.3 * (len(assignment.weightings) or 1))


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    prepared = prepare(QUICK, tmp_path_factory.mktemp("engine") / "quick.zarr", None)
    return prepared.plan(prepared.remaining(), verify=False)


def worker_died(sent: Sent) -> KilledWorker:
    last = WorkerState(
        address="tls://127.0.0.1:1",
        status=Status.closed,
        pid=1,
        name="0",
        memory_limit=0,
        local_directory="",
        nanny=None,
        server_id="",
    )
    return KilledWorker(sent.key, last, 0)


def run(plan: Plan, play: Callable[[Cluster], None]) -> tuple[bool, list[Failure], Cluster]:
    cluster, failures = Cluster(), list[Failure]()
    engine = Engine(
        cluster,
        lambda: 2,
        plan,
        record_failure=failures.append,
        left_of=cluster.left_of,
        watch=lambda _: None,
        idle=lambda: play(cluster),
        stopping=lambda: False,
    )
    return engine.run(), failures, cluster


def test_a_task_is_not_given_up_for_what_killed_another(plan: Plan) -> None:
    """A rank dies once under each of several points, then the worker that holds them."""
    died = 0

    def play(cluster: Cluster) -> None:
        nonlocal died
        relaxing = [sent for sent in cluster.running if sent.relaxing]
        others = [sent for sent in cluster.running if not sent.relaxing]
        if died < 4 and len(relaxing) >= 2:
            died += 1
            for sent in relaxing[:2]:
                rank_died = GangDied("rank 0 of 1 went away", ranks=(0,), exit_code=9)
                cluster.end(sent, rank_died if died < 2 else worker_died(sent))
        elif cluster.running:
            cluster.end((others or relaxing)[0])

    finished, failures, _ = run(plan, play)
    assert finished
    assert died == 4
    assert failures == []


def test_a_point_that_kills_its_worker_is_found_out_alone(plan: Plan) -> None:
    deadly = plan.blocks[3].block
    beside = list[int]()

    def play(cluster: Cluster) -> None:
        if not cluster.running:
            return
        sent = cluster.running[0]
        if not sent.relaxing or (deadly, 1) not in sent.points:
            cluster.end(sent)
            return
        # points before the deadly one are recorded; everything that the worker had at hand dies with it
        cluster.recorded |= set(sent.points[: sent.points.index((deadly, 1))])
        beside.append(len(cluster.running) - 1)
        for held in list(cluster.running):
            cluster.end(held, worker_died(held))

    finished, failures, cluster = run(plan, play)
    assert finished
    assert [(failure.place, failure.weightings) for failure in failures] == [(deadly, (1,))]
    assert beside[-2:] == [0, 0]
    assert len(cluster.recorded) == 72 - 1


def test_every_point_that_fails_has_a_second_attempt_of_its_own(plan: Plan) -> None:
    """Two points of one task fail, one once and then the other for ever."""
    block = plan.blocks[3].block
    attempts = list[tuple[int, int]]()

    def outcome(cluster: Cluster, assignment: Assignment) -> Outcome:
        if assignment.stage != "relaxations" or assignment.place != block:
            return replace(done(assignment), seconds=0.001)
        weightings, attempt = assignment.weightings, assignment.attempt
        attempts.append((weightings[0], attempt))
        stuck = weightings[0] if attempt == 1 and weightings[0] == 0 else 1
        if stuck not in weightings:
            return done(assignment)
        cluster.recorded |= {(block, weighting) for weighting in weightings if weighting < stuck}
        error = GangDied("rank 0 of 1 went away", ranks=(0,), exit_code=9)
        error.log_tail, error.worker = "its last words", "7"
        return Outcome(error=error)

    def play(cluster: Cluster) -> None:
        if cluster.running:
            sent = cluster.running[0]
            sent.outcomes = [outcome(cluster, assignment) for assignment in sent.assignments]
            cluster.end(sent)

    finished, failures, cluster = run(plan, play)
    assert finished
    assert attempts == [(0, 1), (0, 2), (1, 2), (2, 1)]
    (failure,) = failures
    assert (failure.place, failure.weightings) == (block, (1,))
    cause = failure.cause
    assert (cause.stage, cause.attempts, cause.worker) == ("relaxations", 2, "7")
    assert (cause.message, cause.log_tail) == ("rank 0 of 1 went away", "its last words")
    assert len(cluster.recorded) == 72 - 1


def test_an_error_costs_its_own_assignment(plan: Plan) -> None:
    bad = plan.blocks[5].block

    def play(cluster: Cluster) -> None:
        if cluster.running:
            sent = cluster.running[0]
            sent.outcomes = [
                Outcome(error=GangDied("rank 0 went away"))
                if assignment.stage == "estimates" and assignment.place == bad
                else replace(done(assignment), seconds=0.01)
                for assignment in sent.assignments
            ]
            cluster.end(sent)

    finished, failures, cluster = run(plan, play)
    assert finished
    assert [(failure.place, failure.weightings) for failure in failures] == [(bad, ())]
    assert len(cluster.recorded) == 72 - 3
    assert len(cluster.keys) < 120, "nothing travelled together"


def test_what_a_worker_did_not_get_to_is_submitted_again(plan: Plan) -> None:
    def play(cluster: Cluster) -> None:
        if cluster.running:
            sent = cluster.running[0]
            first, *others = sent.assignments
            outcome = replace(done(first), seconds=0.01)
            if len(first.weightings) > 1:
                outcome = Outcome(left=first.weightings[1:], seconds=0.01)
            sent.outcomes = [outcome] + [NOT_BEGUN] * len(others)
            cluster.end(sent)

    finished, failures, cluster = run(plan, play)
    assert finished
    assert failures == []
    assert len(cluster.recorded) == 72


def test_tasks_that_a_scheduler_forgot_are_not_blamed(plan: Plan) -> None:
    """Three schedulers die in a row, with everything that they were given."""
    died = 0

    def play(cluster: Cluster) -> None:
        nonlocal died
        if died < 3 and any(sent.relaxing for sent in cluster.running):
            died += 1
            for sent in list(cluster.running):
                cluster.end(sent, FutureCancelledError(sent.key, "scheduler-connection-lost"))
        elif cluster.running:
            cluster.end(cluster.running[0])

    finished, failures, cluster = run(plan, play)
    assert finished
    assert died == 3
    assert failures == []
    assert len(cluster.recorded) == 72


def test_a_run_whose_scheduler_does_not_come_back_stops_without_a_failure(plan: Plan) -> None:
    gone = False

    def play(cluster: Cluster) -> None:
        nonlocal gone
        if any(sent.relaxing for sent in cluster.running):
            gone = True
            for sent in list(cluster.running):
                cluster.end(sent, FutureCancelledError(sent.key, "scheduler-connection-lost"))
        elif cluster.running:
            cluster.end(cluster.running[0])

    def workers() -> int:
        if gone:
            raise WorkersLostError("the scheduler is gone")
        return 2

    cluster, failures = Cluster(), list[Failure]()
    engine = Engine(
        cluster,
        workers,
        plan,
        record_failure=failures.append,
        left_of=cluster.left_of,
        watch=lambda _: None,
        idle=lambda: play(cluster),
        stopping=lambda: False,
    )
    with pytest.raises(WorkersLostError):
        engine.run()
    assert failures == []
