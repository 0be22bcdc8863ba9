"""Workers of a scheduler that runs already."""

from __future__ import annotations

import ipaddress
import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import dask
from distributed import Client, Scheduler
from distributed.security import Security
from distributed.utils import silence_logging_cmgr

from sweep.clusters.cluster import Site, Workers
from sweep.clusters.configuration import CONFIGURATION
from sweep.clusters.errors import ClusterError
from sweep.clusters.presence import Presence
from sweep.clusters.security import certificates_of, configured_certificates

# How long a scheduler may take to answer, and its first worker to be there, s.
ANSWER_S = 10.0
# Under this name a scheduler is told which client's run has its workers.
OWNER = "farfield-driver"


@dataclass(frozen=True)
class AddressedWorkers:
    """Workers of the scheduler at an address; they see the same folders as this machine.

    Parameters
    ----------
    address
        ``tls://HOST:PORT``; ``tcp://`` only to this host.
    ranks
        MPI ranks of each worker's gang.
    security
        Certificates; None for an unencrypted connection.
    """

    address: str
    ranks: int
    security: Security | None

    @classmethod
    def of(cls, address: str, ranks: int, certificates: Path | None) -> AddressedWorkers:
        """Check an address and find the certificates for it.

        Parameters
        ----------
        address
            Of the scheduler.
        ranks
            Ranks of each worker's gang.
        certificates
            Folder of the certificates; None for those that Dask's configuration names.

        Raises
        ------
        ClusterError
            If the address is not one, or names another host without TLS, or there are no certificates.

        Examples
        --------
        >>> AddressedWorkers.of("tcp://node7:8786", 1, None)
        Traceback (most recent call last):
        ...
        sweep.clusters.errors.ClusterError: tcp://node7:8786: an unencrypted connection to another host...
        """
        scheme, host = _parts(address)
        if ranks < 1:
            raise ClusterError(f"--ranks {ranks}: give at least one")
        if scheme == "tls":
            found = certificates_of(certificates) if certificates else configured_certificates()
            return cls(address, ranks, found)
        if not _is_this_host(host):
            raise ClusterError(
                f"{address}: an unencrypted connection to another host, whose users could run code as you; start the "
                "scheduler and its workers with --protocol tls, and give tls://HOST:PORT"
            )
        return cls(address, ranks, None)

    @property
    def described(self) -> str:
        """What the workers are."""
        return f"workers of {self.address}, {self.ranks} ranks each"

    def check(self) -> None:
        """Refuse a scheduler that does not answer, goes away, has no worker, or works for another run.

        Raises
        ------
        ClusterError
            As said.
        """
        with self._client() as client:
            try:
                client.wait_for_workers(1, timeout=ANSWER_S)
            except TimeoutError:
                raise ClusterError(
                    f"{self.address}: no worker within {ANSWER_S:.0f} s; start workers (dask worker --nthreads 1 "
                    f"{self.address})"
                ) from None
            with self._in_words():
                owned = client.run_on_scheduler(_owner_is_there)
            if owned:
                raise ClusterError(
                    f"{self.address}: another run has these workers; wait for it, or start others"
                )

    @contextmanager
    def connected(self, site: Site) -> Iterator[Workers]:
        """Connect to the scheduler, and leave it as it was.

        Raises
        ------
        ClusterError
            If it does not answer, or goes away at once.
        """
        if self.security is None:
            site.tell(f"{self.address} is not encrypted: every user of this host can run code as you")
        with dask.config.set(CONFIGURATION), self._client() as client:
            with self._in_words():
                client.set_metadata([OWNER], client.id)
            yield Workers(client, Presence(client))

    @contextmanager
    def _client(self) -> Iterator[Client]:
        try:
            client = Client(
                self.address, security=self.security, timeout=ANSWER_S, set_as_default=False, name="farfield"
            )
        except (OSError, TimeoutError, ssl.SSLError) as error:
            raise ClusterError(
                f"{self.address}: no scheduler answers there, or not to these certificates: {error}"
            ) from error
        # what Dask logs of a connection that is lost, a run says in its own words
        with silence_logging_cmgr(logging.CRITICAL), client:
            yield client

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ClusterError(
                f"{self.address}: the scheduler went away while it was asked ({error}); start it and its workers, then "
                "run the same command again"
            ) from error


def _owner_is_there(dask_scheduler: Scheduler) -> bool:
    return dask_scheduler.task_metadata.get(OWNER) in dask_scheduler.clients


def _parts(address: str) -> tuple[str, str]:
    try:
        parts = urlsplit(address)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        scheme, host, port = "", None, None
    if scheme not in ("tls", "tcp") or not host or not port:
        raise ClusterError(f"{address}: this is not a scheduler's address; give tls://HOST:PORT")
    return scheme, host


def _is_this_host(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
