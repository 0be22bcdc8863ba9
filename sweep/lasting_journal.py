"""A worker's journal for as long as the worker lasts: where a disk did not confirm a record, it goes on in another."""

from __future__ import annotations

import os
from collections.abc import Callable

from sweep.journal import AnyRecord, Journal, JournalError


class LastingJournal:
    """A journal, and the next one once that has closed because its disk failed.

    What was confirmed in a journal that closed stays valid; what was not is in the next one before anything else is.

    Parameters
    ----------
    folder
        Of the journals.
    tell
        Called with a line for each journal that had to be left.

    Attributes
    ----------
    paths : set of Path
        Its files, one after another.

    Raises
    ------
    OSError
        If no journal can be made.
    """

    def __init__(self, folder: str | os.PathLike[str], tell: Callable[[str], None]) -> None:
        self._journal = Journal.create(folder)
        self.paths = {self._journal.path}
        self._left: dict[str, int] = {}
        self._tell = tell
        self._ended = False

    @property
    def sizes(self) -> dict[str, int]:
        """How much of each file, by its name, a disk has confirmed (bytes)."""
        return self._left | {self._journal.path.name: self._journal.size}

    def append(self, record: AnyRecord, *, wait: bool = True) -> None:
        """Write a record as `Journal.append` does.

        Raises
        ------
        OSError
            If neither this journal nor another takes it; it may be tried again.
        JournalError
            If it was closed by `close`.
        """
        try:
            self._journal.append(record, wait=wait)
        except JournalError as error:
            # it has closed, and this record is not in it
            self._renew(error)
            self._journal.append(record, wait=wait)
        except OSError as error:
            if not self._journal.closed:
                raise
            self._renew(error)

    def sync(self) -> None:
        """Wait until every record is on the disk; raises as `append`."""
        try:
            self._journal.sync()
        except (JournalError, OSError) as error:
            self._renew(error)

    def close(self) -> None:
        """Close the journal for good."""
        self._ended = True
        self._journal.close()

    def _renew(self, error: Exception) -> None:
        if self._ended:
            raise error
        left = self._journal
        self._journal = left.renewed()
        self.paths.add(self._journal.path)
        self._left[left.path.name] = left.size
        self._tell(f"{left.path} is left ({error}); records go on in {self._journal.path}")
