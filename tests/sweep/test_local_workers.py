"""Workers on this machine that are killed again and again."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import dask
import pytest

from sweep.clusters import Resources, Site, WorkersLostError
from sweep.clusters import local as local_module
from sweep.clusters.local import LocalWorkers

ONE = LocalWorkers(Resources.of(1, 1))
SOON_S = 240.0


def site(folder: Path) -> Site:
    return Site(folder, folder / "logs", folder / "scratch", lambda _: None)


def test_a_worker_killed_while_it_starts_again_comes_back_under_its_name(tmp_path: Path) -> None:
    """Its nanny gives up then, and Dask of itself starts no other."""
    deadline = time.monotonic() + SOON_S
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "2s"}),
        ONE.connected(site(tmp_path)) as workers,
    ):
        nanny = workers.client.cluster.workers[0]
        first = nanny.pid
        os.kill(first, signal.SIGKILL)
        while nanny.pid in (None, first):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(nanny.pid, signal.SIGKILL)
        gone, count = False, 1
        while not gone or not count:
            assert time.monotonic() < deadline
            count = workers.count()
            gone |= not count
            time.sleep(0.1)
        assert workers.client.submit(os.getpid, pure=False).result(timeout=SOON_S) not in (first, os.getpid())
        assert [worker["name"] for worker in workers.client.scheduler_info()["workers"].values()] == [0]


def test_workers_that_do_not_start_stop_the_run_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = []

    def start(**options: object) -> None:
        starts.append(options)
        raise RuntimeError("Nanny failed to start.")

    monkeypatch.setattr(local_module, "LocalCluster", start)
    with pytest.raises(WorkersLostError, match="do not start: Nanny failed"), ONE.connected(site(tmp_path)):
        pass
    assert len(starts) == local_module.START_ATTEMPTS
