"""Dask's dashboard, for those who ask for it: on this host's own address alone, and read-only."""

from __future__ import annotations

import getpass
import importlib.util
import os
import socket
from dataclasses import dataclass
from typing import Any

from distributed import LocalCluster

from sweep.clusters.errors import ClusterError

# Without the first there is no style; the second is what the pages link to.
_ROUTES = ["distributed.http.statics", "distributed.http.scheduler.info"]


@dataclass(frozen=True)
class Dashboard:
    """Whether a run's scheduler shows its dashboard, which is plain HTTP: every user of the host can read it.

    Parameters
    ----------
    shown
        Not by default: Dask itself shows it wherever bokeh is installed.

    Examples
    --------
    >>> Dashboard().options
    {'dashboard_address': '127.0.0.1:0', 'scheduler_kwargs': {'dashboard': False}}
    """

    shown: bool = False

    def check(self) -> None:
        """Refuse where it cannot be shown.

        Raises
        ------
        ClusterError
            If bokeh is not installed.
        """
        if self.shown and importlib.util.find_spec("bokeh") is None:
            raise ClusterError("--dashboard needs bokeh: pip install 'farfield[dashboard]', or leave it out")

    @property
    def configuration(self) -> dict[str, Any]:
        """What Dask is to serve over HTTP besides the dashboard itself."""
        return {"distributed.scheduler.http.routes": list(_ROUTES) if self.shown else []}

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of `distributed.LocalCluster`."""
        # With no address at all Dask would listen on every one of the host's.
        return {"dashboard_address": "127.0.0.1:0", "scheduler_kwargs": {"dashboard": self.shown}}

    def lines(self, cluster: LocalCluster, *, remote: bool) -> list[str]:
        """Say where it is, and how to reach it from elsewhere; nothing where it is not shown.

        Parameters
        ----------
        cluster
            Whose scheduler shows it.
        remote
            Whether the user sits at another machine for sure; otherwise that is asked of the environment.
        """
        if not self.shown:
            return []
        port = cluster.scheduler_info["services"]["dashboard"]
        told = [f"dashboard: http://127.0.0.1:{port}/status (every user of this host can read it)"]
        if remote or "SSH_CONNECTION" in os.environ:
            host = f"{getpass.getuser()}@{socket.getfqdn()}"
            told.append(f"from your own machine, first: ssh -N -L {port}:127.0.0.1:{port} {host}")
        return told
