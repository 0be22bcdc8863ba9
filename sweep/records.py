"""Records: what a worker found out about a block, or about one point of it."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sweep.grid import Block, GridError
from sweep.variables import Status

# Between a record's text, which holds none, and its arrays.
SEPARATOR = b"\0"
_STORED = np.dtype("<f8")
# Made once: `json.dumps` makes one for each call that asks for other separators.
_ENCODER, _DECODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True), json.JSONDecoder()
# How the record of a point begins; what is not exactly so is read whole.
_POINT = re.compile(rb'\{"block":"([^"\\]+)","weighting_index":(\d+),"status":"(\w+)",')
# Whole numbers below this are float64s.
_EXACT = 2**53
_PLAIN = frozenset({float, int})
_WORDS = frozenset(Status.__members__)
_FAILED, _PENDING = Status.failed.name, Status.pending.name


class Numbers(dict[str, np.ndarray]):
    """Values that are read-only float64 arrays already: those of a journal, which are millions."""


class RecordError(ValueError):
    """A record that contradicts itself, or bytes that are no record."""


@dataclass(frozen=True, eq=False)
class Record:
    """One finished piece of work.

    A record without a weighting index speaks of every weighting of its block: each of its values is a
    number for the whole block, or has one leading entry a weighting, in the order of `sweep.grid.Grid.weightings`.
    A record with an index speaks of that one point.

    Parameters
    ----------
    block
        The block.
    weighting_index
        The point's place among the block's weightings, or None for all of them.
    status
        A `Status` name; for a block, one for all its weightings or a tuple of one each.
    values
        Results by variable name, in the store's units: numbers or nested lists or arrays of numbers, NaN and
        infinity included. Kept as read-only float64 arrays.
    message
        What went wrong, where something did.
    worker
        Who did the work.
    wall_time_s
        How long it took (s); NaN where unknown.
    stage, attempts, log_tail, when
        Of a failure: as `sweep.causes.Cause`.

    Raises
    ------
    RecordError
        If a status is unknown, a value is not numeric or is ragged, or an index is negative.

    Examples
    --------
    >>> block = Block("screw", 25.0, 6, 8.0, 4, 0)
    >>> record = Record(block, 2, "relaxed", {"geometry_error": 0.1}, wall_time_s=0.3)
    >>> Record.from_payload(record.payload) == record
    True
    >>> float(record.values["geometry_error"])
    0.1
    """

    block: Block
    weighting_index: int | None
    status: str | tuple[str, ...]
    values: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
    worker: str = ""
    wall_time_s: float = math.nan
    stage: str = ""
    attempts: int = 1
    log_tail: str = ""
    when: str = ""

    def __post_init__(self) -> None:
        index = self.weighting_index
        if index is not None and (isinstance(index, bool) or int(index) != index or index < 0):
            raise RecordError(
                f"{self.name}: weighting_index is {index!r}; give a whole number from 0, or None"
            )
        if not isinstance(self.status, str):
            # a tuple stays the one it is: records of a study share it
            object.__setattr__(self, "status", tuple(self.status))
        for word in self.statuses:
            if word not in _WORDS:
                raise RecordError(
                    f"{self.name}: status is {word!r}; it is one of {', '.join(Status.__members__)}"
                )
        if index is not None and (not isinstance(self.status, str) or self.status == _PENDING):
            raise RecordError(
                f"{self.name}: status is {self.status!r}; a point has one, and it is not pending"
            )
        if not isinstance(self.values, Numbers):
            object.__setattr__(self, "values", self._all_numbers())
        object.__setattr__(self, "weighting_index", None if index is None else int(index))
        object.__setattr__(self, "wall_time_s", float(self.wall_time_s))

    @property
    def name(self) -> str:
        """The record's block and weighting in words, for messages."""
        which = "every weighting" if self.weighting_index is None else f"weighting {self.weighting_index}"
        return f"record of {which} of block {self.block.key}"

    @property
    def statuses(self) -> tuple[str, ...]:
        """Status words: one, or one a weighting."""
        return (self.status,) if isinstance(self.status, str) else self.status

    @property
    def failed(self) -> bool:
        """Whether the work failed at every weighting it was to be done for."""
        if isinstance(self.status, str):
            return self.status == _FAILED
        return {_FAILED} <= set(self.status) <= {_FAILED, Status.excluded.name}

    @property
    def payload(self) -> bytes:
        """The record as JSON and, behind a zero byte, its arrays if any: every number is read back exactly."""
        scalars, arrays = {}, {}
        for name in sorted(self.values):
            value = self.values[name]
            if value.ndim:
                arrays[name] = value
            else:
                scalars[name] = value.item()
        document = {
            "block": self.block.key,
            "weighting_index": self.weighting_index,
            "status": self.status,
            "values": scalars,
            "arrays": {name: value.shape for name, value in arrays.items()},
            "message": self.message,
            "worker": self.worker,
            "wall_time_s": self.wall_time_s,
            **circumstances(self),
        }
        # A lone surrogate (from an undecodable file name in a message) is escaped, not refused.
        text = _ENCODER.encode(document).encode()
        if not arrays:
            return text
        return SEPARATOR.join([text, b"".join(value.astype(_STORED).tobytes() for value in arrays.values())])

    @classmethod
    def from_payload(cls, payload: bytes) -> Record:
        """Read a record from what `payload` gave.

        Raises
        ------
        RecordError
            If the bytes are no record.
        """
        try:
            text, _, data = payload.partition(SEPARATOR)
            document = _DECODER.decode(text.decode())
            shapes = document.pop("arrays", {})
            values = _scalars(document["values"]) if document["values"] else Numbers()
            values.update(_arrays(shapes, data))
            document["block"], document["values"] = Block.from_key(document["block"]), values
            return cls(**document)
        except RecordError:
            raise
        except (GridError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise RecordError(f"not a record: {error}") from error

    @classmethod
    def brief(cls, payload: bytes) -> Record:
        """Read a record, but of a point that did not fail no more than its status, which takes a tenth of the time.

        Raises
        ------
        RecordError
            If the bytes are no record, as far as they are looked at.

        Examples
        --------
        >>> block = Block("screw", 25.0, 6, 8.0, 4, 0)
        >>> brief = Record.brief(Record(block, 2, "relaxed", {"geometry_error": 0.1}).payload)
        >>> brief.weighting_index, brief.status, dict(brief.values)
        (2, 'relaxed', {})
        """
        found = _POINT.match(payload)
        if found is None or (status := found[3].decode()) == _FAILED:
            return cls.from_payload(payload)
        try:
            return cls(Block.from_key(found[1].decode()), int(found[2]), status, Numbers())
        except (GridError, UnicodeDecodeError) as error:
            raise RecordError(f"not a record: {error}") from error

    def with_only(self, names: Collection[str]) -> Record:
        """Leave out the values of all other names, and of a message all but its first line."""
        values = {name: self.values[name] for name in names if name in self.values}
        return replace(self, values=values, message=self.message.partition("\n")[0], log_tail="")

    def _all_numbers(self) -> Numbers:
        """Copy every value, plain numbers together."""
        given = self.values
        plain = _scalars(
            {
                name: value
                for name, value in given.items()
                if type(value) is float or (type(value) is int and -_EXACT < value < _EXACT)
            }
        )
        if len(plain) == len(given):
            return Numbers(plain)
        return Numbers(
            (name, plain[name] if name in plain else self._numbers(name, value))
            for name, value in given.items()
        )

    def _numbers(self, name: str, value: Any) -> np.ndarray:
        """Copy a value as a read-only float64 array."""
        try:
            array = np.array(value)
        except ValueError as error:
            raise RecordError(
                f"{self.name}: {name} is a ragged list; give a full array of numbers"
            ) from error
        if array.dtype.kind not in "biuf":
            raise RecordError(
                f"{self.name}: {name} is {value!r:.80}; give a number or a full array of numbers"
            )
        numbers = array.astype(np.float64, copy=False)
        numbers.flags.writeable = False
        return numbers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and self.payload == other.payload

    def __hash__(self) -> int:
        return hash((self.block, self.weighting_index))


def circumstances(record: Any) -> dict[str, Any]:
    """Give what a record says of how it failed; nothing of one that did not."""
    usual = {"stage": "", "attempts": 1, "log_tail": "", "when": ""}
    return {name: value for name in usual if (value := getattr(record, name)) != usual[name]}


def _scalars(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give numbers as arrays without dimensions, all of them converted at once; anything else as it is."""
    if not _PLAIN.issuperset(map(type, values.values())):
        # of format 2, whose arrays are lists, or no record: it is checked value by value
        return dict(values)
    numbers = np.array(list(values.values()), dtype=np.float64)
    numbers.flags.writeable = False
    return Numbers((name, numbers[place, ...]) for place, name in enumerate(values))


def _arrays(shapes: Mapping[str, Sequence[int]], data: bytes) -> dict[str, np.ndarray]:
    """Read arrays back that lie one behind the other."""
    counts = [math.prod(shape) for shape in shapes.values()]
    if any(count < 0 for count in counts) or sum(counts) * _STORED.itemsize != len(data):
        raise RecordError(f"not a record: {len(data)} bytes do not hold arrays of {dict(shapes)}")
    numbers, ends = np.frombuffer(data, dtype=_STORED), itertools.accumulate(counts)
    return {
        name: numbers[end - count : end].reshape(shape)
        for (name, shape), count, end in zip(shapes.items(), counts, ends, strict=True)
    }
