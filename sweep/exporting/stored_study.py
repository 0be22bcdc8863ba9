"""The study behind a store, from what the store itself says: its text, and the hashes of the files it drew on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweep.artefacts import ArtefactFolder
from sweep.exporting.errors import ExportError
from sweep.grid import Block, GridError, grid_of
from sweep.location import StoreLike
from sweep.recipes import Recipes
from sweep.store import open_store, stored_fingerprint
from sweep.store.growth import EARLIER_STUDIES
from sweep.study import StudyError, read_study
from sweep.study.resolved import (
    PotentialFile,
    ResolvedCalculator,
    ResolvedConstants,
    ResolvedLammps,
    ResolvedReference,
)
from sweep.study.training_files import ResolvedTrainingFiles, TrainingFile


def stored_recipes(
    store: StoreLike, block: Block | None = None, folder: ArtefactFolder | None = None
) -> Recipes:
    """Give the recipes of the study that a store was made for, whether its files are still there or not.

    Parameters
    ----------
    store
        The store.
    block, folder
        Of a store that has grown: a block, and where its fit is looked for, among those of the study now and of
        every earlier state of it. A size put before others changes the prefixes that fits are made of.

    Raises
    ------
    ExportError
        If the store does not say what it was made from, or not in a form that this version knows.
    StoreError
        As `sweep.open_store`.
    """
    found = every_state(store)
    if block is None or folder is None:
        return found[0]
    return next((each for each in found if _has(each, block) and folder.has(each.fit(block))), found[0])


def every_state(store: StoreLike) -> list[Recipes]:
    """Give the recipes of a store's study now, then as it was before its axes grew; raises as `stored_recipes`."""
    fingerprint = stored_fingerprint(store)
    try:
        attributes = open_store(store).attrs
        texts = [str(attributes.get("study")), *json.loads(str(attributes.get(EARLIER_STUDIES, "[]")))]
        studies = [read_study(text, str(store)) for text in texts]
        reference = stored_reference(fingerprint["potential"])
        training_files = stored_training_files(fingerprint.get("training_files", {}))
    except (StudyError, KeyError, TypeError) as error:
        first_line = str(error).partition("\n")[0]
        raise ExportError(
            f"{store} does not say in a form that this version knows what it was made from ({first_line}); "
            "use the version that made it"
        ) from error
    return [Recipes(study, grid_of(study), reference, training_files) for study in studies]


def _has(recipes: Recipes, block: Block) -> bool:
    try:
        recipes.grid.index(block)
    except GridError:
        return False
    return True


def stored_reference(potential: Mapping[str, Any]) -> ResolvedReference:
    """Give a reference potential as its recipes know it: by its files' contents, wherever these are now.

    Parameters
    ----------
    potential
        From a fingerprint: what `ResolvedReference.by_names` gave, and ``files``, hashes by name.

    Raises
    ------
    KeyError, TypeError
        If it is none.
    """
    fields = dict(potential)
    # files are words of the commands by their bare names here: these stand for their paths
    files = tuple(PotentialFile(Path(name), sha256) for name, sha256 in fields.pop("files").items())
    kind = fields.pop("kind")
    if kind == "lammps":
        fields["pair_coeff"] = tuple(fields["pair_coeff"])
        return ResolvedLammps(**fields, files=files)
    if kind == "finnis-sinclair":
        return ResolvedConstants(**fields)
    if kind == "ase":
        return ResolvedCalculator(**fields, files=files)
    raise KeyError(f"reference of kind {kind!r}")


def stored_training_files(files: Mapping[str, str]) -> ResolvedTrainingFiles:
    """Give training files as their recipe knows them, from what `ResolvedTrainingFiles.by_names` gave."""
    return ResolvedTrainingFiles(
        tuple(TrainingFile(Path(name), name, sha256) for name, sha256 in files.items())
    )
