"""The job script: one worker in the batch step, which starts the gang's MPI on the job's tasks."""

from __future__ import annotations

import shlex
import site
import sys
from pathlib import Path

from sweep.clusters.batch.cluster_file import ClusterFile

WORKER_MODULE = "sweep.clusters.batch"
_ROOT = Path(__file__).resolve().parents[3]


def job_name(token: str) -> str:
    """Name the jobs of the run with this token: by it a later driver finds what an earlier one left."""
    return f"farfield-{token}"


def slurm_script(asked: ClusterFile, name: str, folder: Path, logs: Path) -> str:
    """Write the script of a job.

    A worker that is itself started by srun could not start MPI; so it is the batch step.

    Parameters
    ----------
    asked
        What the jobs are.
    name
        Of the jobs.
    folder
        Where the worker finds the scheduler's address and its certificates: no secret is on a command line.
    logs
        Folder for what jobs print.

    Examples
    --------
    >>> asked = ClusterFile(scheduler="slurm", walltime="01:00:00", ranks=4, modules=("mpich",))
    >>> print(slurm_script(asked, "farfield-x", Path("/r/cluster"), Path("/r/logs")))  # doctest: +ELLIPSIS
    #!/bin/bash
    #SBATCH --job-name=farfield-x
    #SBATCH --output="/r/logs/job-%j.log"
    #SBATCH --chdir="/r/cluster"
    #SBATCH --time=01:00:00
    #SBATCH --nodes=1
    #SBATCH --ntasks-per-node=4
    #SBATCH --ntasks=4
    #SBATCH --cpus-per-task=1
    #SBATCH --no-requeue
    module load mpich || exit 1
    ...
    """
    options = [
        f"--job-name={name}",
        f'--output="{logs}/job-%j.log"',
        f'--chdir="{folder}"',
        f"--time={asked.walltime}",
        f"--nodes={asked.nodes}",
        f"--ntasks-per-node={asked.ranks // asked.nodes}",
        f"--ntasks={asked.ranks}",
        "--cpus-per-task=1",
        # a job that the queue started again by itself would be one more than the run knows of
        "--no-requeue",
        *([f"--partition={asked.partition}"] if asked.partition else []),
        *([f"--account={asked.account}"] if asked.account else []),
        *([f"--mem-per-cpu={asked.memory_per_rank}"] if asked.memory_per_rank else []),
        *asked.directives,
    ]
    worker = shlex.join([sys.executable, "-P", "-m", WORKER_MODULE, str(folder)])
    return "\n".join(
        [
            "#!/bin/bash",
            *(f"#SBATCH {option}" for option in options),
            *(f"module load {shlex.quote(module)} || exit 1" for module in asked.modules),
            *asked.prologue,
            *_python_path(),
            f"exec {worker}",
            "",
        ]
    )


def _python_path() -> list[str]:
    """Say where a checkout is; installed, it is found without being named."""
    if str(_ROOT) in {*site.getsitepackages(), site.getusersitepackages()}:
        return []
    return [f'export PYTHONPATH="${{PYTHONPATH:+$PYTHONPATH:}}"{shlex.quote(str(_ROOT))}']
