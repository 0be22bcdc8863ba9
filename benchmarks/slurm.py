"""From submission to the first task on an idle SLURM cluster, beside dask-jobqueue on the same one.

    python benchmarks/slurm.py [--write] [--repeats N]

Each turn takes a scheduler, one job and one task in it, timed from just before the scheduler is there; of ours,
the time from sbatch to the task is given too. The cluster is that of deployments/slurm/local-cluster.sh. The peer needs
`pip install dask-jobqueue`; it has the same shape of job.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from measuring import table, write

from sweep.clusters import Site
from sweep.clusters.batch.cluster import BatchWorkers
from sweep.clusters.batch.cluster_file import ClusterFile
from sweep.clusters.batch.slurm import Slurm

LOCAL_CLUSTER = Path(__file__).resolve().parents[1] / "deployments" / "slurm" / "local-cluster.sh"


class TimedSlurm(Slurm):
    """SLURM, with a note of when the first job was submitted."""

    submitted = 0.0

    def submit(self, script: str) -> str:  # noqa: D102
        self.submitted = self.submitted or time.perf_counter()
        return super().submit(script)


def ours(folder: Path) -> tuple[float, float]:
    """Seconds from nothing, and from sbatch, to the first task's result."""
    for name in ("logs", "scratch"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    queue, started = TimedSlurm(), time.perf_counter()
    cluster = BatchWorkers(ClusterFile(scheduler="slurm", walltime="00:10:00", interface="lo"), queue)
    with cluster.connected(Site(folder, folder / "logs", folder / "scratch", print)) as workers:
        assert workers.client.submit(os.getpid).result(timeout=120)
        now = time.perf_counter()
    return now - started, now - queue.submitted


def jobqueue(folder: Path) -> float:
    """Seconds from nothing to the first task's result with dask-jobqueue."""
    from dask_jobqueue import SLURMCluster
    from distributed import Client

    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with SLURMCluster(
        cores=1, processes=1, memory="500MB", walltime="00:10:00", interface="lo", log_directory=str(folder)
    ) as cluster:
        cluster.scale(1)
        with Client(cluster) as client:
            assert client.submit(os.getpid).result(timeout=120)
            return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    taken: dict[str, list[float]] = {"ours": [], "ours, from sbatch": [], "dask-jobqueue": []}
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        # munged wants every folder above its socket to be open to all
        folder.chmod(0o755)
        up = subprocess.run(
            [LOCAL_CLUSTER, "up", folder / "slurm"], capture_output=True, text=True, check=True
        )
        os.environ["SLURM_CONF"] = up.stdout.strip().partition("=")[2]
        try:
            for turn in range(arguments.repeats):
                whole, from_sbatch = ours(folder / f"ours-{turn}")
                taken["ours"].append(whole)
                taken["ours, from sbatch"].append(from_sbatch)
                taken["dask-jobqueue"].append(jobqueue(folder / f"peer-{turn}"))
        finally:
            subprocess.run([LOCAL_CLUSTER, "down", folder / "slurm"], check=True)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    rows = [
        [name, f"{median:.2f}", f"{median / medians['dask-jobqueue']:.2f}"]
        for name, median in medians.items()
    ]
    text = f"# SLURM: from submission to the first task\n\n{table(['', 'median, s', 'ratio'], rows)}"
    print(text)
    if arguments.write:
        write("slurm", text, {"seconds": taken})


if __name__ == "__main__":
    main()
