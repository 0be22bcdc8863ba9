"""What can go wrong with a gang.

Every error is picklable with its attributes, since it travels from a Dask worker to the driver, and each
subclasses the builtin that a caller would catch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping


class GangError(RuntimeError):
    """A call on a gang did not give an answer.

    Attributes
    ----------
    message : str
        What happened, without the log.
    log_tail : str
        The last lines that the ranks printed during the call, where they printed any; `str` adds them.
    worker : str
        The Dask worker that owned the gang, where one did.
    """

    log_tail: str = ""
    worker: str = ""

    @property
    def message(self) -> str:
        """What happened, without the log."""
        return str(self.args[0]) if self.args else ""

    def __str__(self) -> str:
        if not self.log_tail:
            return self.message
        return f"{self.message}\nThe last lines the ranks printed:\n{self.log_tail}"

    def __reduce__(self) -> tuple[Callable[..., GangError], tuple[object, ...]]:
        # Said in full, for Dask replaces how exceptions are pickled: errors of two builtins would not survive that.
        return _remade, (type(self), self.message, dict(vars(self)))


def _remade(kind: type[GangError], message: str, attributes: dict[str, object]) -> GangError:
    """Make an error again from what it says and holds."""
    error = kind(message)
    vars(error).update(attributes)
    return error


class GangDied(GangError, ConnectionError):  # noqa: N818 - it says what happened
    """A rank or the launcher went away: an exit, a segfault, a kill.

    Attributes
    ----------
    ranks : tuple of int
        The ranks seen to go first; empty when the launcher went. A launcher kills the others at once, so on a
        busy host they may be among these.
    exit_code : int or None
        What the launcher ended with, where known: its rank's exit code, or with mpich the bare number of the
        signal that killed the rank (of the lowest rank, where it killed others in turn). 128 + the number
        where a signal killed the launcher itself.
    """

    def __init__(self, message: str, *, ranks: tuple[int, ...] = (), exit_code: int | None = None) -> None:
        super().__init__(message)
        self.ranks = ranks
        self.exit_code = exit_code


class GangTimeout(GangError, TimeoutError):  # noqa: N818 - as subprocess.TimeoutExpired
    """A call took longer than it was allowed.

    Attributes
    ----------
    ranks : tuple of int
        The ranks that had not answered.
    """

    def __init__(self, message: str, *, ranks: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.ranks = ranks


class KernelError(GangError):
    """A kernel raised.

    Attributes
    ----------
    kind : str
        Class name of the exception: rank 0's if it raised, else that of the rank that answered first.
    reason : str
        That exception's message.
    tracebacks : dict of int to str
        The tracebacks of the ranks that raised.

    Examples
    --------
    >>> error = KernelError("fit raised ValueError: no rows", kind="ValueError", reason="no rows")
    >>> error.kind, error.reason
    ('ValueError', 'no rows')
    """

    def __init__(
        self, message: str, *, kind: str = "", reason: str = "", tracebacks: Mapping[int, str] | None = None
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.reason = reason
        self.tracebacks = dict(tracebacks or {})


class LaunchError(GangError, OSError):
    """The ranks could not be started, or are not what was asked for."""
