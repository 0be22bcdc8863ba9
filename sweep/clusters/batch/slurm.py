"""SLURM through its own commands: sbatch, squeue, scancel."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping

from sweep.clusters.batch.queue import Job, Phase, QueueError

# A controller under load takes seconds to answer; what takes longer has failed, s.
ANSWER_S = 25.0
_WAITING = {"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"}
_RUNNING = {
    "RUNNING",
    "CONFIGURING",
    "SUSPENDED",
    "STOPPED",
    "RESIZING",
    "SIGNALING",
    "STAGE_OUT",
    "COMPLETING",
}


class Slurm:
    """A SLURM cluster that this host may submit to."""

    def check(self, script: str) -> None:
        """Ask ``sbatch --test-only``, which looks at partition, account, limits and shape."""
        _ask(["sbatch", "--test-only"], script)

    def submit(self, script: str) -> str:
        """Submit a script through sbatch's standard input: no file needs to be kept."""
        # with several clusters federated, "id;cluster"
        return _ask(["sbatch", "--parsable"], script).strip().partition(";")[0]

    def jobs(self, name: str) -> tuple[Job, ...]:
        """List the jobs of a name, and for some minutes (the site's MinJobAge) those that ended."""
        options = [f"--user={getpass.getuser()}", f"--name={name}", "--states=all", "--format=%i|%T|%r"]
        return tuple(map(_job, _ask(["squeue", "--noheader", *options]).splitlines()))

    def cancel(self, numbers: Iterable[str]) -> None:
        """Cancel jobs by number, waiting or running."""
        if chosen := sorted(numbers):
            _ask(["scancel", "--quiet", *chosen])


def _job(line: str) -> Job:
    """Read a line of squeue.

    Examples
    --------
    >>> _job("17|PENDING|Resources").phase
    <Phase.WAITING: 'waiting'>
    """
    number, state, reason = line.split("|", 2)
    phase = Phase.WAITING if state in _WAITING else Phase.RUNNING if state in _RUNNING else Phase.ENDED
    return Job(number, phase, state, "" if reason in ("None", "NonZeroExitCode", "(null)") else reason)


def _ask(command: list[str], text: str = "") -> str:
    """Run a command of SLURM and return what it prints."""
    program = shutil.which(command[0])
    if program is None:
        raise QueueError(f"{command[0]} is not on PATH: run this where SLURM's commands are, a login node")
    try:
        done = subprocess.run(
            [program, *command[1:]],
            input=text,
            capture_output=True,
            text=True,
            timeout=ANSWER_S,
            check=False,
            env=_outside_jobs(os.environ),
        )
    except subprocess.TimeoutExpired:
        raise QueueError(f"{command[0]} did not answer within {ANSWER_S:.0f} s") from None
    if done.returncode:
        words = (done.stderr or done.stdout).strip() or f"exit status {done.returncode}"
        raise QueueError(words if command[0] in words else f"{command[0]}: {words}")
    return done.stdout


def _outside_jobs(variables: Mapping[str, str]) -> dict[str, str]:
    """Drop what a job finds in its environment: sbatch would take it for options.

    Examples
    --------
    >>> _outside_jobs({"SLURM_MEM_PER_CPU": "500", "SLURM_CONF": "/etc/slurm.conf", "HOME": "/h"})
    {'SLURM_CONF': '/etc/slurm.conf', 'HOME': '/h'}
    """
    kept = ("SLURM_CONF", "SLURM_CLUSTERS")
    return {
        name: value
        for name, value in variables.items()
        if name in kept or not name.startswith(("SLURM", "SBATCH_", "PMI_", "PMIX_"))
    }
