"""A recipe's inputs as a kernel's arguments: artefacts as paths or plain values, files where they lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sweep.artefacts import KEY_MARK, ArtefactFolder, Recipe

# Small artefacts of plain numbers that kernels take as a mapping instead of a path.
BY_VALUE = frozenset({"material"})
# Marks the word of a potential's commands that stands for a file, named by its contents.
CONTENT = "sha256:"


def resolved(inputs: Mapping[str, Any], folder: ArtefactFolder, files: Mapping[str, str]) -> dict[str, Any]:
    """Turn a recipe's inputs into a kernel's arguments.

    Parameters
    ----------
    inputs
        Plain data and recipes, themselves or by their keys as in `KernelCall`.
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
            if KEY_MARK in value:
                return str(folder.path_of(value[KEY_MARK]))
            return {name: fill(part) for name, part in value.items()}
        return [fill(part) for part in value] if isinstance(value, (list, tuple)) else value

    return {
        name: plain_values(folder.read(drawn))
        if name in BY_VALUE and (drawn := _drawn_on(value)) is not None
        else fill(value)
        for name, value in inputs.items()
    }


def drawn_on(inputs: Mapping[str, Any]) -> Iterator[Recipe | str]:
    """Give the recipes, or keys of such, among a recipe's inputs.

    Examples
    --------
    >>> elastic = Recipe("kernels.materials:elastic_constants", 1, {"element": "W"})
    >>> call = Recipe("kernels.fitting:fit_block", 1, {"parts": [elastic], "degree": 6}).call
    >>> list(drawn_on(call.inputs)) == [elastic.key]
    True
    """
    for value in inputs.values():
        yield from _each_drawn_on(value)


def _each_drawn_on(value: Any) -> Iterator[Recipe | str]:
    if (recipe := _drawn_on(value)) is not None:
        yield recipe
    elif isinstance(value, Mapping):
        yield from drawn_on(value)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _each_drawn_on(part)


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
