"""The chunks of a store: each is read, so that its checksum is checked, and must belong to its array's grid."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import zarr

from sweep.location import GROUP_FILE, Location
from sweep.store.root import open_root
from sweep.verify.findings import FROM_JOURNALS, Finding, Weight

# what a damaged chunk raises is the codec's affair
_DAMAGE = (RuntimeError, ValueError, KeyError, OSError)


def check_chunks(location: Location) -> Iterator[Finding]:
    """Read every chunk that there is, and say which are damaged, are no array's, or are half-written files.

    Raises
    ------
    StoreError
        As `sweep.open_store`.
    """
    root = open_root(location, "r")
    arrays: dict[str, Any] = {
        path: member for path, member in root.members(max_depth=None) if isinstance(member, zarr.Array)
    }
    unchecked = []
    chunks: dict[str, list[str]] = {path: [] for path in arrays}
    for key in location.names():
        owner = _owner(key, arrays)
        if owner is not None:
            chunks[owner].append(key.removeprefix(f"{owner}/"))
        elif not key.endswith(GROUP_FILE):
            yield Finding(key, "no array of the store has this file", "remove it: nothing reads it")
    for path, array in arrays.items():
        if not any(type(codec).__name__ == "Crc32cCodec" for codec in array.metadata.codecs):
            unchecked.append(path)
        yield from _of_array(path, array, chunks[path])
    if unchecked:
        yield Finding(
            f"{len(unchecked)} arrays",
            "their chunks carry no checksum: made by an earlier version, they were read but not proved",
            weight=Weight.note,
        )


def _owner(key: str, arrays: dict[str, Any]) -> str | None:
    """Name the array that a chunk's key is below; None for metadata and what belongs to none."""
    parts = key.split("/")
    for end in range(len(parts) - 1, 0, -1):
        if (path := "/".join(parts[:end])) in arrays:
            return None if parts[end:] == [GROUP_FILE] else path
    return None


def _of_array(path: str, array: Any, keys: list[str]) -> Iterator[Finding]:
    for key in sorted(keys):
        place = _place(array, key)
        if place is None:
            yield Finding(
                f"{path}/{key}",
                "a chunk outside its array, or no chunk at all",
                "remove it: nothing reads it",
            )
            continue
        region = tuple(
            slice(index * size, (index + 1) * size) for index, size in zip(place, array.chunks, strict=True)
        )
        try:
            np.asarray(array[region])
        except _DAMAGE as error:
            yield Finding(f"{path}, chunk {place}", f"cannot be read: {error}", FROM_JOURNALS)


def _place(array: Any, key: str) -> tuple[int, ...] | None:
    """Read a chunk's place off its key; None where it is not one of the array's."""
    words = key.split("/")[1:]
    if not all(word.isdecimal() for word in words) or len(words) != array.ndim:
        return None
    place = tuple(map(int, words))
    counts = [math.ceil(length / size) for length, size in zip(array.shape, array.chunks, strict=True)]
    inside = all(index < count for index, count in zip(place, counts, strict=True))
    return place if inside and array.metadata.encode_chunk_key(place) == key else None
