"""What runs on a Dask worker: calls into its gang, artefacts written, results journaled before they are told."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from distributed import Client, Worker, WorkerPlugin, get_worker

from sweep.artefacts import ArtefactFolder, Recipe
from sweep.gang import Gang, GangError, GangOptions, log_of
from sweep.grid import Block, Cylinder
from sweep.journal import Journal, JournalReader, RecordIndex
from sweep.records import Record
from sweep.selection import ESTIMATES, Choice, Estimates
from sweep.truncations import TruncationRecord

PLUGIN = "farfield-gang"
# Small artefacts of plain numbers that kernels take as a mapping instead of a path.
BY_VALUE = frozenset({"material"})
# Marks the word of a potential's commands that stands for a file, named by its contents.
CONTENT = "sha256:"


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
        For each worker by its name, the CPUs of its ranks; a worker not named here takes what it is given.
    timeout_s
        Longest a kernel may take, s.
    choice
        Which of a block's estimated points are relaxed; None for all.
    """

    artefacts: Path
    journals: Path
    logs: Path
    compiled: Path
    files: Mapping[str, str]
    ranks: int
    cpus: Mapping[str, tuple[int, ...]]
    timeout_s: float
    choice: Choice | None = None

    def gang_options(self, name: str) -> GangOptions:
        """How to start the gang of the worker of this name."""
        return GangOptions(
            ranks=self.ranks,
            cpus=self.cpus.get(name),
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
        self.journal = Journal.create(self.workplace.journals)
        self.recorded = RecordIndex(JournalReader(self.workplace.journals), keeping=ESTIMATES)
        self.gang = Gang(self.workplace.gang_options(self.label))

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - what Dask calls it with
        """End the gang with the worker."""
        self.gang.close()
        self.journal.close()

    def call(self, function: str, inputs: Mapping[str, Any], attempt: int = 1) -> dict[str, Any]:
        """Run a kernel in the gang, recipes among its inputs given as the paths of their artefacts.

        A further attempt runs on ranks that have served nothing else: what an earlier call left in them may be why
        the first one failed.
        """
        arguments = resolved(inputs, self.folder, self.workplace.files)
        if attempt > 1:
            self.gang.renew()
        try:
            answer = self.gang.call(function, timeout_s=self.workplace.timeout_s, **arguments)
        except GangError as error:
            error.worker = self.label
            raise
        return dict(answer)


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


def resolved(inputs: Mapping[str, Any], folder: ArtefactFolder, files: Mapping[str, str]) -> dict[str, Any]:
    """Turn a recipe's inputs into a kernel's arguments.

    Parameters
    ----------
    inputs
        Plain data and recipes.
    folder
        Where the recipes' artefacts are.
    files
        Paths of files by the hash of their contents.

    Returns
    -------
    dict
        Recipes have become paths (those of `BY_VALUE` the plain values they hold), and words
        ``sha256:…`` the paths of files with those contents.
    """

    def fill(value: Any) -> Any:
        if isinstance(value, Recipe):
            return str(folder.path_of(value))
        if isinstance(value, str):
            return " ".join(_path_of(word, files) for word in value.split(" ")) if CONTENT in value else value
        if isinstance(value, Mapping):
            return {name: fill(part) for name, part in value.items()}
        return [fill(part) for part in value] if isinstance(value, (list, tuple)) else value

    return {
        name: plain_values(folder.read(value))
        if name in BY_VALUE and isinstance(value, Recipe)
        else fill(value)
        for name, value in inputs.items()
    }


def _path_of(word: str, files: Mapping[str, str]) -> str:
    # a word of a calculator's options may look like one and be its own
    return files.get(word, word) if word.startswith(CONTENT) else word


def plain_values(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays of one number or word each as Python's own values."""
    return {name: np.asarray(array).item() for name, array in arrays.items()}


def _plugin() -> GangPlugin:
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
    here = _plugin()
    if not here.folder.has(recipe):
        here.folder.write(recipe, here.call(recipe.function, recipe.inputs, attempt))


def truncation_errors(cylinder: Cylinder, recipe: Recipe, attempt: int) -> None:
    """Record the truncation errors of a cylinder unless they are recorded; the first attempt is 1.

    Raises
    ------
    GangError
        If the kernel failed.
    """
    here, started = _plugin(), time.perf_counter()
    here.recorded.refresh()
    known = here.recorded.truncation(cylinder)
    if known is not None and not known.failed:
        return
    values = here.call(recipe.function, recipe.inputs, attempt)
    status, message = str(values.pop("status")), str(values.pop("message"))
    seconds = time.perf_counter() - started
    here.journal.append(
        TruncationRecord(cylinder, status, values, message=message, worker=here.label, wall_time_s=seconds)
    )


class Estimated(NamedTuple):
    """A block whose fits and estimates are recorded.

    Attributes
    ----------
    statuses
        A word for each weighting.
    chosen
        Weightings to be relaxed; None for all that can be.
    """

    statuses: tuple[str, ...]
    chosen: frozenset[int] | None


def estimate_block(block: Block, recipe: Recipe, attempt: int) -> Estimated:
    """Record a block's fits and estimates unless they are recorded; choose what is relaxed. The first attempt is 1.

    Raises
    ------
    GangError
        If the kernel failed.
    """
    here, started = _plugin(), time.perf_counter()
    here.recorded.refresh()
    record = here.recorded.get(block, None)
    if record is None or record.failed:
        values = here.call(recipe.function, recipe.inputs, attempt)
        statuses = tuple(values.pop("status"))
        seconds = time.perf_counter() - started
        record = Record(block, None, statuses, values, worker=here.label, wall_time_s=seconds)
        here.journal.append(record)
    choice = here.workplace.choice
    if choice is None:
        return Estimated(record.statuses, None)
    mask = choice(block, Estimates.of(record.values, len(record.statuses)))
    return Estimated(record.statuses, frozenset(np.flatnonzero(mask).tolist()))


def relax_points(block: Block, weightings: Sequence[int], recipe: Recipe, attempt: int) -> None:
    """Relax points of one block that are not recorded yet; each is recorded before the next begins.

    Parameters
    ----------
    block
        Their block.
    weightings
        Their weightings' indices.
    recipe
        `kernels.points:relax_point` and its inputs but for the weighting.
    attempt
        How often the first of them is tried now, from 1.

    Raises
    ------
    GangError
        If a kernel failed; the points before it are recorded.
    """
    here = _plugin()
    here.recorded.refresh()
    for weighting in weightings:
        known = here.recorded.get(block, weighting)
        if known is not None and not known.failed:
            continue
        values = here.call(recipe.function, {**recipe.inputs, "weighting": weighting}, attempt)
        attempt = 1
        status, message = str(values.pop("status")), str(values.pop("message"))
        seconds = float(values.pop("wall_time"))
        here.journal.append(
            Record(block, weighting, status, values, message=message, worker=here.label, wall_time_s=seconds)
        )
