"""A recipe's inputs as a kernel's arguments: artefacts as paths or plain values, files where they lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sweep.artefacts import KEY_MARK, ArtefactFolder, Recipe

# Small artefacts of plain numbers that kernels take as a mapping instead of a path.
BY_VALUE = frozenset({"material"})
# Marks the word of a potential's commands that stands for a file, named by its contents.
CONTENT = "sha256:"


def resolved(
    inputs: Mapping[str, Any],
    folder: ArtefactFolder,
    files: Mapping[str, str],
    see: Callable[[Path], None] = lambda _: None,
) -> dict[str, Any]:
    """Turn a recipe's inputs into a kernel's arguments.

    Parameters
    ----------
    inputs
        Plain data and recipes, themselves or by their keys as in `KernelCall`.
    folder
        Where the recipes' artefacts are.
    files
        Paths of files by the hash of their contents.
    see
        Called with each artefact's path before it is read or handed on; what it raises is passed on.

    Returns
    -------
    dict
        Recipes have become paths (those of `BY_VALUE` the plain values they hold), and words
        ``sha256:…`` the paths of files with those contents.
    """

    def seen(artefact: Recipe | str) -> Path:
        path = folder.path_of(artefact)
        see(path)
        return path

    def values_of(artefact: Recipe | str) -> dict[str, Any]:
        seen(artefact)
        return plain_values(folder.read(artefact))

    def fill(value: Any) -> Any:
        if isinstance(value, Recipe):
            return str(seen(value))
        if isinstance(value, str):
            return " ".join(_path_of(word, files) for word in value.split(" ")) if CONTENT in value else value
        if isinstance(value, Mapping):
            if KEY_MARK in value:
                return str(seen(value[KEY_MARK]))
            return {name: fill(part) for name, part in value.items()}
        return [fill(part) for part in value] if isinstance(value, (list, tuple)) else value

    return {
        name: values_of(drawn)
        if name in BY_VALUE and (drawn := _drawn_on(value)) is not None
        else fill(value)
        for name, value in inputs.items()
    }


def _drawn_on(value: Any) -> Recipe | str | None:
    """Give the recipe that an input is, or its key; None for anything else."""
    if isinstance(value, Mapping):
        return value.get(KEY_MARK)
    return value if isinstance(value, Recipe) else None


def _path_of(word: str, files: Mapping[str, str]) -> str:
    # a word of a calculator's options may look like one and be its own
    return files.get(word, word) if word.startswith(CONTENT) else word


def plain_values(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays of one number or word each as Python's own values."""
    return {name: np.asarray(array).item() for name, array in arrays.items()}
