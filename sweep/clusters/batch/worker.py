"""What runs in a job: one Dask worker, which leaves in good order when the job is cancelled or nearly over."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import dask
from distributed import Status, Worker

from sweep.clusters.configuration import CONFIGURATION
from sweep.clusters.leaving import LEAVING
from sweep.clusters.security import certificates_of

# A worker whose driver cannot be reached leaves after this, s: its job would burn the user's hours.
CONNECT_S = 60.0
# Of its walltime a job keeps this share to finish what runs, at most so long, s; jobs that began together leave one
# after the other, over a further share.
LAST_SHARE, LONGEST_LAST_S, STAGGER_SHARE = 0.2, 600.0, 0.1
# What is still running so long before the queue kills the job goes to another worker, s.
HAND_OVER_S = 10.0
LOOK_S = 0.1


@dataclass(frozen=True)
class Instructions:
    """What a worker is told by its driver, in a file that only this user can read.

    Parameters
    ----------
    scheduler
        Address.
    walltime_s
        Of the job, s.
    interface
        Network interface; None for the host's own choice.
    scratch
        Folder on the node; None for the system's. Variables such as ``$TMPDIR`` are the node's.
    """

    scheduler: str
    walltime_s: float
    interface: str | None
    scratch: str | None

    def write(self, folder: Path) -> None:
        """Write them beside the certificates."""
        (folder / "worker.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> Instructions:
        """Read them on the node."""
        return cls(**json.loads((folder / "worker.json").read_text()))


def leave_after_s(walltime_s: float, chance: float) -> float:
    """How long after its start a worker takes no more work, s.

    Parameters
    ----------
    walltime_s
        Of its job.
    chance
        Between 0 and 1, another for each job: jobs that leave together would stop the study for as long as their
        successors wait in the queue.

    Examples
    --------
    >>> leave_after_s(3600.0, 0.0), leave_after_s(3600.0, 1.0)
    (3000.0, 2640.0)
    """
    return walltime_s - min(LONGEST_LAST_S, LAST_SHARE * walltime_s) - chance * STAGGER_SHARE * walltime_s


async def leave(worker: Worker, deadline: float) -> None:
    """Take no more work, finish what runs until a deadline (of the monotonic clock), and go.

    The scheduler gives what waits here to others and blames nobody; its own way of retiring a worker would give
    away what still runs, to be computed twice.
    """
    if worker.status == Status.running:
        worker.status = Status.paused
    LEAVING.set()
    while worker.state.executing_count and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_S)
    await worker.close_gracefully(reason="the job is cancelled or nearly over")


async def serve(folder: Path) -> None:
    """Work for the scheduler that a folder names, until it ends or the job does."""
    started = time.monotonic()
    told = Instructions.read(folder)
    scratch = os.path.expandvars(told.scratch) if told.scratch else tempfile.gettempdir()
    loop, ends = asyncio.get_running_loop(), asyncio.Event()
    # until it is connected there is nothing to leave in order; then the queue's signal is obeyed
    loop.add_signal_handler(signal.SIGTERM, ends.set)
    async with Worker(
        told.scheduler,
        nthreads=1,
        name=os.environ.get("SLURM_JOB_ID") or f"{socket.gethostname()}-{os.getpid()}",
        security=certificates_of(folder),
        protocol="tls://",
        interface=told.interface,
        local_directory=scratch,
        memory_limit=0,
        dashboard=False,
        death_timeout=CONNECT_S,
    ) as worker:
        over = asyncio.ensure_future(worker.finished())
        told_to = asyncio.ensure_future(ends.wait())
        limit = leave_after_s(told.walltime_s, random.random())
        await asyncio.wait({over, told_to}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if not over.done():
            # a cancelled job has the queue's few seconds, one whose time is nearly over the rest of it
            rest = 0.0 if ends.is_set() else started + told.walltime_s - HAND_OVER_S - time.monotonic()
            leaving = asyncio.ensure_future(leave(worker, time.monotonic() + max(rest, 2.0)))
            await over
            leaving.cancel()
        told_to.cancel()


def main() -> None:
    """Run the worker of the folder on the command line."""
    folder = Path(sys.argv[1])
    with dask.config.set(CONFIGURATION):
        try:
            asyncio.run(serve(folder))
        except (OSError, TimeoutError) as error:
            sys.exit(f"this worker has no driver to work for: {error}")
