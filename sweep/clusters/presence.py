"""Whether there are workers, and for how long there have been none."""

from __future__ import annotations

import time
from collections.abc import Callable

from distributed import Client

from sweep.clusters.errors import WorkersLostError

# Without any worker for this long, none is coming back: a nanny restarts one within seconds, s.
WITHOUT_WORKERS_S = 60.0


class Presence:
    """Counts the workers of a scheduler.

    Parameters
    ----------
    client
        Connected to the scheduler.
    patience_s
        How long there may be none, s.
    clock
        Seconds that only ever grow.
    """

    def __init__(
        self,
        client: Client,
        patience_s: float = WITHOUT_WORKERS_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        self.patience_s = patience_s
        self.clock = clock
        self._last = clock()

    def __call__(self) -> int:
        """Return how many workers there are.

        Raises
        ------
        WorkersLostError
            If there has been none for longer than the patience, or the scheduler is gone for good.
        """
        now, told = self.clock(), self.client.scheduler_info(n_workers=0)
        # a client that gave up reconnecting has forgotten what it knew
        if "n_workers" not in told:
            raise WorkersLostError(
                "the scheduler is gone, and did not come back; start it and its workers, then run the same command "
                "again to go on"
            )
        count = int(told["n_workers"])
        if count:
            self._last = now
        elif now - self._last > self.patience_s:
            raise WorkersLostError(
                f"every worker is gone, and none has come back within {self.patience_s:.0f} s; look at the logs "
                "in the run folder, then run the same command again to go on"
            )
        return count
