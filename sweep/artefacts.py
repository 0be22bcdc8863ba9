"""Content-addressed files: results named by the recipe that makes them, so that none is made twice."""

from __future__ import annotations

import hashlib
import json
import math
import numbers
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sweep.artefact_file import ContentsError, read_contents, write_contents
from sweep.durable import make_folder, sync_path
from sweep.leftovers import hold, remove_abandoned, temporary_beside

KEY_DIGITS = 40
#: In plain data, what marks a mapping that stands for a recipe: its one value is the recipe's key.
KEY_MARK = "__key__"

_KEY = re.compile(rf"[0-9a-f]{{{KEY_DIGITS}}}")
_ARRAY_KINDS = "biufcSU"


class RecipeError(ValueError):
    """A recipe that has no definite key."""


class ArtefactDamagedError(ValueError):
    """An artefact that does not hold what was written to it; it has been moved aside."""


class PlainList(list[Any]):
    """Numbers, strings and lists of these in the definite form that recipes give them: many share one, uncopied."""

    @classmethod
    def of(cls, values: list[Any]) -> PlainList:
        """Bring a list into that form, once; raises as `Recipe` does."""
        return cls(_plain(values, "recipe: inputs"))


# What a large plan has by the hundred thousand is not looked at twice.
_AS_THEY_ARE = frozenset({type(None), str, bool, int, PlainList})


class KernelCall(NamedTuple):
    """A kernel and its inputs, the recipes it draws on by their keys: what a worker needs to know to run it.

    Attributes
    ----------
    function
        The kernel as ``"module:function"``.
    inputs
        Plain data; ``{"__key__": key}`` stands for an artefact.
    """

    function: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Recipe:
    """What an artefact is made from: a function, its version, and its inputs.

    The key hashes the recipe, never the computed bytes, so it is known before the work is done and does not
    depend on where or on how many ranks it is done. Equal numbers give equal keys, whether written 25 or
    25.0.

    Parameters
    ----------
    function
        The function that makes the artefact, as ``"module:function"``.
    version
        Its version, raised by hand whenever it gives other numbers; at least 1.
    inputs
        Its inputs by name: None, bools, finite numbers, strings, lists and mappings of these, and recipes of
        the artefacts it reads.

    Raises
    ------
    RecipeError
        If an input has no definite JSON form (NaN, infinity, an array, a path, a key that is not a plain
        string).

    Examples
    --------
    >>> cluster = Recipe("kernels.dislocations:cylinder", 1, {"radius": 25})
    >>> cluster == Recipe("kernels.dislocations:cylinder", 1, {"radius": 25.0})
    True
    >>> Recipe("kernels.references:relax", 1, {"start": cluster}).key == cluster.key
    False
    """

    function: str
    version: int
    inputs: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        module, separator, name = self.function.partition(":")
        if not (module and separator and name):
            raise RecipeError(f"recipe: function is {self.function!r}; write it as 'module:function'")
        if isinstance(self.version, bool) or not isinstance(self.version, int) or self.version < 1:
            raise RecipeError(
                f"recipe {self.function}: version is {self.version!r}; give a whole number from 1"
            )
        object.__setattr__(self, "inputs", _plain(self.inputs, f"recipe {self.function}: inputs"))

    @cached_property
    def key(self) -> str:
        """The artefact's name: 40 hexadecimal digits of the SHA-256 of the recipe."""
        text = json.dumps(self.document, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]

    @property
    def text(self) -> str:
        """The recipe for people: indented JSON, every recipe that it draws on written out once, by key."""
        drawn_on: dict[str, Any] = {}
        pending = _recipes_in(self.inputs)
        while pending:
            recipe = pending.pop()
            if recipe.key not in drawn_on:
                drawn_on[recipe.key] = recipe.document
                pending += _recipes_in(recipe.inputs)
        return json.dumps({**self.document, "draws_on": drawn_on}, indent=1, sort_keys=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipe) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def call(self) -> KernelCall:
        """The kernel and its inputs, without what the artefacts it draws on are made from."""
        return KernelCall(self.function, _by_key(self.inputs))

    @property
    def document(self) -> dict[str, Any]:
        """The recipe as plain data, the keys of the recipes it draws on in their places."""
        return {"function": self.function, "version": self.version, "inputs": _by_key(self.inputs)}


class ArtefactFolder:
    """A folder of artefacts, which several studies and many processes may share.

    Each artefact is one plain ``.npz`` at ``KK/KEY.npz``, KK the key's first two digits: the arrays by
    name, and two reserved entries, ``__recipe__`` (JSON) and ``__checksum__`` (SHA-256 of the arrays).
    `numpy.load` reads it.

    Parameters
    ----------
    path
        The folder; made when the first artefact is written.

    Examples
    --------
    >>> import tempfile
    >>> recipe = Recipe("kernels.materials:elastic_constants", 1, {"element": "W"})
    >>> with tempfile.TemporaryDirectory() as path:
    ...     folder = ArtefactFolder(path)
    ...     _ = folder.write(recipe, {"moduli": np.array([517.7, 194.5, 144.3])})
    ...     folder.has(recipe), folder.read(recipe)["moduli"].tolist()
    (True, [517.7, 194.5, 144.3])
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._verified: dict[str, tuple[int, int, int]] = {}

    def path_of(self, recipe: Recipe | str) -> Path:
        """Say where a recipe's artefact is, or will be.

        Parameters
        ----------
        recipe
            The recipe, or its key.

        Raises
        ------
        RecipeError
            If a string is given that is not a key.
        """
        key = recipe if isinstance(recipe, str) else recipe.key
        if not _KEY.fullmatch(key):
            raise RecipeError(f"{key!r} is not an artefact's key: {KEY_DIGITS} hexadecimal digits")
        return self.path / key[:2] / f"{key}.npz"

    def has(self, recipe: Recipe | str, *, verify: bool = True) -> bool:
        """Say whether an artefact is there and whole.

        Parameters
        ----------
        recipe
            The recipe, or its key.
        verify
            Read it and check its checksum, once for each state of the file; a damaged one is moved aside.
            Without, only the file's presence counts, which suffices for a forecast.
        """
        path = self.path_of(recipe)
        if not verify or not path.exists():
            return path.exists()
        if self._verified.get(path.stem) == _state(path):
            return True
        try:
            self.read(recipe)
        except (ArtefactDamagedError, FileNotFoundError):
            return False
        return True

    def write(self, recipe: Recipe, arrays: Mapping[str, Any]) -> Path:
        """Write an artefact, unless it is there already: the first complete writer wins.

        The file appears under its name only when it is whole and on the disk.

        Parameters
        ----------
        recipe
            What the arrays were made from.
        arrays
            Arrays (or what NumPy makes arrays of) by name; numbers, bools and strings, no objects.

        Returns
        -------
        pathlib.Path
            Where the artefact is.

        Raises
        ------
        ValueError
            If an array cannot be stored, or has a name that is reserved or no identifier.
        OSError
            If the file cannot be written; nothing is left behind.
        """
        contents = {name: _storable(recipe, name, array) for name, array in arrays.items()}
        path = self.path_of(recipe)
        if self.has(recipe):
            return path
        make_folder(path.parent)
        temporary = temporary_beside(path)
        try:
            with temporary.open("xb") as file:
                hold(file.fileno())
                write_contents(file, recipe.text, contents)
                file.flush()
                os.fsync(file.fileno())
            _name_first(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_path(path.parent)
        return path

    def read(self, recipe: Recipe | str) -> dict[str, np.ndarray]:
        """Read an artefact and check that it holds what was written.

        Returns
        -------
        dict
            The arrays by name.

        Raises
        ------
        FileNotFoundError
            If there is no such artefact.
        ArtefactDamagedError
            If its checksum differs or it cannot be read; it is moved aside, and so can be made again.
        """
        path = self.path_of(recipe)
        name = f"{recipe.function} ({recipe.key})" if isinstance(recipe, Recipe) else recipe
        try:
            state = _state(path)
            contents = read_contents(path)
        except FileNotFoundError:
            raise FileNotFoundError(f"no artefact of {name} at {path}; it has to be made") from None
        except ContentsError as error:
            aside = _move_aside(path)
            raise ArtefactDamagedError(
                f"artefact of {name} is damaged ({error}); it is now {aside}: make it again"
            ) from error
        self._verified[path.stem] = state
        return contents

    def remove_leftovers(self) -> list[Path]:
        """Remove what killed writers left unfinished, and say what that was; others may be writing meanwhile."""
        return remove_abandoned(self.path.glob("??/.*.tmp"))


def _plain(value: Any, where: str) -> Any:
    """Copy a recipe's inputs in their one definite form."""
    if type(value) in _AS_THEY_ARE:
        return value
    if value is None or isinstance(value, (str, bool, Recipe)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(part, f"{where}[{index}]") for index, part in enumerate(value)]
    if isinstance(value, (dict, Mapping)):
        for name in value:
            if not isinstance(name, str) or name.startswith("__"):
                raise RecipeError(
                    f"{where} has the key {name!r}; use strings that do not start with two underscores"
                )
        return {name: _plain(part, f"{where}.{name}") for name, part in value.items()}
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (int, numbers.Integral)):
        return int(value)
    if isinstance(value, (float, numbers.Real)):
        number = float(value)
        if not math.isfinite(number):
            raise RecipeError(f"{where} is {number}, which equals nothing; give a finite number")
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    raise RecipeError(
        f"{where} is a {type(value).__name__} ({value!r}); use numbers, strings, lists, mappings or recipes"
    )


def _by_key(value: Any) -> Any:
    """Put keys in the place of recipes."""
    kind = type(value)
    if kind in _AS_THEY_ARE or kind is float:
        return value
    if isinstance(value, Recipe):
        return {KEY_MARK: value.key}
    if isinstance(value, dict):
        return {name: _by_key(part) for name, part in value.items()}
    return [_by_key(part) for part in value] if isinstance(value, list) else value


def _recipes_in(value: Any) -> list[Recipe]:
    if isinstance(value, Recipe):
        return [value]
    if type(value) in _AS_THEY_ARE:
        return []
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [recipe for part in parts for recipe in _recipes_in(part)]


def _storable(recipe: Recipe, name: str, array: Any) -> np.ndarray:
    stored: np.ndarray = np.asarray(array)
    if not name.isidentifier() or name.startswith("__"):
        raise ValueError(
            f"artefact of {recipe.function}: {name!r} cannot name an array; use an identifier "
            "that does not start with two underscores"
        )
    if stored.dtype.kind not in _ARRAY_KINDS:
        raise ValueError(
            f"artefact of {recipe.function}: {name} has dtype {stored.dtype}, which needs pickling; "
            "store numbers, bools or strings"
        )
    return stored


def _name_first(temporary: Path, path: Path) -> None:
    """Give a complete file its name, unless another writer was first."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return
    except OSError:
        # A file system without hard links: the last of two simultaneous writers wins, with equal contents.
        temporary.rename(path)


def _move_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    # Another reader may have moved it already.
    if path.exists():
        path.rename(aside)
    return aside


def _state(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
