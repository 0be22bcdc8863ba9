"""The engine against workers that die: who is blamed, who is tried again, and who is given up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from distributed.core import Status
from distributed.scheduler import KilledWorker, WorkerState

from sweep.engine import Engine
from sweep.gang import GangDied
from sweep.grid import Block
from sweep.plan import Plan
from sweep.prepared import prepare
from sweep.schedule import Failure
from sweep.worker import Estimated

QUICK = Path(__file__).resolve().parents[2] / "studies/quick.yaml"


@dataclass(eq=False)
class Sent:
    """A task as Dask holds it."""

    key: str
    function: str
    arguments: tuple[Any, ...] = ()
    error: BaseException | None = None
    told: list[Callable[[Sent], None]] = field(default_factory=list)

    def add_done_callback(self, tell: Callable[[Sent], None]) -> None:
        self.told.append(tell)

    def result(self, timeout: float) -> object:  # noqa: ARG002 - as Dask names it
        if self.error is not None:
            raise self.error
        return Estimated(("estimated",) * 3, None) if self.function == "estimate_block" else None

    def release(self) -> None:
        pass


class Cluster:
    """Dask's side, as far as the engine sees it: tasks end when the test says so, and how it says."""

    def __init__(self) -> None:
        self.running: list[Sent] = []
        self.recorded: set[tuple[Block, int]] = set()

    def submit(
        self, function: Callable[..., object], *arguments: object, key: str, pure: bool, retries: int
    ) -> Sent:
        assert not pure
        assert retries == 0
        self.running.append(Sent(key, function.__name__, arguments))
        return self.running[-1]

    def left_of(self, block: Block, weightings: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(w for w in weightings if (block, w) not in self.recorded)

    def end(self, sent: Sent, error: BaseException | None = None) -> None:
        self.running.remove(sent)
        sent.error = error
        if error is None and sent.function == "relax_points":
            block, weightings = sent.arguments[:2]
            self.recorded |= {(block, weighting) for weighting in weightings}
        for tell in sent.told:
            tell(sent)


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
        relaxing = [sent for sent in cluster.running if sent.function == "relax_points"]
        others = [sent for sent in cluster.running if sent.function != "relax_points"]
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
        if sent.function != "relax_points" or sent.arguments[0] != deadly or 1 not in sent.arguments[1]:
            cluster.end(sent)
            return
        # points before the deadly one are recorded; everything that the worker had at hand dies with it
        cluster.recorded |= {(deadly, weighting) for weighting in sent.arguments[1] if weighting < 1}
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

    def play(cluster: Cluster) -> None:
        if not cluster.running:
            return
        sent = cluster.running[0]
        if sent.function != "relax_points" or sent.arguments[0] != block:
            cluster.end(sent)
            return
        weightings, attempt = sent.arguments[1], sent.arguments[-1]
        attempts.append((weightings[0], attempt))
        stuck = weightings[0] if attempt == 1 and weightings[0] == 0 else 1
        cluster.recorded |= {(block, weighting) for weighting in weightings if weighting < stuck}
        error = GangDied("rank 0 of 1 went away", ranks=(0,), exit_code=9)
        error.log_tail, error.worker = "its last words", "7"
        cluster.end(sent, error if stuck in weightings else None)

    finished, failures, cluster = run(plan, play)
    assert finished
    assert attempts == [(0, 1), (0, 2), (1, 2), (2, 1)]
    (failure,) = failures
    assert (failure.place, failure.weightings) == (block, (1,))
    cause = failure.cause
    assert (cause.stage, cause.attempts, cause.worker) == ("relaxations", 2, "7")
    assert (cause.message, cause.log_tail) == ("rank 0 of 1 went away", "its last words")
    assert len(cluster.recorded) == 72 - 1
