"""Where a run's workers are: this machine, a scheduler that runs already, or jobs of a queueing system."""

from sweep.clusters.choice import ClusterChoice
from sweep.clusters.cluster import Cluster, Site, Workers
from sweep.clusters.errors import ClusterError, WorkersLostError
from sweep.clusters.resources import Resources, ResourcesError
from sweep.clusters.security import write_certificates

__all__ = [
    "Cluster",
    "ClusterChoice",
    "ClusterError",
    "Resources",
    "ResourcesError",
    "Site",
    "Workers",
    "WorkersLostError",
    "write_certificates",
]
