"""Truncation records: what a worker found out about the reference in one clamped cylinder."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from sweep.grid import Cylinder, GridError
from sweep.records import RecordError, circumstances
from sweep.variables import Status

#: What the payload of a truncation record begins with, and no other does.
PREFIX = b'{"cylinder":'

#: How truncation errors may have ended: known, in another minimum, one side not relaxed, or not at all.
ENDS = (Status.relaxed, Status.other_minimum, Status.unconverged, Status.failed)


@dataclass(frozen=True)
class TruncationRecord:
    """The truncation errors of one cylinder, or why there are none.

    Parameters
    ----------
    cylinder
        The dislocation and its simulated radius.
    status
        Name of one of `ENDS`.
    values
        Results by variable name, in the store's units: finite numbers.
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
        If the status is none of those, or a value is not a finite number.

    Examples
    --------
    >>> record = TruncationRecord(Cylinder("screw", 25.0), "relaxed", {"truncation_energy_error": 1e-3})
    >>> TruncationRecord.from_payload(record.payload) == record
    True
    """

    cylinder: Cylinder
    status: str
    values: Mapping[str, float] = field(default_factory=dict)
    message: str = ""
    worker: str = ""
    wall_time_s: float = math.nan
    stage: str = ""
    attempts: int = 1
    log_tail: str = ""
    when: str = ""

    def __post_init__(self) -> None:
        names = [status.name for status in ENDS]
        if self.status not in names:
            raise RecordError(f"{self.name}: status is {self.status!r}; it is one of {', '.join(names)}")
        object.__setattr__(self, "values", {name: self._number(name) for name in self.values})
        object.__setattr__(self, "wall_time_s", float(self.wall_time_s))

    @property
    def name(self) -> str:
        """The record's cylinder in words, for messages."""
        return f"truncation record of {self.cylinder.key}"

    @property
    def failed(self) -> bool:
        """Whether the work could not be done."""
        return self.status == Status.failed.name

    @property
    def payload(self) -> bytes:
        """The record as UTF-8 JSON; every number is read back as exactly the same one."""
        document = {
            "cylinder": self.cylinder.key,
            "status": self.status,
            "values": dict(sorted(self.values.items())),
            "message": self.message,
            "worker": self.worker,
            "wall_time_s": self.wall_time_s,
            **circumstances(self),
        }
        return json.dumps(document, separators=(",", ":"), ensure_ascii=True).encode()

    @classmethod
    def from_payload(cls, payload: bytes) -> TruncationRecord:
        """Read a record from what `payload` gave.

        Raises
        ------
        RecordError
            If the bytes are no truncation record.
        """
        try:
            document = json.loads(payload)
            return cls(**{**document, "cylinder": Cylinder.from_key(document["cylinder"])})
        except RecordError:
            raise
        except (GridError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise RecordError(f"not a truncation record: {error}") from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TruncationRecord) and self.payload == other.payload

    def __hash__(self) -> int:
        return hash(self.cylinder)

    def _number(self, name: str) -> float:
        value = self.values[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise RecordError(f"{self.name}: {name} is {value!r:.80}; give a finite number")
        return float(value)
