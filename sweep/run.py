"""A run from study file to finished store: refuse, try, lock, set up, work, record, sum up."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from sweep.artefacts import RecipeError
from sweep.clusters import Resources, ResourcesError, local_workers
from sweep.engine import Engine, WorkersLostError
from sweep.gang import Gang, GangError, GangOptions, KernelError
from sweep.grid import Block
from sweep.journal import Journal
from sweep.lock import StoreLockedError, driver_lock
from sweep.plan import Plan
from sweep.prepared import Prepared, StudyChangedError, check_unchanged, prepare
from sweep.progress import RunProgress
from sweep.recipes import RADIAL_EDGES
from sweep.records import Record
from sweep.remaining import Remaining
from sweep.schedule import Failure
from sweep.store import create_store, open_store, write_records
from sweep.store.configurations import configuration_path, write_configuration
from sweep.store.errors import StoreError
from sweep.study import StudyError
from sweep.summary import status_counts, summary_table
from sweep.variables import Status
from sweep.worker import GangPlugin, Workplace, resolved

DONE, SOME_FAILED, INTERRUPTED = 0, 1, 130
# What workers have journaled enters the store this often, s; a killed driver loses nothing, it is merged next time.
COMPACTION_S = 5.0
# Longest a kernel may take before its gang is replaced, s: a hang must end, a large equilibrium must not.
KERNEL_LIMIT_S = 3600.0
TRIAL_LIMIT_S = 300.0

_REFUSALS = (StudyError, StudyChangedError, StoreError, StoreLockedError, ResourcesError, RecipeError)


class RefusedError(ValueError):
    """Input that cannot be run; nothing has been written."""


def forecast(study: Path, *, store: Path | None, artefacts: Path | None) -> Plan:
    """Say what a run would do; nothing is written and no worker started.

    Raises
    ------
    RefusedError
        If the study cannot be run.
    """
    try:
        prepared = prepare(study, store, artefacts)
        if prepared.folders.store.exists():
            check_unchanged(prepared, accept_versions=True)
        return prepared.plan(prepared.remaining(), verify=False)
    except _REFUSALS as error:
        raise RefusedError(str(error)) from error


def run_study(
    study: Path,
    *,
    store: Path | None = None,
    workers: int | None = None,
    ranks: int = 1,
    artefacts: Path | None = None,
    accept_versions: bool = False,
    retry_failed: bool = False,
    output: Console | None = None,
    progress: Console | None = None,
) -> int:
    """Run a study, or what is left of it.

    Parameters
    ----------
    study
        The study file.
    store
        The store; by default ``<study>.zarr`` in the current folder.
    workers, ranks
        Workers on this machine (by default as many as there are CPUs for), and MPI ranks of each one's gang.
    artefacts
        Folder of artefacts; by default in the run folder beside the store.
    accept_versions
        Go on although numerical packages have changed since the store was made.
    retry_failed
        Try points again that are recorded as failed.
    output, progress
        Where results and progress are shown: standard output and standard error.

    Returns
    -------
    int
        Exit status: 0 done, 1 done with failed points, 130 interrupted (and resumable).

    Raises
    ------
    RefusedError
        If the study cannot be run; nothing has been written.
    """
    output = output or Console(soft_wrap=True, highlight=False)
    progress = progress or Console(stderr=True, highlight=False)
    try:
        resources = Resources.of(workers, ranks)
        prepared = prepare(study, store, artefacts)
        if prepared.folders.store.exists():
            check_unchanged(prepared, accept_versions=accept_versions)
        material = _tried_material(prepared)
        with driver_lock(prepared.folders.run):
            _set_up(prepared)
            if material is not None:
                prepared.artefacts.write(prepared.recipes.material, material)
            return _run(prepared, resources, retry_failed, output, progress)
    except _REFUSALS as error:
        raise RefusedError(str(error)) from error


def _tried_material(prepared: Prepared) -> dict[str, object] | None:
    """Try the potential in a gang of its own: None if its material is known already.

    Raises
    ------
    RefusedError
        If LAMMPS does not take the potential, or it holds no stable crystal.
    """
    recipe = prepared.recipes.material
    if prepared.artefacts.has(recipe):
        return None
    arguments = resolved(recipe.inputs, prepared.artefacts, prepared.files)
    try:
        with Gang(GangOptions(ranks=1)) as gang:
            return dict(gang.call(recipe.function, timeout_s=TRIAL_LIMIT_S, **arguments))
    except KernelError as error:
        raise RefusedError(str(prepared.study.refusal(f"reference: {error.reason}"))) from error
    except GangError as error:
        raise RefusedError(str(prepared.study.refusal(f"reference cannot be tried: {error}"))) from error


def _set_up(prepared: Prepared) -> None:
    folders = prepared.folders
    for folder in (folders.artefacts, folders.journals, folders.logs, folders.compiled, folders.scratch):
        folder.mkdir(parents=True, exist_ok=True)
    if not folders.store.exists():
        fingerprint = prepared.fingerprint
        attributes = {
            "study": prepared.study.text,
            "fingerprint": fingerprint,
            "packages": fingerprint["packages"],
        }
        create_store(folders.store, prepared.grid, RADIAL_EDGES, attributes)


def _run(
    prepared: Prepared, resources: Resources, retry_failed: bool, output: Console, progress: Console
) -> int:
    started = time.monotonic()
    remaining = prepared.remaining(retry_failed=retry_failed)
    store = prepared.folders.store
    # journals of a run that was killed may hold what its driver had no time to merge
    write_records(store, remaining.index.records)
    plan = prepared.plan(remaining, verify=True)
    complete = True
    if not plan.nothing_to_do:
        progress.print(
            f"{plan.points_total - plan.points_done} of {plan.points_total} points to do, "
            f"{resources.workers} workers of {resources.ranks} ranks",
            highlight=False,
        )
        complete = _work(prepared, plan, remaining, resources, progress)
    _write_configurations(prepared)
    _sum_up(prepared, output, time.monotonic() - started)
    if not complete:
        output.print("interrupted: run the same command again to go on")
        return INTERRUPTED
    return SOME_FAILED if Status.failed.name in status_counts(open_store(store)) else DONE


def _work(
    prepared: Prepared, plan: Plan, remaining: Remaining, resources: Resources, console: Console
) -> bool:
    """Run a plan on workers; whether everything was done or given up."""
    folders = prepared.folders
    workplace = Workplace(
        artefacts=folders.artefacts,
        journals=folders.journals,
        logs=folders.logs,
        compiled=folders.compiled,
        files=dict(prepared.files),
        ranks=resources.ranks,
        cpus=resources.cpus,
        timeout_s=KERNEL_LIMIT_S,
    )
    with (
        Journal.create(folders.journals) as journal,
        local_workers(resources, folders.scratch) as client,
        _stopping_on_interrupt() as stopping,
        RunProgress(plan, console) as watch,
    ):
        client.register_plugin(GangPlugin(workplace))

        def record_failure(failure: Failure) -> None:
            console.print(f"failed: {failure.block.key}: {failure.message.splitlines()[0]}", markup=False)
            for record in _failure_records(prepared, failure):
                journal.append(record)

        compaction = _Compaction(folders.store, remaining)
        engine = Engine(
            client,
            resources.workers,
            plan,
            record_failure=record_failure,
            left_of=compaction.left_of,
            watch=watch,
            idle=compaction.now_and_then,
        )
        try:
            return engine.run(stopping)
        except WorkersLostError as error:
            console.print(str(error), markup=False)
            return False
        finally:
            compaction.run()


class _Compaction:
    """Takes what the workers have journaled into the store, now and then."""

    def __init__(self, store: Path, remaining: Remaining) -> None:
        self._store, self._remaining = store, remaining
        self._last = time.monotonic()

    def run(self) -> None:
        """Merge everything that is new."""
        self._last = time.monotonic()
        records = self._remaining.index.refresh()
        if records:
            write_records(self._store, records)

    def now_and_then(self) -> None:
        """Merge if it has been a while."""
        if time.monotonic() - self._last > COMPACTION_S:
            self.run()

    def left_of(self, block: Block, weightings: tuple[int, ...]) -> tuple[int, ...]:
        """Of some points, those that no journal has, as of now."""
        self.run()
        return self._remaining.left_of(block, weightings)


def _failure_records(prepared: Prepared, failure: Failure) -> Iterator[Record]:
    if failure.weightings:
        for weighting in failure.weightings:
            yield Record(
                failure.block, weighting, Status.failed.name, {}, message=failure.message, worker="driver"
            )
        return
    statuses = tuple(
        Status.excluded.name if weighting.excluded else Status.failed.name
        for weighting in prepared.grid.weightings()
    )
    yield Record(failure.block, None, statuses, {}, message=failure.message, worker="driver")


@contextmanager
def _stopping_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C finish what runs, and the second stop at once; both leave a run that can be resumed."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's signature
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


def _write_configurations(prepared: Prepared) -> None:
    """Keep each reference equilibrium in the store, so that cores can be drawn."""
    store, artefacts = prepared.folders.store, prepared.artefacts
    for dislocation in prepared.study.dislocations:
        for radius in prepared.study.axes.simulation_radius:
            recipe = prepared.recipes.equilibrium(dislocation, radius)
            if (store / configuration_path(dislocation, radius)).exists() or not artefacts.has(recipe):
                continue
            state = artefacts.read(recipe)
            arrays = {
                "sites": state["sites"],
                "displacement_predictor": state["predictor"],
                "displacement_corrector": state["corrector"],
                "free": state["free"],
            }
            write_configuration(store, dislocation, radius, arrays)


def _sum_up(prepared: Prepared, output: Console, seconds: float) -> None:
    dataset = open_store(prepared.folders.store)
    counts = ", ".join(f"{count} {status}" for status, count in status_counts(dataset).items())
    if prepared.recipes.relaxing:
        output.print(summary_table(dataset))
    output.print(f"{prepared.grid.n_points} points: {counts}; {seconds:.1f} s", markup=False)
    output.print(f"store: {prepared.folders.store}", markup=False)
