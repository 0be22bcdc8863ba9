"""Workers on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dask
from distributed import Client, LocalCluster
from distributed.core import Status
from distributed.security import Security

from sweep.clusters.cluster import Site, Workers
from sweep.clusters.configuration import CONFIGURATION
from sweep.clusters.dashboard import Dashboard
from sweep.clusters.errors import WorkersLostError
from sweep.clusters.presence import Presence
from sweep.clusters.resources import Resources

# A worker that is killed while it starts takes the start of all of them with it, which is then made again.
START_ATTEMPTS = 2


@dataclass(frozen=True)
class LocalWorkers:
    """Dask workers on this machine, over TLS: a plain scheduler would let any local user run code as this one.

    Parameters
    ----------
    resources
        How many, and their CPUs.
    dashboard
        Whether there is one.
    """

    resources: Resources
    dashboard: Dashboard = field(default_factory=Dashboard)

    @property
    def ranks(self) -> int:
        """MPI ranks of each worker's gang."""
        return self.resources.ranks

    @property
    def described(self) -> str:
        """What the workers are."""
        return f"{self.resources.workers} workers of {self.ranks} ranks"

    def check(self) -> None:
        """Refuse a dashboard that cannot be shown; of the rest `Resources` has refused what is wrong."""
        self.dashboard.check()

    @contextmanager
    def connected(self, site: Site) -> Iterator[Workers]:
        """Start the workers, and end them with the context.

        Raises
        ------
        WorkersLostError
            If they do not start.
        """
        with (
            dask.config.set(
                {
                    **CONFIGURATION,
                    **self.dashboard.configuration,
                    "temporary-directory": str(site.scratch),
                }
            ),
            self._started() as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            for line in self.dashboard.lines(cluster, remote=False):
                site.tell(line)
            client.wait_for_workers(self.resources.workers, timeout=60)
            presence = Presence(client)

            def count() -> int:
                present = presence()
                if present < self.resources.workers:
                    self._replace_lost(cluster)
                return present

            yield Workers(client, count, self.resources.cpus)

    def _started(self) -> LocalCluster:
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                return LocalCluster(
                    n_workers=self.resources.workers,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    protocol="tls://",
                    security=Security.temporary(),
                    silence_logs=50,
                    **self.dashboard.options,
                )
            except RuntimeError as error:
                if attempt == START_ATTEMPTS:
                    raise WorkersLostError(f"the workers on this machine do not start: {error}") from error
        raise AssertionError("every attempt returns or raises")

    def _replace_lost(self, cluster: LocalCluster) -> None:
        """Have workers started anew, under their names, that Dask has given up.

        A nanny whose new worker dies while it starts, or is long in starting, gives up; Dask then forgets it, and
        waits for someone to ask for as many workers again.
        """
        for name, nanny in list(cluster.workers.items()):
            if nanny.status is Status.failed:
                del cluster.workers[name]
        cluster.scale(self.resources.workers)
