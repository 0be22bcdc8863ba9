"""What runs on a Dask worker: calls into its gang, artefacts written, results journaled before they are told."""

from __future__ import annotations

import logging
import math
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from distributed import Client, Reschedule, Worker, WorkerPlugin, get_worker

from sweep.artefacts import ArtefactFolder, KernelCall, Recipe
from sweep.assignments import Estimated
from sweep.clusters.leaving import LEAVING, PATIENCE_S
from sweep.gang import GangDied, GangError, GangOptions, GangTimeout, log_of
from sweep.grid import Block, Cylinder
from sweep.journal import AnyRecord, JournalReader, RecordIndex
from sweep.kernel_arguments import resolved
from sweep.lasting_journal import LastingJournal
from sweep.limits import GivenLimits, KernelLimits, how_to_change
from sweep.measured import Measure
from sweep.measuring import measured
from sweep.records import Record
from sweep.selection import ESTIMATES, Choice, Estimates
from sweep.sized_gangs import SizedGangs
from sweep.source_files import SourceFiles
from sweep.stages import STAGE_OF
from sweep.truncations import TruncationRecord
from sweep.worker_log import WeightLabels, WorkerLog, coordinates, coordinates_of_recipe, outcome_of

PLUGIN = "farfield-gang"
# A worker is not taken for lost within so short a time: whoever read the journals since then need not look again, s.
LOOK_AGAIN_S = 2.0


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


class GangPlugin(WorkerPlugin):  # type: ignore[misc]
    """Gives a Dask worker its gang, its journal and its artefacts."""

    name = PLUGIN

    def __init__(self, workplace: Workplace) -> None:
        self.workplace = workplace

    def setup(self, worker: Worker) -> None:
        """Open the journal; the gang starts with its first call."""
        # Ctrl-C reaches the whole terminal's processes: what happens to it is the driver's decision
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        # a worker that nobody named is called by its address
        self.label = re.sub(r"[^\w.-]+", "-", str(worker.name))
        self.folder = ArtefactFolder(self.workplace.artefacts)
        self.sources = SourceFiles(self.workplace.sources)
        # a block's estimates are asked for again only where they choose what is relaxed
        keeping = () if self.workplace.choice is None else ESTIMATES
        others = JournalReader(self.workplace.journals, but=lambda path: path in self.journal.paths)
        self.recorded = RecordIndex(others, keeping=keeping)
        self._looked = -math.inf
        self.gangs = SizedGangs(partial(self.workplace.gang_options, self.label))
        self.limits = KernelLimits(self.workplace.limits)
        self.log = WorkerLog(self.workplace.logs, self.label)
        tell = partial(self.log.write, logging.WARNING)
        self.journal = LastingJournal(self.workplace.journals, lambda message: tell(message=message))

    def look(self) -> None:
        """Read what other workers have recorded since the last time; what this one records is taken in at once."""
        self.recorded.refresh()
        self._looked = time.monotonic()

    def record(
        self, record: AnyRecord, *, wait: bool = True, unless: Callable[[Record], bool] = lambda _: True
    ) -> None:
        """Journal a result, once, unless one is recorded that will do: a lost worker may only have been slow."""
        if time.monotonic() - self._looked > LOOK_AGAIN_S:
            self.look()
            known = self.recorded.like(record)
            recorded = known is not None and not known.failed
            if recorded and (not isinstance(known, Record) or unless(known)):
                return
        self.journal.append(record, wait=wait)
        self.recorded.take(record)

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - what Dask calls it with
        """End the gang with the worker."""
        self.gangs.close()
        self.journal.close()
        self.log.close()

    def call(
        self, function: str, inputs: Mapping[str, Any], at: Mapping[str, Any], attempt: int = 1
    ) -> dict[str, Any]:
        """Run a kernel in the gang, recipes among its inputs given as the paths of their artefacts."""
        with self.sources.unchanged(inputs):
            return self.call_with(function, self.arguments(inputs), at, attempt)

    def arguments(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Turn a recipe's inputs into a kernel's arguments."""
        return resolved(inputs, self.folder, self.workplace.files)

    def call_with(
        self, function: str, arguments: Mapping[str, Any], at: Mapping[str, Any], attempt: int = 1
    ) -> dict[str, Any]:
        """Run a kernel in the gang of its stage, and log it with the coordinates that it is for.

        A further attempt runs on ranks that have served nothing else: what an earlier call left in them may be why
        the first one failed.
        """
        stage = STAGE_OF.get(function, "")
        ranks = self.workplace.stage_ranks.get(stage, self.workplace.ranks)
        limit = self.limits.of(function, stage, attempt)
        about = {"stage": stage, "function": function, "at": at, "attempt": attempt, "ranks": ranks}
        started = time.perf_counter()
        try:
            gang = self.gangs.of(ranks)
            if attempt > 1:
                gang.renew()
            answer = dict(gang.call(function, timeout_s=limit.seconds, **arguments))
        except GangError as error:
            if LEAVING.wait(PATIENCE_S if isinstance(error, GangDied) else 0.0):
                # nobody's fault: another worker does it
                raise Reschedule from error
            error.worker = self.label
            if isinstance(error, GangTimeout):
                error.args = (f"{error.message}; {how_to_change(limit, stage)}",)
            about |= {"duration_s": round(time.perf_counter() - started, 6), "outcome": outcome_of(error)}
            self.log.write(logging.ERROR, **about, message=error.message)
            raise
        seconds = time.perf_counter() - started
        self.limits.learn(function, seconds)
        about |= {"duration_s": round(seconds, 6), "outcome": "succeeded"}
        if gang.peak_memory_bytes is not None:
            about["peak_memory_mb"] = round(gang.peak_memory_bytes / 1e6, 1)
        if isinstance(status := answer.get("status"), str):
            about["status"] = status
        self.log.write(logging.INFO, **about)
        return answer


@contextmanager
def gangs(client: Client, workplace: Workplace) -> Iterator[None]:
    """Give every worker, those too that come later, a gang for as long as the context lasts."""
    client.register_plugin(GangPlugin(workplace))
    try:
        yield
    finally:
        # workers that outlive the run keep nothing of it; those that have gone need nothing taken away
        with suppress(Exception):
            client.unregister_worker_plugin(PLUGIN)


def here() -> GangPlugin:
    """Give the plugin of the worker that this runs on."""
    plugin = get_worker().plugins[PLUGIN]
    assert isinstance(plugin, GangPlugin)
    return plugin


def make_artefact(recipe: Recipe, attempt: int) -> None:
    """Make an artefact unless it exists; the first attempt is 1.

    Raises
    ------
    GangError
        If the kernel failed; the gang has been replaced where that was needed.
    """
    worker = here()
    if not worker.folder.has(recipe):
        worker.folder.write(
            recipe, worker.call(recipe.function, recipe.inputs, coordinates_of_recipe(recipe), attempt)
        )


def truncation_errors(cylinder: Cylinder, kernel: KernelCall, attempt: int) -> None:
    """Record the truncation errors of a cylinder unless they are recorded; the first attempt is 1.

    Raises
    ------
    GangError
        If the kernel failed.
    """
    worker, started = here(), time.perf_counter()
    known = worker.recorded.truncation(cylinder)
    if known is not None and not known.failed:
        return
    values = worker.call(kernel.function, kernel.inputs, coordinates(cylinder), attempt)
    status, message = str(values.pop("status")), str(values.pop("message"))
    seconds = time.perf_counter() - started
    worker.record(
        TruncationRecord(cylinder, status, values, message=message, worker=worker.label, wall_time_s=seconds)
    )


def estimate_block(block: Block, kernel: KernelCall, attempt: int) -> Estimated:
    """Record a block's fits and estimates unless they are recorded; choose what is relaxed. The first attempt is 1.

    What a screen recorded without asking of every estimate whether it can be trusted is recorded anew.

    Raises
    ------
    GangError
        If the kernel failed.
    """
    worker, started, choice = here(), time.perf_counter(), here().workplace.choice

    def known_enough(record: Record) -> bool:
        return not record.failed and not _unchecked(record, kernel, choice)

    record = worker.recorded.get(block, None)
    if record is None or not known_enough(record):
        values = worker.call(kernel.function, kernel.inputs, coordinates(block), attempt)
        statuses = tuple(values.pop("status"))
        seconds = time.perf_counter() - started
        record = Record(block, None, statuses, values, worker=worker.label, wall_time_s=seconds)
        worker.record(record, unless=known_enough)
    if choice is None:
        return Estimated(record.statuses, None)
    mask = choice(block, Estimates.of(record.values, len(record.statuses)))
    return Estimated(record.statuses, frozenset(np.flatnonzero(mask).tolist()))


def _unchecked(record: Record, kernel: KernelCall, choice: Choice | None) -> bool:
    """Whether a choice needs to know more of estimates than is recorded: if they can be trusted."""
    if choice is None or not choice.by_trust:
        return False
    asked = kernel.inputs.get("checked")
    unchecked = Estimates.of(record.values, len(record.statuses)).unchecked
    return bool((unchecked if asked is None else unchecked[list(asked)]).any())


def relax_points(
    block: Block, weightings: Sequence[int], kernel: KernelCall, attempt: int, *, until: float
) -> tuple[int, ...]:
    """Relax points of one block that are not recorded yet; each is recorded before the next begins.

    Parameters
    ----------
    block
        Their block.
    weightings
        Their weightings' indices.
    kernel
        `kernels.points:relax_point` and its inputs but for the weighting.
    attempt
        How often the first of them is tried now, from 1.
    until
        No point but the first is begun after this time, by the monotonic clock (s).

    Returns
    -------
    tuple of int
        Weightings whose turn did not come.

    Raises
    ------
    GangError
        If a kernel failed; the points before it are recorded.
    """
    worker = here()
    arguments = worker.arguments(kernel.inputs)
    for number, weighting in enumerate(weightings):
        if LEAVING.is_set() or (number and time.monotonic() > until):
            return tuple(weightings[number:])
        known = worker.recorded.get(block, weighting)
        if known is not None and not known.failed:
            continue
        at = coordinates(block, weighting, worker.workplace.weight_labels)
        values = worker.call_with(kernel.function, {**arguments, "weighting": weighting}, at, attempt)
        attempt = 1
        status, message = str(values.pop("status")), str(values.pop("message"))
        seconds = float(values.pop("wall_time"))
        if (corrector := values.pop("corrector", None)) is not None:
            call = partial(worker.call_with, at=at)
            own, told = measured(call, worker.workplace.measures, arguments, weighting, corrector)
            values, message = values | own, "; ".join(filter(None, [message, *told]))
        worker.record(
            Record(
                block, weighting, status, values, message=message, worker=worker.label, wall_time_s=seconds
            ),
            wait=False,
        )
    return ()
