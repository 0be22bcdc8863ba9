"""Authenticated sockets between a gang's owner and its ranks.

Messages are those of `multiprocessing.connection`, whose client the ranks use. What is added here: a
listener that a stranger, silent or without the key, cannot hold up for long; a time limit on every send
and receive, so that a rank stopped in the middle of a message is a timeout and not a hang; and answers
that hold plain data only.
"""

from __future__ import annotations

import io
import math
import pickle
import socket
import struct
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
from pathlib import Path

PROOF_TIME_LIMIT_S = 2.0
"""How long a client may take to prove that it knows the key."""
LONGEST_LIMIT_S = 1e8
"""Three years: a longer limit may not fit the kernel's structures."""

PLAIN_PACKAGES = frozenset({"_codecs", "builtins", "collections", "copyreg", "datetime", "numpy", "pathlib"})
"""Where the classes in an answer may come from: none draws in MPI, JAX or the kernels."""


class Listener:
    """A Unix socket at `address` on which ranks present themselves.

    Parameters
    ----------
    address : str
        Path of the socket; its folder should be private to the user.
    key : bytes
        What a client must prove to know.
    backlog : int
        How many clients may wait to be accepted.
    """

    def __init__(self, address: str, key: bytes, backlog: int) -> None:
        self._address = Path(address)
        self._key = key
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(address)
        self._socket.listen(backlog)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def accept(self) -> Connection | None:
        """Accept the waiting client; None if it did not prove the key in time."""
        client, _ = self._socket.accept()
        connection = Connection(client.detach())
        set_time_limit(connection, PROOF_TIME_LIMIT_S)
        try:
            deliver_challenge(connection, self._key)
            answer_challenge(connection, self._key)
        except (AuthenticationError, EOFError, OSError):
            connection.close()
            return None
        set_time_limit(connection, math.inf)
        return connection

    def close(self) -> None:
        """Stop listening and remove the socket's file."""
        self._socket.close()
        self._address.unlink(missing_ok=True)


def set_time_limit(connection: Connection, limit_s: float) -> None:
    """Limit how long one read or write on `connection` may wait, in seconds; infinity: for ever.

    A read or write that reaches its limit raises BlockingIOError and leaves the connection of no further use.
    """
    microseconds = 0 if math.isinf(limit_s) else max(1, round(min(limit_s, LONGEST_LIMIT_S) * 1e6))
    interval = struct.pack("@ll", *divmod(microseconds, 1_000_000))
    borrowed = socket.socket(fileno=connection.fileno())
    try:
        borrowed.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, interval)
        borrowed.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, interval)
    finally:
        borrowed.detach()


def receive(connection: Connection, limit_s: float) -> tuple[object, ...]:
    """Receive one message of plain data.

    Parameters
    ----------
    connection : Connection
        The rank's.
    limit_s : float
        Seconds that one read may wait; infinity: for ever.

    Raises
    ------
    EOFError, OSError
        The rank has gone.
    BlockingIOError
        The limit was reached.
    NotPlainError
        The message holds something other than builtin objects and NumPy arrays. The connection stays usable.
    """
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
