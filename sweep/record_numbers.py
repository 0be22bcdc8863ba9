"""The numbers of a record: read-only arrays, and their bytes, one array behind the other, told of in a line of JSON."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np

# Between a record's text, which holds none, and its arrays.
SEPARATOR = b"\0"
# Made once: `json.dumps` makes one for each call that asks for other separators.
ENCODER, DECODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True), json.JSONDecoder()
_STORED = np.dtype("<f8")
_PLAIN = frozenset({float, int})
# Texts kept that many records share: each kind of point has one for each worker.
_KEPT_TEXTS = 256

Shape: TypeAlias = tuple[int, ...]


class RecordError(ValueError):
    """A record that contradicts itself, or bytes that are no record."""


class Numbers(dict[str, np.ndarray]):
    """Values that are read-only float64 arrays already: those of a journal, which are millions."""


class Arrays(NamedTuple):
    """Where arrays lie that stand one behind the other: name, first number, the one behind the last, and shape."""

    places: tuple[tuple[str, int, int, Shape], ...]
    size: int


def arrays_of(shapes: Mapping[str, Sequence[int]]) -> Arrays:
    """Find where arrays of these shapes lie; a `RecordError` where there are none such."""
    counts = [math.prod(shape) for shape in shapes.values()]
    if any(count < 0 for count in counts):
        raise RecordError(f"not a record: no array has a shape of {dict(shapes)}")
    places = tuple(
        (name, end - count, end, tuple(shape))
        for (name, shape), count, end in zip(
            shapes.items(), counts, itertools.accumulate(counts), strict=True
        )
    )
    return Arrays(places, sum(counts))


def bytes_of(arrays: Sequence[np.ndarray]) -> bytes:
    """Give the bytes of arrays of float64, each behind the other."""
    return b"".join(
        [(array if array.dtype == _STORED else array.astype(_STORED)).tobytes() for array in arrays]
    )


def numbers_in(payload: bytes, start: int, arrays: Arrays) -> Numbers:
    """Read back what `bytes_of` gave and stands at the end of a payload; a `RecordError` where it does not fit."""
    if len(payload) - start != arrays.size * _STORED.itemsize:
        shapes = {name: shape for name, _, _, shape in arrays.places}
        raise RecordError(f"not a record: {len(payload) - start} bytes do not hold arrays of {shapes}")
    numbers = np.frombuffer(payload, dtype=_STORED, offset=start) if arrays.size else np.empty(0)
    return Numbers(
        {
            name: numbers[first:end].reshape(shape) if shape else numbers[first, ...]
            for name, first, end, shape in arrays.places
        }
    )


def numbers_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give numbers as arrays without dimensions, all of them converted at once; anything else as it is."""
    if not _PLAIN.issuperset(map(type, values.values())):
        # of format 2, whose arrays are lists, or no record: it is checked value by value
        return dict(values)
    numbers = np.array(list(values.values()), dtype=np.float64)
    numbers.flags.writeable = False
    return Numbers((name, numbers[place, ...]) for place, name in enumerate(values))


@lru_cache(maxsize=_KEPT_TEXTS)
def described(shapes: tuple[tuple[str, Shape], ...], message: str, worker: str) -> str:
    """Write what the records of many points have in common: which arrays follow, and who says so."""
    document = {"values": {}, "arrays": dict(shapes), "message": message, "worker": worker}
    # A lone surrogate (from an undecodable file name in a message) is escaped, not refused.
    return ENCODER.encode(document)[1:-1]


@lru_cache(maxsize=_KEPT_TEXTS)
def read_described(text: bytes) -> tuple[Arrays, str, str]:
    """Read arrays, message and worker back from what `described` gave, its values left out.

    Raises
    ------
    RecordError
        If it says something else.
    ValueError
        If it says nothing.
    """
    document = DECODER.decode(f"{{{text.decode()}}}")
    if document.keys() != {"arrays", "message", "worker"}:
        raise RecordError(
            f"not a record: {', '.join(document)} stand where arrays, message and worker should"
        )
    return arrays_of(document["arrays"]), document["message"], document["worker"]
