"""Records: what a worker found out about a block, or about one point of it."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from json.encoder import encode_basestring_ascii
from typing import Any

import numpy as np

from sweep.grid import Block, GridError
from sweep.record_numbers import (
    DECODER,
    ENCODER,
    SEPARATOR,
    Numbers,
    RecordError,
    arrays_of,
    bytes_of,
    described,
    numbers_in,
    numbers_of,
    read_described,
)
from sweep.variables import Status

__all__ = ["Record", "RecordError", "circumstances"]

# How the record of a point begins, and how all of its text reads but for that of its arrays and its author, of which
# a journal has few; what is not exactly so is read word by word.
_POINT = re.compile(rb'\{"block":"([^"\\]+)","weighting_index":(0|[1-9]\d*),"status":"(\w+)",')
_WHOLE_POINT = re.compile(
    _POINT.pattern + rb'"values":\{\},([^\0]*),"wall_time_s":(-?\d[-+.\deE]*|NaN|-?Infinity)\}' + SEPARATOR,
    re.DOTALL,
)
# Whole numbers below this are float64s.
_EXACT = 2**53
_WORDS = frozenset(Status.__members__)
_FAILED, _PENDING = Status.failed.name, Status.pending.name


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
        if not self.status:
            raise RecordError(f"{self.name}: status is {self.status!r}; give one, or one for each weighting")
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
        arrays, index, seconds = sorted(self.values.items()), self.weighting_index, self.wall_time_s
        words = '","'.join(self.statuses)
        # put together here: a JSON encoder takes most of its time to begin
        parts = [
            f'{{"block":{encode_basestring_ascii(self.block.key)}',
            f'"weighting_index":{"null" if index is None else index}',
            f'"status":"{words}"' if isinstance(self.status, str) else f'"status":["{words}"]',
            described(tuple([(name, value.shape) for name, value in arrays]), self.message, self.worker),
            f'"wall_time_s":{seconds if math.isfinite(seconds) else ENCODER.encode(seconds)}',
        ]
        if more := circumstances(self):
            parts.append(ENCODER.encode(more)[1:-1])
        text = (",".join(parts) + "}").encode()
        return text + SEPARATOR + bytes_of([value for _, value in arrays]) if arrays else text

    @classmethod
    def from_payload(cls, payload: bytes) -> Record:
        """Read a record from what `payload` gave.

        Raises
        ------
        RecordError
            If the bytes are no record.
        """
        try:
            if found := _WHOLE_POINT.match(payload):
                block, weighting, status, text, seconds = found.groups()
                arrays, message, worker = read_described(text)
                own = numbers_in(payload, found.end(), arrays)
                place = Block.from_key(block.decode()), int(weighting)
                return cls(*place, status.decode(), own, message, worker, float(seconds))
            text, separator, _ = payload.partition(SEPARATOR)
            document = DECODER.decode(text.decode())
            # numbers are found here in an earlier version's records
            values = numbers_of(document["values"])
            arrays = arrays_of(document.pop("arrays", {}))
            values.update(numbers_in(payload, len(text) + len(separator), arrays))
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
        plain = numbers_of(
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
