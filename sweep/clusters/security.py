"""Certificates: of a run's own, and those that a user names."""

from __future__ import annotations

import os
from pathlib import Path

from distributed.security import Security

from sweep.clusters.errors import ClusterError

CERTIFICATE, KEY, AUTHORITY = "cert.pem", "key.pem", "ca.pem"


def write_certificates(folder: Path) -> Security:
    """Make a key and its self-signed certificate in a folder that only this user can enter.

    Whoever can read the key can run code as this user for as long as the scheduler that uses it runs.

    Parameters
    ----------
    folder
        Made if it is missing; earlier certificates in it are replaced.

    Returns
    -------
    Security
        For the scheduler, its workers and its clients alike, naming the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    made = Security.temporary()
    for name, text in ((KEY, made.tls_client_key), (CERTIFICATE, made.tls_client_cert)):
        path = folder / name
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
    return certificates_of(folder)


def certificates_of(folder: Path) -> Security:
    """Use the certificates of a folder: ``cert.pem``, ``key.pem``, and ``ca.pem`` unless the first signs itself.

    Raises
    ------
    ClusterError
        If a file is missing, or another user can read the key.
    """
    certificate, key, authority = folder / CERTIFICATE, folder / KEY, folder / AUTHORITY
    for path in (certificate, key):
        if not path.is_file():
            raise ClusterError(
                f"{path}: there is no such file; a folder of certificates holds {CERTIFICATE}, {KEY} and, "
                f"unless the certificate signs itself, {AUTHORITY}"
            )
    if key.stat().st_mode & 0o077:
        raise ClusterError(f"{key}: other users may read this key; make it yours alone (chmod 600 {key})")
    own, secret = str(certificate), str(key)
    return Security(
        require_encryption=True,
        tls_ca_file=str(authority) if authority.is_file() else own,
        tls_client_cert=own,
        tls_client_key=secret,
        tls_scheduler_cert=own,
        tls_scheduler_key=secret,
        tls_worker_cert=own,
        tls_worker_key=secret,
    )


def configured_certificates() -> Security:
    """Use the certificates that Dask's own configuration names.

    Raises
    ------
    ClusterError
        If it names none.
    """
    security = Security(require_encryption=True)
    if not (security.tls_ca_file and security.tls_client_cert):
        raise ClusterError(
            "no certificates for this scheduler; name their folder (--certificates), or set ca-file and client.cert "
            "under distributed.comm.tls in Dask's configuration"
        )
    return security
