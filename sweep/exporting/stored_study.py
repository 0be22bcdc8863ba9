"""The study behind a store, from what the store itself says: its text, and the hashes of the files it drew on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweep.exporting.errors import ExportError
from sweep.grid import grid_of
from sweep.recipes import Recipes
from sweep.store import open_store, stored_fingerprint
from sweep.study import StudyError, read_study
from sweep.study.resolved import (
    PotentialFile,
    ResolvedCalculator,
    ResolvedConstants,
    ResolvedLammps,
    ResolvedReference,
)
from sweep.study.training_files import ResolvedTrainingFiles, TrainingFile


def stored_recipes(store: Path) -> Recipes:
    """Give the recipes of the study that a store was made for, whether its files are still there or not.

    Raises
    ------
    ExportError
        If the store does not say what it was made from, or not in a form that this version knows.
    StoreError
        As `sweep.open_store`.
    """
    fingerprint = stored_fingerprint(store)
    try:
        study = read_study(str(open_store(store).attrs.get("study")), str(store))
        reference = stored_reference(fingerprint["potential"])
        training_files = stored_training_files(fingerprint.get("training_files", {}))
    except (StudyError, KeyError, TypeError) as error:
        first_line = str(error).partition("\n")[0]
        raise ExportError(
            f"{store} does not say in a form that this version knows what it was made from ({first_line}); "
            "use the version that made it"
        ) from error
    return Recipes(study, grid_of(study), reference, training_files)


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
