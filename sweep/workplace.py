"""Where a worker of Dask finds its inputs and leaves its results, and how its gangs are launched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sweep.gang import GangOptions, log_of
from sweep.limits import GivenLimits
from sweep.measured import Measure
from sweep.selection import Choice
from sweep.worker_log import WeightLabels


@dataclass(frozen=True)
class Workplace:
    """Where a worker finds its inputs and leaves its results; plain data, sent to every worker.

    Parameters
    ----------
    artefacts, journals, logs, compiled
        Folders; the last of compiled JAX programs, one below it for each gang, since JAX does not write
        them atomically.
    files
        The potential's files as LAMMPS is given them, by the hash of their contents.
    ranks
        MPI ranks of each worker's gang.
    cpus
        For each worker by its name, the CPUs of its ranks; a worker not named here has what `gang` says.
    limits
        Longest that kernels may take.
    sources
        Where those files lie: they are to hold what was hashed when a kernel reads them.
    stage_ranks
        MPI ranks of the gang in some stages, instead of `ranks`; a worker has CPUs for the most of them.
    weight_labels
        Labels along the dimensions that number a block's weightings, for the log.
    choice
        Which of a block's estimated points are relaxed; None for all.
    gang
        How gangs are launched, but for what is each worker's own; by default by mpiexec, each rank on a
        processor that it claims.
    measures
        The user's own, called on every relaxed core.
    """

    artefacts: Path
    journals: Path
    logs: Path
    compiled: Path
    files: Mapping[str, str]
    ranks: int
    cpus: Mapping[str, tuple[int, ...]]
    limits: GivenLimits = field(default_factory=GivenLimits)
    sources: Mapping[str, Path] = field(default_factory=dict)
    stage_ranks: Mapping[str, int] = field(default_factory=dict)
    weight_labels: WeightLabels = field(default_factory=dict)
    choice: Choice | None = None
    gang: GangOptions = field(default_factory=lambda: GangOptions(cpus="claimed"))
    measures: tuple[Measure, ...] = ()

    def gang_options(self, name: str, ranks: int) -> GangOptions:
        """How to start a gang of so many ranks on the worker of this name."""
        cpus = self.cpus.get(name, self.gang.cpus)
        return replace(
            self.gang,
            ranks=ranks,
            cpus=cpus[:ranks] if isinstance(cpus, tuple) else cpus,
            environment={"FARFIELD_JAX_CACHE": str(self.compiled / name)},
            log=log_of(self.logs, name),
        )
