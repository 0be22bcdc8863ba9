"""Authenticated sockets between a gang's owner and its ranks.

Messages are those of `multiprocessing.connection`, whose client the ranks use. What is added here: a
listener that a stranger, silent or without the keys, cannot hold up for long; a time limit on every send
and receive, so that a rank stopped in the middle of a message is a timeout and not a hang; and answers
that hold plain data only.
"""

from __future__ import annotations

import io
import math
import pickle
import secrets
import socket
import struct
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
from pathlib import Path
from typing import NamedTuple

PROOF_TIME_LIMIT_S = 2.0
"""How long a client may take to prove that it knows the key."""
LONGEST_LIMIT_S = 1e8
"""Three years: a longer limit may not fit the kernel's structures."""
NETWORK_OPTIONS = {
    # two minutes without an answer to a probe, and the other host is taken for lost
    socket.TCP_KEEPIDLE: 60,
    socket.TCP_KEEPINTVL: 10,
    socket.TCP_KEEPCNT: 6,
    # a call's request and its body are two messages: the second would wait 40 ms for the first's receipt
    socket.TCP_NODELAY: 1,
}

PLAIN_PACKAGES = frozenset({"_codecs", "builtins", "collections", "copyreg", "datetime", "numpy", "pathlib"})
"""Where the classes in an answer may come from: none draws in MPI, JAX or the kernels."""


class Keys(NamedTuple):
    """What a rank proves to its owner, and what the owner proves to each rank.

    They are two, so that nobody who listens in the owner's place can pass off one rank's proof as his own to another.
    """

    rank: bytes
    owner: bytes

    @classmethod
    def new(cls) -> Keys:
        """Make keys that nobody knows."""
        return cls(secrets.token_bytes(32), secrets.token_bytes(32))


class Listener:
    """A socket on which ranks present themselves.

    Parameters
    ----------
    address : str or (str, int)
        Path of a Unix socket, in a folder private to the user; or an address of this host and a port, 0 for a free
        one, for ranks on other hosts.
    keys : Keys
        What a client must prove to know, and is shown to be known here.
    backlog : int
        How many clients may wait to be accepted.

    Attributes
    ----------
    address : str or (str, int)
        Where it listens.
    """

    def __init__(self, address: str | tuple[str, int], keys: Keys, backlog: int) -> None:
        self._path = Path(address) if isinstance(address, str) else None
        self._keys = keys
        self._socket = socket.socket(socket.AF_INET if self._path is None else socket.AF_UNIX)
        try:
            self._socket.bind(address)
            self._socket.listen(backlog)
        except OSError:
            self._socket.close()
            raise
        self.address: str | tuple[str, int] = self._socket.getsockname()

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def accept(self) -> Connection | None:
        """Accept the waiting client; None if it did not prove the ranks' key in time."""
        client, _ = self._socket.accept()
        if self._path is None:
            _watch_network(client)
        connection = Connection(client.detach())
        set_time_limit(connection, PROOF_TIME_LIMIT_S)
        try:
            deliver_challenge(connection, self._keys.rank)
            answer_challenge(connection, self._keys.owner)
        except (AuthenticationError, EOFError, OSError):
            connection.close()
            return None
        set_time_limit(connection, math.inf)
        return connection

    def close(self) -> None:
        """Stop listening and remove the socket's file."""
        self._socket.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _watch_network(client: socket.socket) -> None:
    """Notice a host that vanishes without a word, and send short messages at once."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in NETWORK_OPTIONS.items():
        client.setsockopt(socket.IPPROTO_TCP, option, value)


def set_time_limit(connection: Connection, limit_s: float) -> None:
    """Limit how long one read or write on `connection` may wait, in seconds; infinity: for ever.

    A read or write that reaches its limit raises BlockingIOError and leaves the connection of no further use.
    """
    microseconds = 0 if math.isinf(limit_s) else max(1, round(min(limit_s, LONGEST_LIMIT_S) * 1e6))
    interval = struct.pack("@ll", *divmod(microseconds, 1_000_000))
    # named, or each call would ask the system for the family and the type, which these options do not depend on
    borrowed = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, connection.fileno())
    try:
        borrowed.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, interval)
        borrowed.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, interval)
    finally:
        borrowed.detach()


def receive(connection: Connection, limit_s: float | None) -> tuple[object, ...]:
    """Receive one message of plain data.

    Parameters
    ----------
    connection : Connection
        The rank's.
    limit_s : float
        Seconds that one read may wait; infinity: for ever; None: as before.

    Raises
    ------
    EOFError, OSError
        The rank has gone.
    BlockingIOError
        The limit was reached.
    NotPlainError
        The message holds something other than builtin objects and NumPy arrays. The connection stays usable.
    """
    if limit_s is not None:
        set_time_limit(connection, limit_s)
    message: tuple[object, ...] = _PlainUnpickler(io.BytesIO(connection.recv_bytes())).load()
    return message


class NotPlainError(pickle.UnpicklingError):
    """An answer holds an object that is neither builtin nor NumPy's."""


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if module.partition(".")[0] not in PLAIN_PACKAGES:
            raise NotPlainError(f"{module}.{name}")
        return super().find_class(module, name)
