"""What a user may have got wrong, tried in a gang of its own before anything is written."""

from __future__ import annotations

import json
from typing import Any

from sweep.artefacts import Recipe
from sweep.gang import Gang, GangDied, GangError, GangOptions, KernelError, LaunchError
from sweep.kernel_arguments import plain_values, resolved
from sweep.measured import ATTRIBUTE, collision
from sweep.prepared import Prepared
from sweep.source_files import SourceChangedError, SourceFiles
from sweep.store import open_store

# Longest the potential may take for one crystal, s, and the reading of the training files, which may be long.
POTENTIAL_LIMIT_S, FILES_LIMIT_S = 300.0, 3600.0
DECLARATIONS = "kernels.declarations:declarations"
# A gang that dies may have been killed by someone; if the study is to blame, the next one dies as well.
ATTEMPTS = 2


def try_inputs(prepared: Prepared) -> list[tuple[Recipe, dict[str, Any]]]:
    """Try the potential, and read the training files, unless what comes of that is known already.

    Parameters
    ----------
    prepared
        The study.

    Returns
    -------
    list of (Recipe, dict)
        What was made, to be written once the store may be: nothing of it is done twice.

    Raises
    ------
    StudyError
        If the potential is not taken or holds no stable crystal, or a label in a training file cannot be used: the
        message is the kernel's, with file, frame and key.
    """
    recipes = prepared.recipes
    material: dict[str, Any] = {}
    made: list[tuple[Recipe, dict[str, Any]]] = []
    with Gang(GangOptions(ranks=1)) as gang:
        if not prepared.artefacts.has(recipes.material):
            try:
                with SourceFiles(prepared.sources).unchanged(recipes.material.inputs):
                    material = _tried(prepared, gang, recipes.material, {}, "reference", POTENTIAL_LIMIT_S)
            except SourceChangedError as error:
                raise prepared.study.refusal(f"reference: {error.message}") from error
            made.append((recipes.material, material))
        if recipes.files_set is not None and not prepared.artefacts.has(recipes.files_set):
            # the material may not be written yet
            instead = {"material": plain_values(material)} if material else {}
            read = _tried(prepared, gang, recipes.files_set, instead, "training.files", FILES_LIMIT_S)
            # they go by the hash of what they held when the study was read
            if changed := prepared.training_files.changed():
                raise prepared.study.refusal(
                    f"training.files: {changed[0]} was edited while it was read; run again when it is as it should be"
                )
            made.append((recipes.files_set, read))
    return made


def declared_measures(prepared: Prepared) -> dict[str, list[list[str]]]:
    """Say what the user's own measures declare: each function's lists of name, units and long name.

    Parameters
    ----------
    prepared
        The study, compared with its store where there is one.

    Returns
    -------
    dict
        As the store has it, where there is one; empty where there are no measures.

    Raises
    ------
    StudyError
        If a function cannot be imported, does not declare what it measures, or gives a name that is taken.
    """
    functions = [measure.function for measure in prepared.measures]
    if not functions:
        return {}
    if prepared.folders.store.exists():
        known: dict[str, list[list[str]]] = json.loads(
            str(open_store(prepared.folders.store).attrs[ATTRIBUTE])
        )
        return known
    with Gang(GangOptions(ranks=1)) as gang:
        declared = _called(
            prepared, gang, DECLARATIONS, {"functions": functions}, "measures", POTENTIAL_LIMIT_S
        )
    if wrong := collision(declared):
        raise prepared.study.refusal(f"measures: {wrong}")
    return declared


def _tried(
    prepared: Prepared, gang: Gang, recipe: Recipe, instead: dict[str, Any], field: str, limit_s: float
) -> dict[str, Any]:
    """Run a recipe's kernel, or refuse the study for the field that it tries."""
    arguments = resolved({**recipe.inputs, **instead}, prepared.artefacts, prepared.files)
    return _called(prepared, gang, recipe.function, arguments, field, limit_s)


def _called(
    prepared: Prepared, gang: Gang, function: str, arguments: dict[str, Any], field: str, limit_s: float
) -> dict[str, Any]:
    """Call a kernel, or refuse the study for the field that it tries."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return dict(gang.call(function, timeout_s=limit_s, **arguments))
        except KernelError as error:
            raise prepared.study.refusal(f"{field}: {error.reason}") from error
        except GangError as error:
            if attempt == ATTEMPTS or not isinstance(error, (GangDied, LaunchError)):
                raise prepared.study.refusal(f"{field} cannot be tried: {error}") from error
    raise AssertionError("every attempt returns or raises")
