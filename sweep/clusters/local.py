"""Workers on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dask
from distributed import Client, LocalCluster
from distributed.security import Security

from sweep.clusters.cluster import Site, Workers
from sweep.clusters.configuration import CONFIGURATION
from sweep.clusters.presence import Presence
from sweep.clusters.resources import Resources


@dataclass(frozen=True)
class LocalWorkers:
    """Dask workers on this machine, over TLS: a plain scheduler would let any local user run code as this one.

    Parameters
    ----------
    resources
        How many, and their CPUs.
    """

    resources: Resources

    @property
    def ranks(self) -> int:
        """MPI ranks of each worker's gang."""
        return self.resources.ranks

    @property
    def described(self) -> str:
        """What the workers are."""
        return f"{self.resources.workers} workers of {self.ranks} ranks"

    def check(self) -> None:
        """Nothing can be wrong that `Resources` has not refused."""

    @contextmanager
    def connected(self, site: Site) -> Iterator[Workers]:
        """Start the workers, and end them with the context."""
        with (
            dask.config.set({**CONFIGURATION, "temporary-directory": str(site.scratch)}),
            LocalCluster(
                n_workers=self.resources.workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                protocol="tls://",
                security=Security.temporary(),
                dashboard_address="127.0.0.1:0",
                silence_logs=50,
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            client.wait_for_workers(self.resources.workers, timeout=60)
            yield Workers(client, Presence(client), self.resources.cpus)
