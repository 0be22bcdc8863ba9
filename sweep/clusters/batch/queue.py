"""What is asked of a queueing system: four verbs, so that another one than SLURM is a file of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class QueueError(RuntimeError):
    """A queueing system that refused or did not answer: the message is its own words."""


class Phase(Enum):
    """How far a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True)
class Job:
    """A job as the queue lists it.

    Parameters
    ----------
    number
        Its id, which is also its worker's name.
    phase
        How far it is.
    state
        The queue's own word for that.
    reason
        Why it waits or how it ended, in the queue's words; may be empty.
    """

    number: str
    phase: Phase
    state: str
    reason: str = ""

    @property
    def words(self) -> str:
        """State and reason as the queue says them.

        Examples
        --------
        >>> Job("7", Phase.WAITING, "PENDING", "Resources").words
        'PENDING (Resources)'
        """
        return f"{self.state} ({self.reason})" if self.reason else self.state


class Queue(Protocol):
    """A queueing system. Every method may raise `QueueError`."""

    def check(self, script: str) -> None:
        """Ask whether a script would be accepted, without submitting it."""

    def submit(self, script: str) -> str:
        """Submit a script; return the job's number."""

    def jobs(self, name: str) -> tuple[Job, ...]:
        """List this user's jobs of a name; those that ended lately may be among them."""

    def cancel(self, numbers: Iterable[str]) -> None:
        """Cancel jobs; of those that have ended already nothing is said."""
