"""What runs on a Dask worker: calls into its gang, artefacts written, results journaled before they are told."""

from __future__ import annotations

import gc
import logging
import math
import re
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from distributed import Client, Reschedule, Worker, WorkerPlugin, get_worker

from sweep.artefacts import ArtefactFolder, KernelCall, Recipe
from sweep.assignments import Estimated
from sweep.clusters.leaving import LEAVING, PATIENCE_S
from sweep.gang import Gang, GangDied, GangError, GangTimeout
from sweep.grid import Block, Cylinder
from sweep.journal import AnyRecord, JournalReader
from sweep.kernel_arguments import resolved
from sweep.lag import NotSeenError, Sight
from sweep.lasting_journal import LastingJournal
from sweep.limits import KernelLimits, how_to_change
from sweep.measuring import measured
from sweep.record_index import RecordIndex
from sweep.records import Record
from sweep.selection import ESTIMATES, Choice, Estimates
from sweep.sized_gangs import SizedGangs
from sweep.source_files import SourceFiles
from sweep.stages import STAGE_OF
from sweep.truncations import TruncationRecord
from sweep.worker_log import (
    WorkerLog,
    coordinates,
    coordinates_of_points,
    coordinates_of_recipe,
    outcome_of,
)
from sweep.workplace import Workplace

PLUGIN = "farfield-gang"
# A worker is not taken for lost within so short a time: whoever read the journals since then need not look again, s.
LOOK_AGAIN_S = 2.0


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
        self._sight = Sight(LEAVING.wait)
        self.sources = SourceFiles(self.workplace.sources)
        # a block's estimates are asked for again only where they choose what is relaxed
        keeping = () if self.workplace.choice is None else ESTIMATES
        others = JournalReader(self.workplace.journals, but=self._is_own, whole=False)
        self.recorded = RecordIndex(others, keeping=keeping)
        self._looked = -math.inf
        self.gangs = SizedGangs(partial(self.workplace.gang_options, self.label))
        self.limits = KernelLimits(self.workplace.limits)
        self.log = WorkerLog(self.workplace.logs, self.label)
        tell = partial(self.log.write, logging.WARNING)
        self.journal = LastingJournal(self.workplace.journals, lambda message: tell(message=message))
        # what is loaded by now stays: every search for unused cycles went through it
        gc.freeze()

    def _is_own(self, journal: Path) -> bool:
        return journal in self.journal.paths

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
        gc.unfreeze()
        self.gangs.close()
        self.journal.close()
        self.log.close()

    def call(
        self, kernel: Recipe | KernelCall, at: Mapping[str, Any], attempt: int = 1
    ) -> tuple[dict[str, Any], float]:
        """Run a kernel in the gang; its answer, and how long it took, waiting for its artefacts left out (s)."""
        with self.sources.unchanged(kernel.inputs):
            arguments = self.arguments(kernel.inputs)
            started = time.perf_counter()
            answer = self.call_with(kernel.function, arguments, at, attempt)
            return answer, time.perf_counter() - started

    def arguments(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Turn a recipe's inputs into a kernel's arguments, once the artefacts among them can be seen from here.

        Raises
        ------
        NotSeenError
            If one cannot.
        Reschedule
            If this worker has to leave before.
        """
        try:
            return resolved(inputs, self.folder, self.workplace.files, self._sight.wait_for)
        except NotSeenError as error:
            if LEAVING.is_set():
                raise Reschedule from error
            raise

    def call_with(
        self, function: str, arguments: Mapping[str, Any], at: Mapping[str, Any], attempt: int = 1
    ) -> dict[str, Any]:
        """Run a kernel in the gang of its stage, and log it with the coordinates that it is for."""
        [answer] = self.calls_with(function, arguments, [{}], [at], attempt)
        return answer

    def calls_with(
        self,
        function: str,
        arguments: Mapping[str, Any],
        each: Sequence[Mapping[str, Any]],
        at: Sequence[Mapping[str, Any]],
        attempt: int = 1,
        enough: Callable[[], bool] = bool,
    ) -> Generator[dict[str, Any], None, None]:
        """Run a kernel several times in the gang of its stage, and log each call with the coordinates it is for.

        A further attempt runs on ranks that have served nothing else: what an earlier call left in them may be why
        the first one failed.
        """
        stage = STAGE_OF.get(function, "")
        ranks = self.workplace.stage_ranks.get(stage, self.workplace.ranks)
        limit = self.limits.of(function, stage, attempt)
        about = {"stage": stage, "function": function, "attempt": attempt, "ranks": ranks}
        number, started = 0, time.perf_counter()
        try:
            gang = self.gangs.of(ranks)
            if attempt > 1:
                gang.renew()
            answers = gang.calls(function, each, timeout_s=limit.seconds, enough=enough, **arguments)
            with closing(answers):
                for answer in answers:
                    seconds, started = time.perf_counter() - started, time.perf_counter()
                    self._succeeded(gang, {**about, "at": at[number]}, answer, seconds)
                    number, about["attempt"] = number + 1, 1
                    yield dict(answer)
        except GangError as error:
            if LEAVING.wait(PATIENCE_S if isinstance(error, GangDied) else 0.0):
                # nobody's fault: another worker does it
                raise Reschedule from error
            error.worker = self.label
            if isinstance(error, GangTimeout):
                error.args = (f"{error.message}; {how_to_change(limit, stage)}",)
            about |= {"at": at[number], "duration_s": _rounded(time.perf_counter() - started)}
            self.log.write(logging.ERROR, **about, outcome=outcome_of(error), message=error.message)
            raise

    def _succeeded(
        self, gang: Gang, about: Mapping[str, Any], answer: Mapping[str, Any], seconds: float
    ) -> None:
        """Log a call that succeeded, and learn how long such calls take."""
        self.limits.learn(about["function"], seconds)
        more: dict[str, Any] = {"duration_s": _rounded(seconds), "outcome": "succeeded"}
        if gang.peak_memory_bytes is not None:
            more["peak_memory_mb"] = round(gang.peak_memory_bytes / 1e6, 1)
        if isinstance(status := answer.get("status"), str):
            more["status"] = status
        self.log.write(logging.INFO, **about, **more)


def _rounded(seconds: float) -> float:
    return round(seconds, 6)


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
        arrays, _ = worker.call(recipe, coordinates_of_recipe(recipe), attempt)
        worker.folder.write(recipe, arrays)


def truncation_errors(cylinder: Cylinder, kernel: KernelCall, attempt: int) -> None:
    """Record the truncation errors of a cylinder unless they are recorded; the first attempt is 1.

    Raises
    ------
    GangError
        If the kernel failed.
    """
    worker = here()
    known = worker.recorded.truncation(cylinder)
    if known is not None and not known.failed:
        return
    values, seconds = worker.call(kernel, coordinates(cylinder), attempt)
    status, message = str(values.pop("status")), str(values.pop("message"))
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
    worker, choice = here(), here().workplace.choice

    def known_enough(record: Record) -> bool:
        return not record.failed and not _unchecked(record, kernel, choice)

    record = worker.recorded.get(block, None)
    if record is None or not known_enough(record):
        values, seconds = worker.call(kernel, coordinates(block), attempt)
        statuses = tuple(values.pop("status"))
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
    """Relax points of one block that are not recorded yet; each is recorded while the next is computed.

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
        Once a point ends after this time, by the monotonic clock (s), none is begun but the one that has been already.

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
    wanted = tuple(weighting for weighting in weightings if not _has_point(worker, block, weighting))
    measures, labels = worker.workplace.measures, worker.workplace.weight_labels

    def enough() -> bool:
        return LEAVING.is_set() or (done > 0 and time.monotonic() > until)

    done = 0
    while done < len(wanted) and not enough():
        # a measure is called by the same gang, between two points
        turn = wanted[done : done + 1] if measures else wanted[done:]
        each = [{"weighting": weighting} for weighting in turn]
        at = coordinates_of_points(block, turn, labels)
        attempt, of_turn = 1, worker.calls_with(kernel.function, arguments, each, at, attempt, enough)
        # closed, or an error of the journal's would keep the gang for as long as its traceback lasts
        with closing(of_turn):
            for values, weighting in zip(list(of_turn) if measures else of_turn, turn, strict=False):
                call = partial(worker.call_with, at=at[0])
                worker.record(_point(worker, call, block, weighting, arguments, values), wait=False)
                done += 1
    return wanted[done:]


def _has_point(worker: GangPlugin, block: Block, weighting: int) -> bool:
    known = worker.recorded.get(block, weighting)
    return known is not None and not known.failed


def _point(
    worker: GangPlugin,
    call: Callable[..., Mapping[str, Any]],
    block: Block,
    weighting: int,
    arguments: Mapping[str, Any],
    values: dict[str, Any],
) -> Record:
    """Make a point's record of what a kernel answered, and of the measures of it."""
    status, message = str(values.pop("status")), str(values.pop("message"))
    seconds = float(values.pop("wall_time"))
    if (corrector := values.pop("corrector", None)) is not None:
        own, told = measured(call, worker.workplace.measures, arguments, weighting, corrector)
        values, message = values | own, "; ".join(filter(None, [message, *told]))
    return Record(block, weighting, status, values, message=message, worker=worker.label, wall_time_s=seconds)
