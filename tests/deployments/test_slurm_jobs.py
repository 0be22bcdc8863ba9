"""Workers in jobs of a real SLURM cluster, doing next to nothing: what a minute of walltime and a dead daemon cost."""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from distributed import Client

from sweep.clusters import Site
from sweep.clusters.batch.cluster import BatchWorkers
from sweep.clusters.batch.cluster_file import ClusterFile
from tests.deployments.slurm_runs import squeue, wait_until


@contextmanager
def workers(folder: Path, told: list[str], **asked: object) -> Iterator[Client]:
    """Workers in jobs, none of which is left afterwards."""
    site = Site(folder, folder / "logs", folder / "scratch", told.append)
    for path in (site.logs, site.scratch):
        path.mkdir()
    file = ClusterFile.model_validate({"scheduler": "slurm", "partition": "main", "interface": "lo", **asked})
    with BatchWorkers(file).connected(site) as connected:
        yield connected.client
    assert squeue() == []
    assert not (folder / "cluster" / "key.pem").exists()


def done(client: Client, number: int) -> tuple[int, str]:
    """Half a second of work in a job; its number and the job's."""

    def work(number: int) -> tuple[int, str]:
        time.sleep(0.5)
        return number, os.environ["SLURM_JOB_ID"]

    return client.submit(work, number, pure=False).result(timeout=120)  # type: ignore[no-any-return]


@pytest.mark.slow
def test_jobs_of_a_minute_do_work_of_two(slurm: Path, tmp_path: Path) -> None:
    told: list[str] = []
    begun = time.monotonic()
    jobs: Counter[str] = Counter()
    with workers(tmp_path, told, walltime="00:01:00") as client:
        while time.monotonic() - begun < 120:
            jobs[done(client, 1)[1]] += 1
    assert len(jobs) >= 2
    assert not told, "a job that left in good time is no loss"


@pytest.mark.slow
def test_a_dead_node_daemon_costs_nothing(slurm: Path, tmp_path: Path) -> None:
    told: list[str] = []
    with workers(tmp_path, told, walltime="00:10:00") as client:
        _, job = done(client, 1)
        node = squeue("%N")[0]
        os.kill(int((slurm / "run" / f"slurmd-{node}.pid").read_text()), signal.SIGKILL)
        try:
            # the controller gives node and job up; the worker works on, and no other takes its place
            wait_until(lambda: job not in squeue(), None)
            assert done(client, 2) == (2, job)
            assert squeue() == []
        finally:
            subprocess.run(
                ["slurmd", "-N", node],
                check=True,
                env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"},
            )
    assert not told
