"""What cannot be run: every kind of refusal, which a command tells in one message and ends with status 2."""

from __future__ import annotations

from sweep.artefacts import RecipeError
from sweep.clusters import ClusterError
from sweep.grid import GridError
from sweep.identity import StudyChangedError
from sweep.journal import JournalError
from sweep.location import LocationError
from sweep.lock import StoreLockedError
from sweep.store import StoreError
from sweep.study import StudyError

#: What reading a study, its files, its store and its journals may raise.
REFUSALS = (
    StudyError,
    StudyChangedError,
    GridError,
    StoreError,
    StoreLockedError,
    ClusterError,
    LocationError,
    RecipeError,
    JournalError,
    OSError,
)


class RefusedError(ValueError):
    """Input that cannot be run; nothing has been written."""
