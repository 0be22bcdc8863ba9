"""A study made ready: read, checked, its potential found, its store compared, before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sweep.artefacts import ArtefactFolder
from sweep.fingerprint import differences, fingerprint, installed_packages
from sweep.grid import Grid, grid_of
from sweep.plan import Plan, plan_study
from sweep.recipes import KERNEL_VERSIONS, Recipes
from sweep.remaining import Remaining
from sweep.store import open_store, stored_fingerprint
from sweep.study import Study, load_study
from sweep.study.availability import check_available
from sweep.study.potentials import ResolvedReference, find_potential_files


class StudyChangedError(ValueError):
    """A study that is no longer the one its store was made for."""


@dataclass(frozen=True)
class Folders:
    """Where a run keeps what: the store, and beside it everything else.

    Parameters
    ----------
    store
        The Zarr store.
    artefacts
        Folder of artefacts, which studies may share.
    """

    store: Path
    artefacts: Path

    @classmethod
    def of(cls, study: Study, store: Path | None, artefacts: Path | None) -> Folders:
        """Name the folders: by default ``<study>.zarr`` in the current folder, artefacts in its run folder."""
        chosen = Path(f"{study.study}.zarr") if store is None else store
        chosen = chosen.absolute()
        run = chosen.with_name(chosen.name + ".run")
        return cls(chosen, run / "artefacts" if artefacts is None else artefacts.absolute())

    @property
    def run(self) -> Path:
        """Everything of a run but its store and shared artefacts."""
        return self.store.with_name(self.store.name + ".run")

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
    """

    study: Study
    grid: Grid
    reference: ResolvedReference
    recipes: Recipes
    folders: Folders

    @property
    def artefacts(self) -> ArtefactFolder:
        """The folder of artefacts."""
        return ArtefactFolder(self.folders.artefacts)

    @property
    def files(self) -> Mapping[str, str]:
        """The potential's files as LAMMPS is to be given them, by the hash of their contents."""
        return self.reference.paths_by_contents()

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What the study's numbers depend on."""
        return fingerprint(self.study, self.reference, KERNEL_VERSIONS, installed_packages())

    def remaining(self, *, retry_failed: bool = False) -> Remaining:
        """Give what the store and the journals lack."""
        return Remaining(
            self.grid,
            self.folders.store,
            self.folders.journals,
            relaxing=self.recipes.relaxing,
            retry_failed=retry_failed,
        )

    def plan(self, remaining: Remaining, *, verify: bool) -> Plan:
        """Give what is left to do."""
        return plan_study(self.recipes, self.artefacts, remaining, verify=verify)


def prepare(path: Path, store: Path | None, artefacts: Path | None) -> Prepared:
    """Read and check a study and find its potential's files; nothing is written.

    Parameters
    ----------
    path
        The study file.
    store, artefacts
        As given by the user; None for the defaults.

    Raises
    ------
    StudyError
        If the study cannot be run.
    PotentialError
        If a potential file is missing.
    """
    study = load_study(path)
    check_available(study)
    reference = find_potential_files(study, path.absolute().parent)
    grid = grid_of(study)
    return Prepared(
        study, grid, reference, Recipes(study, grid, reference), Folders.of(study, store, artefacts)
    )


def check_unchanged(prepared: Prepared, *, accept_versions: bool) -> None:
    """Compare a study with the store it is to go on with.

    Parameters
    ----------
    prepared
        The study; its store exists.
    accept_versions
        Let packages differ.

    Raises
    ------
    StudyChangedError
        If anything that changes numbers differs, or the axes do; the message names it with both values.
    StoreError
        If the store is none of ours.
    """
    store = prepared.folders.store
    changed = differences(stored_fingerprint(store), prepared.fingerprint)
    versions = [field for field in changed if field.startswith("packages.")]
    others = [field for field in changed if field not in versions]
    if others:
        raise StudyChangedError(
            f"{store} was made for another study: {'; '.join(others)}. Undo the change, or name another store "
            "with --store; artefacts that still hold are found with --artefacts"
        )
    if versions and not accept_versions:
        raise StudyChangedError(
            f"{store} was made with other packages: {'; '.join(versions)}. Install those again, or go on "
            "with --accept-versions"
        )
    dataset = open_store(store)
    for axis in prepared.grid.axes:
        stored = dataset[axis.name].values.tolist()
        if not _same_labels(stored, list(axis.values)):
            raise StudyChangedError(
                f"{store} has {axis.name} {stored}, the study {list(axis.values)}: this version cannot change the "
                "axes of a store; name another with --store, and the same --artefacts so that nothing is made twice"
            )


def _same_labels(stored: list[Any], wanted: list[Any]) -> bool:
    if len(stored) != len(wanted):
        return False
    if any(isinstance(label, str) for label in (*stored, *wanted)):
        return stored == wanted
    return bool(np.array_equal(np.asarray(stored, float), np.asarray(wanted, float)))
