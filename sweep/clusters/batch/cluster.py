"""A cluster whose workers are in jobs of a queueing system."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask
from distributed import Client, LocalCluster, Scheduler, Status

from sweep.clusters.batch.cluster_file import ClusterFile
from sweep.clusters.batch.queue import Queue, QueueError
from sweep.clusters.batch.script import job_name, slurm_script
from sweep.clusters.batch.slurm import Slurm
from sweep.clusters.batch.supply import Supply
from sweep.clusters.batch.watch import JobWatch, end_jobs, remove_left_over
from sweep.clusters.batch.worker import Instructions
from sweep.clusters.cluster import Site, Workers
from sweep.clusters.configuration import CONFIGURATION
from sweep.clusters.dashboard import Dashboard
from sweep.clusters.errors import ClusterError
from sweep.clusters.security import KEY, write_certificates
from sweep.gang import GangOptions, launcher_command

# Workers leave by themselves when the scheduler closes; what has not left is cancelled, s.
LEAVE_S = 10.0
# Hundreds of ranks that import Python from one file system take their time, s.
START_S = 300.0
_LEAVING = {Status.paused, Status.closing_gracefully, Status.closing, Status.closed}


@dataclass(frozen=True)
class BatchWorkers:
    """Workers in jobs, one in each, that this driver submits, replaces and cancels.

    Parameters
    ----------
    asked
        What the jobs are.
    queue
        Where they go.
    dashboard
        Whether the scheduler here has one.
    """

    asked: ClusterFile
    queue: Queue = field(default_factory=Slurm)
    dashboard: Dashboard = field(default_factory=Dashboard)

    @property
    def ranks(self) -> int:
        """MPI ranks of each worker's gang."""
        return self.asked.ranks

    @property
    def described(self) -> str:
        """What the workers are."""
        jobs = self.asked.jobs
        count = str(jobs.max) if jobs.min == jobs.max else f"{jobs.min} to {jobs.max}"
        return f"{count} jobs of {self.ranks} ranks"

    def _gang(self, folder: Path) -> GangOptions:
        asked, several = self.asked, self.asked.nodes > 1
        return GangOptions(
            asked.ranks,
            launcher_command(asked.launcher, asked.ranks, asked.nodes),
            cpus="claimed" if asked.pin else None,
            interface=asked.interface if several else None,
            shared_folder=folder if several else None,
            start_timeout_s=START_S,
        )

    def check(self) -> None:
        """Ask the queue whether it would accept such a job.

        Raises
        ------
        ClusterError
            If not, in the queue's words, or if a dashboard is wanted that cannot be shown.
        """
        self.dashboard.check()
        try:
            self.queue.check(slurm_script(self.asked, job_name("check"), Path("/tmp"), Path("/tmp")))
        except QueueError as error:
            raise ClusterError(f"the queue refuses such a job: {error}") from error

    @contextmanager
    def connected(self, site: Site) -> Iterator[Workers]:
        """Run a scheduler on this host and jobs in the queue, and leave neither behind.

        Raises
        ------
        ClusterError
            If the queue refuses the first job.
        """
        folder = site.run / "cluster"
        security = write_certificates(folder)
        name = job_name(_token(folder))
        address: dict[str, Any] = (
            {"interface": self.asked.interface} if self.asked.interface else {"host": _host()}
        )
        with (
            _ended(self.queue, name, site) as began,
            dask.config.set(
                {
                    **CONFIGURATION,
                    **self.dashboard.configuration,
                    "temporary-directory": str(site.scratch),
                }
            ),
            LocalCluster(
                n_workers=0,
                protocol="tls://",
                security=security,
                scheduler_port=self.asked.port or 0,
                silence_logs=50,
                **self.dashboard.options,
                **address,
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            for line in self.dashboard.lines(cluster, remote=True):
                site.tell(line)
            Instructions(
                cluster.scheduler_address, self.asked.walltime_s, self.asked.interface, self.asked.scratch
            ).write(folder)
            supply = Supply(
                self.queue,
                name,
                slurm_script(self.asked, name, folder, site.logs),
                self.asked.jobs.min,
                self.asked.jobs.max,
                SchedulerView(cluster.scheduler),
                site.tell,
                site.logs,
            )
            watch = JobWatch(supply)
            began()
            with _refusals():
                supply.begin()
            watch.start()
            try:
                yield Workers(client, watch.count, gang=self._gang(folder))
            finally:
                watch.stop()


@dataclass(frozen=True)
class SchedulerView:
    """What the scheduler in this process knows of its workers; read from other threads."""

    scheduler: Scheduler

    def present(self) -> frozenset[str]:
        """Name the workers that are connected."""
        return frozenset(str(worker.name) for worker in list(self.scheduler.workers.values()))

    def staying(self) -> frozenset[str]:
        """Name those of them that take work."""
        workers = list(self.scheduler.workers.values())
        # one that has just come is not running yet, and is no less there
        return frozenset(str(worker.name) for worker in workers if worker.status not in _LEAVING)

    def idle(self) -> frozenset[str]:
        """Name those that have nothing to do."""
        return frozenset(
            str(worker.name) for worker in list(self.scheduler.workers.values()) if not worker.processing
        )

    def unfinished(self) -> int:
        """Count the tasks that have not ended."""
        return sum(task.state != "memory" for task in list(self.scheduler.tasks.values()))


@contextmanager
def _ended(queue: Queue, name: str, site: Site) -> Iterator[Any]:
    """End an earlier driver's jobs of this name at once, and this one's with the context."""
    with _refusals():
        if found := remove_left_over(queue, name):
            site.tell(f"jobs of an earlier run cancelled: {found}")
    begun = False

    def begin() -> None:
        nonlocal begun
        begun = True

    try:
        yield begin
    finally:
        if begun:
            _end(queue, name, site)
            # of no use any more, and of no use to anybody else
            (site.run / "cluster" / KEY).unlink(missing_ok=True)


def _end(queue: Queue, name: str, site: Site) -> None:
    try:
        left = end_jobs(queue, name, LEAVE_S)
    except KeyboardInterrupt:
        # whoever is in a hurry must not leave jobs that burn hours
        with suppress(QueueError):
            queue.cancel(job.number for job in queue.jobs(name))
        raise
    except QueueError as error:
        site.tell(f"jobs may be left, cancel them with scancel --name={name}: {error}")
        return
    if left:
        site.tell(f"jobs that do not end: {', '.join(job.number for job in left)}")


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except QueueError as error:
        raise ClusterError(f"the queue refuses: {error}") from error


def _token(folder: Path) -> str:
    """Return the word by which this run's jobs are known, the same whenever it is run again."""
    path = folder / "token"
    if not path.exists():
        path.write_text(secrets.token_hex(6))
    return path.read_text().strip()


def _host() -> str:
    """Return the address of this host that others reach it by."""
    from distributed.utils import get_ip

    return str(get_ip())
