"""A worker's gangs of several sizes: one at a time, on the worker's CPUs."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sweep.gang import Gang, GangError, GangOptions


class SizedGangs:
    """Gangs of different numbers of ranks that share one worker's CPUs, so that only one of them is alive.

    Parameters
    ----------
    options
        Gives the options of a gang of so many ranks.

    Examples
    --------
    >>> gangs = SizedGangs(lambda ranks: GangOptions(ranks=ranks))
    >>> [gangs.of(ranks).options.ranks for ranks in (1, 2)]
    [1, 2]
    >>> gangs.close()
    """

    def __init__(self, options: Callable[[int], GangOptions]) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._gang: Gang | None = None
        self._closed = False

    def of(self, ranks: int) -> Gang:
        """Give the gang of so many ranks; one of another size is ended first.

        Raises
        ------
        GangError
            If they have been closed.
        """
        with self._lock:
            if self._closed:
                raise GangError("this worker's gangs have been closed")
            if self._gang is not None and self._gang.options.ranks != ranks:
                self._gang.close()
                self._gang = None
            if self._gang is None:
                self._gang = Gang(self._options(ranks))
            return self._gang

    def close(self) -> None:
        """End the ranks; a call under way in another thread ends at once. Closing twice is allowed."""
        self._closed = True
        # without the lock: a gang that is ending another waits for nothing that this would not end too
        if (gang := self._gang) is not None:
            gang.close()
