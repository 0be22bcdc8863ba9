"""A study made ready: read, checked, its potential found, its store compared, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweep.artefacts import ArtefactFolder
from sweep.fingerprint import digest, fingerprint, installed_packages
from sweep.grid import Grid, grid_of
from sweep.identity import Identity
from sweep.kernel_versions import KERNEL_VERSIONS
from sweep.location import FolderLocation, Location, StoreLike, location_of
from sweep.measured import Declarations, Measure
from sweep.plan import Plan, plan_study
from sweep.recipes import Recipes
from sweep.remaining import Remaining
from sweep.selection import Choice, SampledPoints
from sweep.store import open_store
from sweep.study import Study, load_study, read_study
from sweep.study.availability import check_available
from sweep.study.measures import ResolvedMeasure, find_measures
from sweep.study.potentials import find_potential_files
from sweep.study.resolved import ResolvedReference
from sweep.study.sections import Fidelity, Sampled
from sweep.study.training_files import NO_TRAINING_FILES, ResolvedTrainingFiles, find_training_files
from sweep.transfers.made_from import transfer, untransferred


@dataclass(frozen=True)
class Folders:
    """Where a run keeps what: the store, and beside it everything else.

    Parameters
    ----------
    store
        The Zarr store, in a folder or at a URL.
    run
        Everything of a run but its store and shared artefacts: on a file system that all workers share.
    artefacts
        Folder of artefacts, which studies may share.
    """

    store: Location
    run: Path
    artefacts: Path

    @classmethod
    def of(
        cls, study: Study, store: StoreLike | None, artefacts: Path | None, run: Path | None = None
    ) -> Folders:
        """Name the folders: by default ``<study>.zarr`` in the current folder, artefacts in its run folder."""
        chosen = location_of(f"{study.study}.zarr" if store is None else store)
        if not chosen.name:
            raise study.refusal(
                f"--store {store} is no name for a store; give one such as {study.study}.zarr"
            )
        chosen.must_be_writable()
        run = chosen.run_folder if run is None else run.resolve()
        return cls(chosen, run, run / "artefacts" if artefacts is None else artefacts.resolve())

    @property
    def journals(self) -> Path:
        """Folder of the workers' journals."""
        return self.run / "journals"

    @property
    def logs(self) -> Path:
        """Folder of the gangs' logs."""
        return self.run / "logs"

    @property
    def compiled(self) -> Path:
        """Folder of compiled JAX programs, one below it for each gang."""
        return self.run / "compiled"

    @property
    def scratch(self) -> Path:
        """Folder for what Dask writes."""
        return self.run / "scratch"


@dataclass(frozen=True)
class Prepared:
    """Everything about a study that a plan or a run starts from.

    Parameters
    ----------
    study, grid, reference, recipes
        The study, its grid, its reference potential, and what its artefacts are made from.
    folders
        Where things are kept.
    training_files
        The user's own training configurations.
    choice
        Which estimated points are relaxed; None for all.
    stage_ranks
        MPI ranks of the gangs of stages that have others than the run.
    measures
        The user's own measures of relaxed cores.
    declared
        What they declare to measure, by function, once that is known.
    """

    study: Study
    grid: Grid
    reference: ResolvedReference
    recipes: Recipes
    folders: Folders
    training_files: ResolvedTrainingFiles = NO_TRAINING_FILES
    choice: Choice | None = None
    stage_ranks: Mapping[str, int] = field(default_factory=dict)
    measures: tuple[ResolvedMeasure, ...] = ()
    declared: Declarations = field(default_factory=dict)

    @property
    def artefacts(self) -> ArtefactFolder:
        """The folder of artefacts."""
        return ArtefactFolder(self.folders.artefacts)

    @property
    def files(self) -> Mapping[str, str]:
        """Files as kernels are to be given them, by the hash of their contents: the potential's, and training data."""
        return self.training_files.paths_by_contents() | self.reference.paths_by_contents()

    @property
    def measuring(self) -> tuple[Measure, ...]:
        """The user's own measures as workers call them."""
        return tuple(
            Measure(each.function, each.options, tuple(name for name, _, _ in self.declared[each.function]))
            for each in self.measures
        )

    @property
    def sources(self) -> Mapping[str, Path]:
        """Where those files lie, by what stands for their contents."""
        training = {file.placeholder: file.path for file in self.training_files.files}
        return training | {file.placeholder: file.path for file in self.reference.files}

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What the study's numbers depend on."""
        return fingerprint(
            self.study,
            self.reference,
            KERNEL_VERSIONS,
            installed_packages(),
            self.training_files,
            self.measures,
        )

    @property
    def identity(self) -> Identity:
        """Which study this is: what its numbers and their places depend on."""
        return Identity.of(self.fingerprint, self.grid)

    @property
    def digest(self) -> str:
        """What the keys of its artefacts follow from, in 64 hexadecimal digits."""
        identity = self.identity
        return digest(
            {"fingerprint": identity.fingerprint, "axes": identity.axes, "points": self.study.points}
        )

    def remaining(self, *, retry_failed: bool = False) -> Remaining:
        """Give what the store and the journals lack."""
        return Remaining(
            self.grid,
            self.folders.store,
            self.folders.journals,
            relaxing=self.recipes.relaxing,
            choice=self.choice,
            retry_failed=retry_failed,
        )

    def check_unchanged(self, *, accept_versions: bool) -> bool:
        """Compare with the store and the run folder that are there; whether packages differ.

        Raises
        ------
        StudyChangedError
            As `sweep.identity.Identity.check_same`.
        """
        identity, differ, store = self.identity, False, self.folders.store
        if store.exists():
            differ |= identity.check_same(Identity.of_store(store), store, accept_versions=accept_versions)
        earlier = Identity.of_run(self.folders.run)
        if earlier is not None:
            differ |= identity.check_same(earlier, self.folders.run, accept_versions=accept_versions)
        return differ

    def plan(self, remaining: Remaining, *, verify: bool, artefacts: ArtefactFolder | None = None) -> Plan:
        """Give what is left to do, with the artefacts of another folder where one is given."""
        return plan_study(
            self.recipes,
            artefacts or self.artefacts,
            remaining,
            verify=verify,
            points_failed=remaining.failed,
            cylinders=remaining.cylinders() if self.recipes.comparing else (),
            transfers=[
                transfer(self.recipes, *each) for each in untransferred(self.recipes, self.folders.store)
            ],
        )


def prepare(
    path: StoreLike,
    store: StoreLike | None,
    artefacts: Path | None,
    fidelity: Fidelity | None = None,
    *,
    run_folder: Path | None = None,
) -> Prepared:
    """Read and check a study and find its potential's files; nothing is written.

    Parameters
    ----------
    path
        The study file; or a store, which stands for the study that it was made for, its files being looked for beside
        it (in the current folder where it is at a URL).
    store, artefacts, run_folder
        As given by the user; None for the defaults.
    fidelity
        In place of the study's own.

    Raises
    ------
    StudyError
        If the study cannot be run.
    PotentialError
        If a potential file is missing.
    TrainingFilesError
        If a training file is missing.
    """
    study, folder = _study_at(path)
    if fidelity is not None:
        study = study.model_copy(update={"fidelity": fidelity})
    check_available(study)
    reference, training_files = find_potential_files(study, folder), find_training_files(study, folder)
    measures, grid = find_measures(study, folder), grid_of(study)
    recipes = Recipes(study, grid, reference, training_files)
    folders = Folders.of(study, store, artefacts, run_folder)
    return Prepared(
        study, grid, reference, recipes, folders, training_files, choice_of(study, grid), measures=measures
    )


def _study_at(path: StoreLike) -> tuple[Study, Path]:
    """Read a study file, or the study that a store keeps, and say where its files are looked for first."""
    location = location_of(path)
    if isinstance(location, FolderLocation) and not location.path.is_dir():
        file = Path(path)
        return load_study(file), file.absolute().parent
    return read_study(str(open_store(location).attrs["study"]), location.name), location.folder


def choice_of(study: Study, grid: Grid) -> Choice | None:
    """Say which estimated points a study's fidelity relaxes; None where it does not choose among them."""
    relax = study.fidelity.relax
    if not isinstance(relax, Sampled):
        return None
    return SampledPoints(study.seed, grid.weightings(), relax.sample, relax.above)
