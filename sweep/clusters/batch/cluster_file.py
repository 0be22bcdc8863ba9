"""The cluster file: what a site's jobs are, read from YAML and checked in full."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from sweep.clusters.errors import ClusterError
from sweep.gang import check_launcher
from sweep.study.errors import StudyError
from sweep.study.fields import Count, Items, Section
from sweep.study.messages import problems
from sweep.study.text import parse_yaml
from sweep.study.text_file import TextFileError, text_of


class ClusterFileError(ClusterError):
    """A cluster file that cannot be used: the message names the file, the field, its value and what to do."""


def _launcher(name: str) -> str:
    try:
        return check_launcher(name)
    except ValueError as error:
        raise ValueError(f"is {error}") from None


def _directive(line: str) -> str:
    if line.startswith("#SBATCH"):
        raise ValueError(f"is {line!r}; leave out #SBATCH, it is written by itself")
    if not line.startswith("-"):
        raise ValueError(f"is {line!r}; give an option of sbatch, such as --qos=long")
    if (option := line.partition("=")[0].split()[0]) in _OWN_OPTIONS:
        raise ValueError(f"is {line!r}; {option} is set by {_OWN_OPTIONS[option]}")
    return line


_OWN_OPTIONS = {
    "--partition": "partition", "-p": "partition", "--account": "account", "-A": "account",
    "--time": "walltime", "-t": "walltime", "--ntasks": "ranks", "-n": "ranks", "--nodes": "nodes", "-N": "nodes",
    "--mem-per-cpu": "memory_per_rank", "--job-name": "the run itself", "-J": "the run itself",
    "--output": "the run itself", "-o": "the run itself", "--array": "jobs", "-a": "jobs",
    "--requeue": "the run itself, which replaces lost jobs",
}  # fmt: skip

_WORD = r"\A[^\s\x00-\x1f\x7f]+\z"
Word = Annotated[str, Field(pattern=_WORD)]
Line = Annotated[str, Field(pattern=r"\A[^\x00-\x1f\x7f]+\z")]
Walltime = Annotated[str, Field(pattern=r"\A(\d+-)?\d{1,2}:[0-5]\d:[0-5]\d\z")]


class JobCount(Section):
    """How many jobs there may be.

    Attributes
    ----------
    min
        Kept at all times while there is work.
    max
        As many as there is work for, and never more.
    """

    min: Count = Field(default=1, description="a whole number from 1")
    max: Count = Field(default=1, description="a whole number from 1")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"has min {self.min} above max {self.max}; give a max of at least {self.min}")
        return self


class ClusterFile(Section):
    """The jobs of a site, each with one worker and its gang of MPI ranks.

    Attributes
    ----------
    walltime
        Of each job. A worker leaves in good time before, what it has finished is journaled, and another job takes
        its place.
    ranks
        MPI ranks of each job, one task of SLURM each.
    nodes
        Over which a job's ranks are spread evenly; a gang of one node is faster.
    """

    scheduler: Literal["slurm"] = Field(description="slurm")
    partition: Word | None = Field(default=None, description="the name of a partition, as sinfo lists them")
    account: Word | None = Field(default=None, description="the account that is charged")
    walltime: Walltime = Field(
        description="a time such as 04:00:00 or 1-12:00:00 (days-hours:minutes:seconds)"
    )
    ranks: Annotated[int, Field(ge=1, le=4096)] = Field(
        default=1, description="a whole number from 1 to 4096"
    )
    nodes: Annotated[int, Field(ge=1, le=4096)] = Field(
        default=1, description="a whole number from 1 to 4096"
    )
    jobs: JobCount = JobCount()
    memory_per_rank: Annotated[str, Field(pattern=r"\A[1-9]\d*[KMGT]\z")] | None = Field(
        default=None, description="an amount with its unit, such as 2G or 1500M"
    )
    launcher: Annotated[str, AfterValidator(_launcher)] = Field(
        default="mpiexec", description="mpiexec, srun --mpi=pmi2, srun --mpi=pmix or the path of an mpiexec"
    )
    modules: Items[Word] | tuple[()] = Field(default=(), description="a list of modules to load")
    prologue: Items[Line] | tuple[()] = Field(
        default=(), description="a list of lines of shell, run before the worker"
    )
    interface: Word | None = Field(
        default=None, description="a network interface that login and compute nodes share, such as ib0"
    )
    port: Annotated[int, Field(ge=1024, le=65535)] | None = Field(
        default=None, description="a port from 1024 to 65535, where a firewall leaves only some open"
    )
    scratch: Line | None = Field(
        default=None, description="a folder on each node, such as $TMPDIR or /scratch/me"
    )
    directives: Items[Annotated[str, AfterValidator(_directive)]] | tuple[()] = Field(
        default=(), description="a list of further options of sbatch, such as [--qos=long, --exclusive]"
    )
    pin: bool = Field(default=True, description="true or false")

    @model_validator(mode="after")
    def _spreads(self) -> Self:
        if self.ranks % self.nodes:
            raise ValueError(
                f"ranks is {self.ranks}, which does not spread evenly over {self.nodes} nodes; give a multiple"
            )
        if self.nodes > 1 and self.interface is None:
            raise ValueError("interface is missing; ranks on several nodes need one to reach their worker")
        return self

    @property
    def walltime_s(self) -> int:
        """Length of a job, s.

        Examples
        --------
        >>> ClusterFile(scheduler="slurm", walltime="1-00:30:00").walltime_s
        88200
        """
        days, _, clock = self.walltime.rpartition("-")
        hours, minutes, seconds = map(int, clock.split(":"))
        return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


def load_cluster_file(path: Path) -> ClusterFile:
    """Read and check a cluster file.

    Raises
    ------
    ClusterFileError
        If the file cannot be read or is not valid. The message names the file, the field, its value and what would
        be accepted, one line a problem.
    """
    try:
        text = text_of(
            path, str(path), missing="give local, a scheduler's address (tls://HOST:PORT) or a cluster file"
        )
        return ClusterFile.model_validate(parse_yaml(text, str(path)))
    except (TextFileError, StudyError) as error:
        raise ClusterFileError(str(error)) from error
    except ValidationError as error:
        lines = problems(error, ClusterFile, "cluster file")
        raise ClusterFileError("\n".join(f"{path}: {line}" for line in lines)) from None
