"""A run from study file to finished store: refuse, try, lock, set up, work, record, sum up."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table

from sweep.artefact_users import mark_finished, using
from sweep.burgers import keep_burgers_lengths
from sweep.clusters import Cluster, ClusterChoice, ClusterError, Site, Workers, WorkersLostError
from sweep.compaction import Compaction, failure_lines, failure_records, truncation_lines
from sweep.engine import Engine
from sweep.gang import last_lines, log_of
from sweep.grid import Block
from sweep.journal import Journal, JournalError
from sweep.limits import GivenLimits
from sweep.location import StoreLike
from sweep.lock import driver_lock
from sweep.measuring import measure_lines
from sweep.plan import Plan, left_to_do
from sweep.prepared import Prepared, prepare
from sweep.progress import RunProgress, saying
from sweep.refinement import Refinement
from sweep.refusals import REFUSALS, RefusedError
from sweep.remaining import Remaining
from sweep.schedule import Failure
from sweep.selection import ListedPoints
from sweep.setting_up import set_up
from sweep.store import (
    StoreError,
    configuration_path,
    open_store,
    write_configuration,
)
from sweep.store.root import open_root
from sweep.study.sections import Fidelity
from sweep.summary import any_lost, material_line, saddles, status_counts, summary_table, truncation_table
from sweep.transfers.gathering import gathered_transfers
from sweep.trial import declared_measures, try_inputs
from sweep.variables import Status
from sweep.worker import gangs
from sweep.workplace import Workplace

DONE, SOME_FAILED, STOPPED, INTERRUPTED = 0, 1, 3, 130
LOCAL = ClusterChoice()

# What a machine may do to a run that has begun: a full disk, a folder that went away, no worker or scheduler left.
_STOPS = (OSError, StoreError, JournalError, ClusterError, WorkersLostError, TimeoutError)


def run_study(
    study: StoreLike,
    *,
    store: StoreLike | None = None,
    where: ClusterChoice = LOCAL,
    artefacts: Path | None = None,
    run_folder: Path | None = None,
    accept_versions: bool = False,
    retry_failed: bool = False,
    fidelity: Fidelity | None = None,
    refinement: Refinement | None = None,
    output: Console | None = None,
    progress: Console | None = None,
) -> int:
    """Run a study, or what is left of it.

    Parameters
    ----------
    study
        The study file, or a store that stands for its study.
    store
        The store, a path or a URL; by default ``<study>.zarr`` in the current folder.
    where
        Which workers, and the MPI ranks of each one's gang; by default as many on this machine as it has CPUs for.
    artefacts
        Folder of artefacts; by default in the run folder.
    run_folder
        Folder of journals, lock and logs, which all workers reach; by default ``<store>.run`` beside the store, in the
        current folder where that is at a URL.
    accept_versions
        Go on although numerical packages have changed since the store was made, and record that.
    retry_failed
        Try points again that are recorded as failed.
    fidelity
        In place of the study's own.
    refinement
        Points to be relaxed in place of those that the fidelity asks for, and for how long.
    output, progress
        Where results and progress are shown: standard output and standard error.

    Returns
    -------
    int
        Exit status: 0 done, 1 done with failed points, 3 stopped by the machine (a full disk, no worker left),
        130 interrupted; after the last two, running again goes on.

    Raises
    ------
    RefusedError
        If the study cannot be run; nothing has been written.
    """
    output = output or Console(soft_wrap=True, highlight=False)
    progress = progress or Console(stderr=True, highlight=False, soft_wrap=True)
    with ExitStack() as held:
        try:
            with saying(progress, "reading the study"):
                prepared = prepare(study, store, artefacts, fidelity, run_folder=run_folder)
            cluster, stage_ranks = where.for_stages(prepared.study.ranks.named)
            prepared = replace(prepared, stage_ranks=stage_ranks)
            if refinement is not None:
                listed = ListedPoints(refinement.points, prepared.grid.weightings())
                prepared = replace(prepared, choice=listed)
            prepared.check_unchanged(accept_versions=accept_versions)
            cluster.check()
            with saying(progress, "trying the study's inputs"):
                tried = try_inputs(prepared)
                prepared = replace(prepared, declared=declared_measures(prepared))
            lock = held.enter_context(driver_lock(prepared.folders.run, tell=progress.print))
            # who lost the lock to another host's driver writes no more
            guarded = prepared.folders.store.guarded(lock.check)
            prepared = replace(prepared, folders=replace(prepared.folders, store=guarded))
            # once more: another driver may have set it up during the trial
            prepared.check_unchanged(accept_versions=accept_versions)
            with saying(progress, "looking for what is recorded already"):
                remaining = prepared.remaining(retry_failed=retry_failed)
            held.enter_context(using(prepared.folders.artefacts))
            with saying(progress, "laying out the store"):
                set_up(prepared)
        except REFUSALS as error:
            raise RefusedError(str(error)) from error
        try:
            for recipe, arrays in tried:
                prepared.artefacts.write(recipe, arrays)
            seconds = None if refinement is None else refinement.seconds
            return _run(prepared, cluster, remaining, output, progress, seconds)
        except ClusterError as error:
            raise RefusedError(str(error)) from error
        except _STOPS as error:
            progress.print(f"sweep: stopped: {error}", markup=False)
            progress.print("what is journaled is safe: mend that, and run the same command again to go on")
            return STOPPED


def _run(
    prepared: Prepared,
    cluster: Cluster,
    remaining: Remaining,
    output: Console,
    progress: Console,
    seconds: float | None,
) -> int:
    started = time.monotonic()

    def tell(line: str) -> None:
        progress.print(line, markup=False, highlight=False)

    compaction = Compaction(prepared.folders.store, remaining, tell)
    with saying(progress, "writing what was recorded into the store, looking for what is left"):
        compaction.begin()
        plan = prepared.plan(remaining, verify=True)
    complete = True
    if not plan.nothing_to_do:
        tell(f"{left_to_do(plan)} to do, {cluster.described}")
        if prepared.artefacts.has(prepared.recipes.material):
            tell(material_line(prepared.artefacts.read(prepared.recipes.material)))
        complete = _work(prepared, plan, compaction, cluster, progress, seconds)
    with saying(progress, "writing cores into the store"):
        _write_configurations(prepared)
        keep_burgers_lengths(prepared)
        for line in gathered_transfers(prepared):
            tell(line)
    with saying(progress, "summing up"):
        *tables, points = _summary(prepared, complete=complete)
    for table in tables:
        output.print(table)
    output.print(f"{points}; {time.monotonic() - started:.1f} s", markup=False)
    output.print(f"store: {prepared.folders.store}", markup=False)
    if not complete:
        output.print("interrupted: run the same command again to go on")
    told = compaction.records
    for line in (*truncation_lines(told), *measure_lines(compaction.unmeasured), *failure_lines(told)):
        output.print(line, markup=False)
    if not complete:
        return INTERRUPTED
    if any_lost(open_store(prepared.folders.store), fitting=prepared.recipes.fitting):
        return SOME_FAILED
    mark_finished(prepared.folders.artefacts, prepared.folders.store)
    return DONE


def _work(
    prepared: Prepared,
    plan: Plan,
    compaction: Compaction,
    cluster: Cluster,
    console: Console,
    seconds: float | None,
) -> bool:
    """Run a plan on workers; whether everything was done or given up, or its time has passed."""
    folders, started = prepared.folders, time.monotonic()

    def late() -> bool:
        return seconds is not None and time.monotonic() - started > seconds

    site = Site(
        folders.run,
        folders.logs,
        folders.scratch,
        lambda line: console.print(line, markup=False, highlight=False),
    )
    with (
        _stopping_on_interrupt(console) as stopping,
        Journal.create(folders.journals) as journal,
        ExitStack() as held,
    ):
        with saying(console, "starting workers"):
            workers = held.enter_context(cluster.connected(site))
            held.enter_context(gangs(workers.client, _workplace(prepared, cluster, workers)))
        watch = RunProgress(plan, console)

        def record_failure(failure: Failure) -> None:
            failure = _quoted(failure, folders.logs)
            console.print(f"failed: {failure.place.key}: {failure.cause.first_line}", markup=False)
            for record in failure_records(prepared.grid, failure):
                journal.append(record)

        def left_of(block: Block, weightings: tuple[int, ...]) -> tuple[int, ...]:
            return compaction.left_of(block, weightings, engine.journaled)

        engine = Engine(
            workers.client,
            workers.count,
            plan,
            record_failure=record_failure,
            left_of=left_of,
            watch=watch,
            idle=compaction.now_and_then,
            stopping=lambda: stopping() or late(),
        )
        try:
            with watch:
                ended = engine.run() or not stopping()
        except BaseException:
            # who is made to stop waits for no file system
            compaction.finish()
            raise
        with saying(console, "writing what workers recorded into the store"):
            compaction.finish(engine.journaled)
        return ended


def _quoted(failure: Failure, logs: Path) -> Failure:
    """Add the last lines of the log of a worker that died before it could quote them."""
    cause = failure.cause
    if cause.log_tail or not cause.worker:
        return failure
    return replace(failure, cause=replace(cause, log_tail=last_lines(log_of(logs, cause.worker))))


def _workplace(prepared: Prepared, cluster: Cluster, workers: Workers) -> Workplace:
    folders = prepared.folders
    return Workplace(
        artefacts=folders.artefacts,
        journals=folders.journals,
        logs=folders.logs,
        compiled=folders.compiled,
        files=dict(prepared.files),
        sources=dict(prepared.sources),
        ranks=cluster.ranks,
        cpus=workers.cpus,
        gang=workers.gang,
        limits=_limits(prepared),
        stage_ranks=prepared.stage_ranks,
        weight_labels={axis.name: tuple(map(float, axis.values)) for axis in prepared.grid.weighting_axes},
        choice=prepared.choice,
        measures=prepared.measuring,
    )


def _limits(prepared: Prepared) -> GivenLimits:
    given = prepared.study.limits
    return GivenLimits(given.kernel_s, given.stages.named)


@contextmanager
def _stopping_on_interrupt(console: Console) -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C finish what runs, and the second stop at once; both leave a run that can be resumed.

    A queue that ends the driver's own job (SIGTERM) leaves it seconds: as the second Ctrl-C, jobs are cancelled.
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's
        nonlocal asked
        if asked or number == signal.SIGTERM:
            raise KeyboardInterrupt
        asked = True
        console.print("finishing what runs; Ctrl-C again stops at once")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _write_configurations(prepared: Prepared) -> None:
    """Keep each reference equilibrium in the store, so that cores can be drawn."""
    store, artefacts = prepared.folders.store, prepared.artefacts
    known = open_root(store, "r")
    for dislocation in prepared.study.dislocations:
        for radius in prepared.study.axes.simulation_radius:
            recipe = prepared.recipes.equilibrium(dislocation, radius)
            if configuration_path(dislocation, radius) in known or not artefacts.has(recipe):
                continue
            state = artefacts.read(recipe)
            arrays = {
                "sites": state["sites"],
                "displacement_predictor": state["predictor"],
                "displacement_corrector": state["corrector"],
                "free": state["free"],
            }
            write_configuration(store, dislocation, radius, arrays, period=float(state["period"]))


def _summary(prepared: Prepared, *, complete: bool) -> Iterator[Table | str]:
    """Say what the store holds after a run, and how good it is."""
    dataset, recipes = open_store(prepared.folders.store), prepared.recipes
    if recipes.comparing and complete:
        yield truncation_table(dataset)
    counted = status_counts(dataset)
    if recipes.relaxing and complete and Status.relaxed.name in counted:
        yield summary_table(dataset)
        relaxed, unstable = saddles(dataset)
        if unstable:
            yield (
                f"under {unstable} of {relaxed} fits the reference's core is a saddle (relative_stiffness < 0): their "
                "errors are those of the minimum below it"
            )
    counts = ", ".join(f"{count} {status}" for status, count in counted.items())
    yield f"{prepared.grid.n_points} points: {counts}" if recipes.fitting else "no point was asked for"
