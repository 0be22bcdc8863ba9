"""Which cluster a user names: this machine, an address, or a file that says what jobs are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sweep.clusters.address import AddressedWorkers
from sweep.clusters.batch.cluster import BatchWorkers
from sweep.clusters.batch.cluster_file import load_cluster_file
from sweep.clusters.cluster import Cluster
from sweep.clusters.dashboard import Dashboard
from sweep.clusters.errors import ClusterError
from sweep.clusters.local import LocalWorkers
from sweep.clusters.resources import Resources
from sweep.stages import STAGES

LOCAL = "local"


@dataclass(frozen=True)
class ClusterChoice:
    """What a user says of the workers; `cluster` makes the cluster of it.

    Parameters
    ----------
    name
        ``local``, a scheduler's address, ``tls://HOST:PORT``, or the path of a cluster file.
    workers
        Workers on this machine; None for as many as there are CPUs for.
    ranks
        MPI ranks of each worker's gang; None for one, or what the cluster file says.
    certificates
        Folder of the certificates for an address; None for those that Dask's configuration names.
    dashboard
        Whether to show Dask's dashboard on this host.
    """

    name: str = LOCAL
    workers: int | None = None
    ranks: int | None = None
    certificates: Path | None = None
    dashboard: bool = False

    def for_stages(self, named: Mapping[str, int]) -> tuple[Cluster, dict[str, int]]:
        """Make the cluster, its workers large enough for the gang of every stage.

        Parameters
        ----------
        named
            MPI ranks of stages that have others than `ranks`.

        Returns
        -------
        tuple of Cluster and dict
            And the ranks of every stage that has fewer than the cluster's workers have.

        Raises
        ------
        ClusterError
            As `cluster`, or if its workers have fewer ranks than a stage is to have.

        Examples
        --------
        >>> cluster, ranks = ClusterChoice(workers=1).for_stages({"relaxations": 1})
        >>> cluster.ranks, ranks["equilibria"], ranks["relaxations"]
        (1, 1, 1)
        """
        cluster = self.cluster()
        usual, most = cluster.ranks, max([cluster.ranks, *named.values()])
        if most > usual and (self.name == LOCAL or "://" in self.name):
            cluster = replace(self, ranks=most).cluster()
        if cluster.ranks < most:
            stage = max(named, key=lambda stage: named[stage])
            raise ClusterError(
                f"the study's ranks.{stage} is {most}, but a worker of {self.name} has {cluster.ranks} ranks: "
                "ask for fewer, or for larger workers"
            )
        return cluster, {stage: named.get(stage, usual) for stage in STAGES}

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
        ranks = 1 if self.ranks is None else self.ranks
        if self.name == LOCAL:
            if self.certificates is not None:
                raise ClusterError("--certificates is for an address: a local run makes its own")
            return LocalWorkers(Resources.of(self.workers, ranks), Dashboard(self.dashboard))
        if "://" in self.name:
            if self.workers is not None:
                raise ClusterError(
                    f"--workers {self.workers}: at {self.name} the workers are what is there; leave it out"
                )
            if self.dashboard:
                raise ClusterError(
                    f"--dashboard: the scheduler at {self.name} has its own or none; leave it out"
                )
            return AddressedWorkers.of(self.name, ranks, self.certificates)
        for option, value in (("--workers", self.workers), ("--ranks", self.ranks)):
            if value is not None:
                raise ClusterError(
                    f"{option} {value}: {self.name} says that itself, under jobs and ranks; change it there"
                )
        if self.certificates is not None:
            raise ClusterError("--certificates is for an address: a run makes its own for its jobs")
        return BatchWorkers(load_cluster_file(Path(self.name)), dashboard=Dashboard(self.dashboard))
