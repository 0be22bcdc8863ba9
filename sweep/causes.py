"""Causes: why work could not be done, as it is recorded with every failure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from sweep.gang import GangError


def now() -> str:
    """Give the time as records and logs write it: ISO 8601, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class Cause:
    r"""Why work could not be done.

    Parameters
    ----------
    stage
        Stage of the task that failed; what needed its result fails with it.
    message
        What happened, the first line for people.
    worker
        Dask worker that met it; empty where none answered.
    attempts
        How often it was tried.
    log_tail
        The last lines that the worker's ranks printed.
    when
        ISO 8601, UTC.

    Examples
    --------
    >>> Cause("relaxations", "no luck\nTraceback ...").first_line
    'no luck'
    """

    stage: str
    message: str
    worker: str = ""
    attempts: int = 1
    log_tail: str = ""
    when: str = field(default_factory=now)

    @property
    def first_line(self) -> str:
        """What happened, in a line."""
        return self.message.partition("\n")[0]

    @classmethod
    def of(cls, error: BaseException, stage: str, attempts: int) -> Cause:
        """Describe the error that a task ended with."""
        if isinstance(error, GangError):
            return cls(stage, error.message or type(error).__name__, error.worker, attempts, error.log_tail)
        # distributed.KilledWorker names the worker that died
        worker = str(getattr(getattr(error, "last_worker", None), "name", ""))
        return cls(stage, str(error) or type(error).__name__, worker, attempts)
