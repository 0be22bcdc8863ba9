"""Gangs of several sizes on one worker: one alive at a time, each on CPUs that are the worker's."""

from __future__ import annotations

import os

import pytest

from sweep.clusters import ClusterChoice
from sweep.clusters.errors import ClusterError
from sweep.gang import GangError
from sweep.sized_gangs import SizedGangs
from tests.sweep.gang.gangs import all_gone, call, options, started


def test_a_gang_of_another_size_ends_the_one_before() -> None:
    cpus = tuple(sorted(os.sched_getaffinity(0)))[:1] * 2
    gangs = SizedGangs(lambda ranks: options(ranks=ranks, cpus=cpus[:ranks]))
    two = started(gangs.of(2))
    assert gangs.of(2) is gangs.of(2)
    one = started(gangs.of(1))
    assert all_gone(two)
    assert call(gangs.of(1), "describe")["cpus"] == [[cpus[0]]]
    gangs.close()
    gangs.close()
    assert all_gone(one)
    with pytest.raises(GangError, match="closed"):
        gangs.of(1)


def test_workers_hold_the_most_ranks_of_any_stage() -> None:
    cluster, ranks = ClusterChoice(workers=1).for_stages({"equilibria": 2})
    assert cluster.ranks == 2
    assert (ranks["equilibria"], ranks["relaxations"]) == (2, 1)
    cluster, ranks = ClusterChoice(workers=1, ranks=2).for_stages({"relaxations": 1})
    assert (cluster.ranks, ranks["equilibria"], ranks["relaxations"]) == (2, 2, 1)


def test_more_ranks_for_a_stage_than_there_are_cpus_are_refused() -> None:
    with pytest.raises(ClusterError, match="CPUs are available"):
        ClusterChoice(workers=1).for_stages({"equilibria": 1000})
