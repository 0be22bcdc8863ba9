"""The file of an artefact: a plain ``.npz`` that carries its recipe and a checksum."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

RECIPE_ENTRY = "__recipe__"
CHECKSUM_ENTRY = "__checksum__"

# What zipfile and NumPy raise on bytes that were changed.
_DAMAGE = (
    ValueError,
    KeyError,
    EOFError,
    RuntimeError,
    OverflowError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)


class ContentsError(ValueError):
    """A file that does not hold what was written to it."""


def write_contents(file: IO[bytes], recipe_text: str, contents: Mapping[str, np.ndarray]) -> None:
    """Write arrays, their recipe and a checksum of all that as an uncompressed ``.npz``.

    Parameters
    ----------
    file
        Open for writing, at its beginning.
    recipe_text
        The recipe for people, kept as the entry ``__recipe__``.
    contents
        Arrays by name, none of objects.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    reserved = {
        RECIPE_ENTRY: np.array(recipe_text),
        CHECKSUM_ENTRY: np.array(_checksum(recipe_text, contents)),
    }
    # Not np.savez, which takes arrays as keyword arguments and so loses one that is called "file".
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in {**contents, **reserved}.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


def read_contents(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of an artefact's file and check them.

    Raises
    ------
    ContentsError
        If the file is not what `write_contents` wrote.
    OSError
        If it cannot be read at all.
    """
    try:
        # The zip's own checksums first, so that no damaged header is ever interpreted.
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is None:
            with np.load(path, allow_pickle=False) as arrays:
                contents = {name: np.asarray(arrays[name]) for name in arrays.files}
            recipe_text = str(contents.pop(RECIPE_ENTRY))
            checksum = str(contents.pop(CHECKSUM_ENTRY))
    except _DAMAGE as error:
        raise ContentsError(f"it cannot be read: {error}") from error
    if damaged is not None:
        raise ContentsError(f"bad CRC-32 of {damaged}")
    if _checksum(recipe_text, contents) != checksum:
        raise ContentsError("its checksum differs from its contents")
    return contents


def recipe_function(path: Path) -> str:
    """Read from an artefact's file which kernel made it; the arrays are not looked at.

    Raises
    ------
    ContentsError
        If the file does not say.
    OSError
        If it cannot be read at all.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return str(json.loads(str(arrays[RECIPE_ENTRY]))["function"])
    except _DAMAGE as error:
        raise ContentsError(f"it cannot be read: {error}") from error


def _checksum(recipe_text: str, contents: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(recipe_text.encode())
    for name in sorted(contents):
        array = contents[name]
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        if array.size:
            # In C order, whatever the layout in memory.
            digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
