"""What `sweep verify` finds: where, what, and what would mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Weight(Enum):
    """Whether a finding asks for anything to be done."""

    #: Something to mend.
    fault = "fault"
    #: Worth knowing: nothing is wrong.
    note = "note"


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Parameters
    ----------
    where
        File, array or place.
    what
        What is wrong with it, or to be known of it.
    mend
        What it would take to mend it; empty for a note.
    weight
        Whether there is something to mend.
    """

    where: str
    what: str
    mend: str = ""
    weight: Weight = Weight.fault

    @property
    def line(self) -> str:
        """The finding in one line."""
        return f"{self.weight.value}: {self.where}: {self.what}" + (f" -> {self.mend}" if self.mend else "")


#: What brings a store back whose own files are damaged.
FROM_JOURNALS = (
    "move the store away and run the study again: its journals hold every result, nothing is computed twice"
)
