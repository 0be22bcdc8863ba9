"""Which cluster a user names: this machine, or an address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sweep.clusters.address import AddressedWorkers
from sweep.clusters.cluster import Cluster
from sweep.clusters.errors import ClusterError
from sweep.clusters.local import LocalWorkers
from sweep.clusters.resources import Resources

LOCAL = "local"


@dataclass(frozen=True)
class ClusterChoice:
    """What a user says of the workers; `cluster` makes the cluster of it.

    Parameters
    ----------
    name
        ``local`` or a scheduler's address, ``tls://HOST:PORT``.
    workers
        Workers on this machine; None for as many as there are CPUs for.
    ranks
        MPI ranks of each worker's gang.
    certificates
        Folder of the certificates for an address; None for those that Dask's configuration names.
    """

    name: str = LOCAL
    workers: int | None = None
    ranks: int = 1
    certificates: Path | None = None

    def cluster(self) -> Cluster:
        """Make the cluster.

        Raises
        ------
        ClusterError
            If there is none of this name, or it does not have what is asked for.

        Examples
        --------
        >>> ClusterChoice(workers=1).cluster().described
        '1 workers of 1 ranks'
        """
        if self.name == LOCAL:
            if self.certificates is not None:
                raise ClusterError("--certificates is for an address: a local run makes its own")
            return LocalWorkers(Resources.of(self.workers, self.ranks))
        if "://" in self.name:
            if self.workers is not None:
                raise ClusterError(
                    f"--workers {self.workers}: at {self.name} the workers are what is there; leave it out"
                )
            return AddressedWorkers.of(self.name, self.ranks, self.certificates)
        raise ClusterError(f"--cluster {self.name}: give {LOCAL} or a scheduler's address, tls://HOST:PORT")
