"""The simulation behind the scaling figures, against what can be computed by hand or is known of queues."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.simulated_cluster import Cluster, Costs, Server
from benchmarks.simulated_work import AlikeWork, PlannedWork, Times
from sweep.forecast import forecast
from sweep.stages import STAGE_OF
from tests.small_study import STUDY


class Durations:
    """Tasks of given durations, one a batch; some ready only when another has been answered."""

    def __init__(self, *ready: float, then: dict[float, tuple[float, ...]] | None = None) -> None:
        self.ready = list(ready)
        self.then = then or {}
        self.ran: list[tuple[int, float]] = []

    def next(self, _window: int) -> list[float]:
        return [self.ready.pop(0)] if self.ready else []

    def run(self, worker: int, batch: list[float]) -> tuple[float, int]:
        self.ran.append((worker, batch[0]))
        return batch[0], 1

    def end(self, batch: list[float]) -> None:
        self.ready += self.then.get(batch[0], ())


def test_one_worker_takes_the_sum_and_two_the_longer_share() -> None:
    assert Cluster(Durations(3.0, 1.0, 2.0), [0.0], Costs()).run().seconds == 6.0
    # dealt in turn: 3 and 2 to the first, 1 and 4 to the second
    work = Durations(3.0, 1.0, 2.0, 4.0)
    ran = Cluster(work, [0.0, 0.0], Costs()).run()
    assert (ran.seconds, ran.workers_busy) == (5.0, 10.0)
    assert sorted(work.ran) == [(0, 2.0), (0, 3.0), (1, 1.0), (1, 4.0)]


def test_what_waits_for_another_begins_after_its_answer() -> None:
    # 2, then both its dependents side by side, which a travel of 0.25 delays twice, there and back
    work = Durations(2.0, then={2.0: (5.0, 5.0)})
    assert Cluster(work, [0.0, 0.0], Costs(travel=0.25)).run().seconds == 2.5 + 5.5


def test_a_worker_that_comes_late_begins_late() -> None:
    assert Cluster(Durations(4.0), [10.0], Costs()).run().seconds == 14.0
    # the first has two of the four at hand when the second comes, which takes the rest
    assert Cluster(Durations(4.0, 4.0, 4.0, 4.0), [0.0, 1.0], Costs()).run().seconds == 9.0


def test_every_cost_of_one_task_in_turn() -> None:
    costs = Costs(join=1.0, submit=2.0, travel=4.0, journal=8.0, answer=16.0, record=32.0)
    ran = Cluster(Durations(64.0), [0.0], costs).run()
    assert ran.seconds == 1 + 2 + 4 + 64 + 8 + 4 + 16 + 32
    assert (ran.driver_busy, ran.file_system_busy, ran.workers_busy) == (51.0, 8.0, 64.0)


def test_a_driver_that_takes_longer_than_the_workers_sets_the_pace() -> None:
    count, workers, each = 2000, 50, 0.1
    ran = Cluster(AlikeWork(count, 2.0), [0.0] * workers, Costs(submit=each / 2, answer=each / 2)).run()
    assert ran.driver_busy == pytest.approx(count * each)
    # one worker's time and no more is added
    assert count * each < ran.seconds < count * each + 2 * 2.0 + workers * each


def test_a_file_system_that_takes_longer_than_the_workers_sets_the_pace() -> None:
    ran = Cluster(AlikeWork(1000, 1.0), [0.0] * 100, Costs(journal=0.05)).run()
    assert 50.0 < ran.seconds < 53.0
    assert ran.file_system_busy == pytest.approx(50.0)


def test_without_costs_alike_tasks_end_together() -> None:
    assert Cluster(AlikeWork(100, 1.5), [0.0] * 10, Costs()).run().seconds == pytest.approx(15.0)
    # five at a time, as many as take a second
    assert AlikeWork(12, 0.2).next(4) == (5,)


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_a_server_of_constant_service_makes_random_arrivals_wait_as_pollaczek_and_khinchine_say(
    load: float,
) -> None:
    server, draw, arrival, waited = Server(), random.Random(0), 0.0, 0.0
    count, service = 200_000, 1.0
    for _ in range(count):
        arrival += draw.expovariate(load / service)
        waited += server.serve(arrival, service) - service - arrival
    # M/D/1: mean wait ρ s / 2(1 − ρ)
    assert waited / count == pytest.approx(load * service / (2 * (1 - load)), rel=0.03)


def test_times_keep_the_first_call_apart_and_share_a_call_among_its_points() -> None:
    times = Times.by_kernel([("a", 1, 9.0), ("b", 2, 3.0), ("a", 2, 4.0), ("a", 1, 3.0)], slower=2.0)
    assert times["a"] == Times(18.0, (4.0, 4.0, 6.0))
    assert times["b"] == Times(3.0, (3.0,))
    assert times["a"].typical == 4.0


@pytest.mark.parametrize("seconds", [1.0, 0.05])
def test_a_plan_is_worked_through_in_the_engines_order_to_its_end(tmp_path: Path, seconds: float) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(STUDY)
    plan = forecast(study, store=tmp_path / "store.zarr", artefacts=None).plan
    count = sum(plan.tasks.values())
    assert plan.tasks["relaxations"] > 1
    times = dict.fromkeys(STAGE_OF, Times(seconds, (seconds,)))
    alone = Cluster(PlannedWork(plan, times, gang_start=7.0), [0.0], Costs(record=1e-9)).run()
    assert alone.seconds == pytest.approx(7.0 + count * seconds, rel=1e-6)
    # every task and every point was answered once
    assert alone.driver_busy == pytest.approx(count * 1e-9)
    two = Cluster(PlannedWork(plan, times), [0.0, 0.0], Costs()).run()
    assert two.workers_busy == pytest.approx(count * seconds)
    assert count * seconds / 2 <= two.seconds < count * seconds
