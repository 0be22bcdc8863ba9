"""A rank's connection to the process that owns its gang.

The owner leaves how to reach it, and two keys, in a file that only its user can read: not on a command line, which
everyone can read, nor in the environment, which MPICH's ``mpiexec`` sends to whoever connects to its port first.
"""

from __future__ import annotations

import json
import socket
import time
from multiprocessing.connection import Client, Connection, answer_challenge, deliver_challenge
from pathlib import Path

OWNER_FILE = "owner.json"
SHARED_FOLDER_PATIENCE_S = 20.0
"""How long a file that another host wrote may take to be seen on a shared file system."""
SILENCE_S, PROBE_S, PROBES = 60, 10, 6
"""A network connection is given up when the other host has answered no probe for so long."""


def connect(folder: Path) -> Connection:
    """Connect to the owner whose file is in `folder`: prove to it who we are, and have it prove the same.

    Raises
    ------
    FileNotFoundError
        This host does not see the owner's file.
    multiprocessing.AuthenticationError
        Who listens there is not the owner, or takes us for a stranger. Nothing that it sent was unpickled.
    OSError
        The owner cannot be reached.
    """
    found = json.loads(_read(folder / OWNER_FILE))
    address = found["address"]
    on_network = not isinstance(address, str)
    connection = Client(tuple(address) if on_network else address)
    if on_network:
        _watch_network(connection)
    # Two keys: with one, a false owner could pass off what one rank answers as its own proof to another.
    answer_challenge(connection, bytes.fromhex(found["rank_key"]))
    deliver_challenge(connection, bytes.fromhex(found["owner_key"]))
    return connection


def _read(path: Path) -> str:
    deadline = time.monotonic() + SHARED_FOLDER_PATIENCE_S
    while True:
        try:
            return path.read_text()
        except FileNotFoundError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _watch_network(connection: Connection) -> None:
    """Notice a host that vanishes without a word, and send short messages at once."""
    borrowed = socket.socket(fileno=connection.fileno())
    try:
        borrowed.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        borrowed.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SILENCE_S)
        borrowed.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_S)
        borrowed.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
        borrowed.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    finally:
        borrowed.detach()
