"""A gang: MPI ranks, started once and owned by this process, that run kernels named by strings.

The owner imports neither the kernels nor MPI. A kernel that exits, crashes, raises on one rank or never
returns costs one call, an error that says what happened, and a new gang for the next call.
"""

from __future__ import annotations

import pickle
import re
import threading
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from sweep.gang.call import Call, Ended, RankFailure, failures, kernel_error
from sweep.gang.errors import GangError
from sweep.gang.gather import gather
from sweep.gang.launch import Launch
from sweep.gang.options import GangOptions

FAILURES_A_GENERATION = 200
"""Each failed call leaves a communicator that is never freed, of which MPICH has some 2,000."""

CLOSED = "this gang has been closed: make another"


class Gang:
    """MPI ranks that run kernels for this process.

    The ranks are started by the first call, and again by the call after one that ended them. Threads may
    share a gang: their calls take turns. Leaving the context, `close`, the garbage collector and the end
    of this process, however it comes, end the ranks.

    Parameters
    ----------
    options : GangOptions
        How many ranks, and how they are launched.

    Examples
    --------
    >>> with Gang(GangOptions(ranks=1)) as gang:
    ...     gang.call("builtins:bool")  # of the communicator: it is a live one
    True
    """

    def __init__(self, options: GangOptions) -> None:
        self.options = options
        self._lock = threading.Lock()
        self._turn_of: int | None = None
        self._launch: Launch | None = None
        self._end: Callable[[], object] = _nothing
        self._pids: tuple[int, ...] = ()
        self._generation = 0
        self._failures = 0
        self._closed = False
        self._peak_memory_bytes: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def generation(self) -> int:
        """How many times the ranks have been started."""
        return self._generation

    @property
    def alive(self) -> bool:
        """Whether ranks are running."""
        launch = self._launch
        return launch is not None and launch.process.poll() is None

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the ranks, in order; empty when none are running."""
        return self._pids

    @property
    def launcher_pid(self) -> int | None:
        """Process id of the launcher; None when no ranks are running."""
        launch = self._launch
        return None if launch is None else launch.process.pid

    @property
    def peak_memory_bytes(self) -> int | None:
        """Most resident memory of the ranks in the last call that returned, added up over them (bytes).

        What they share is counted for each. None before the first call, and where the machine does not tell.
        """
        return self._peak_memory_bytes

    def call(self, function: str, /, *, timeout_s: float | None = None, **arguments: Any) -> Any:
        """Run a kernel on every rank and return rank 0's value.

        Parameters
        ----------
        function : str
            ``"module:function"``. Each rank imports it and calls ``function(comm, **arguments)``, `comm`
            a communicator of the gang's ranks that lives as long as the call.
        timeout_s : float, optional
            Seconds the kernel may take, not counting the start of the ranks. Default: no limit.
        **arguments
            Plain data and NumPy arrays; they are pickled once and broadcast.

        Returns
        -------
        object
            What the function returned on rank 0: builtin objects and NumPy arrays.

        Raises
        ------
        KernelError
            The kernel raised, or returned more than plain data. If every rank answered, the gang goes on;
            if some did not come back within the grace, it is ended.
        GangDied
            A rank or the launcher went away. The gang is ended.
        GangTimeout
            The call took longer than `timeout_s`. The gang is ended.
        LaunchError
            The ranks could not be started.
        GangError
            The gang has been closed.
        ValueError
            `function` is not of the form ``"module:function"``, or `timeout_s` is not positive.
        """
        [answer] = self.calls(function, [{}], timeout_s=timeout_s, **arguments)
        return answer

    def calls(
        self,
        function: str,
        each: Sequence[Mapping[str, Any]],
        /,
        *,
        timeout_s: float | None = None,
        enough: Callable[[], bool] = bool,
        **shared: Any,
    ) -> Generator[Any, None, None]:
        """Run a kernel several times, one after another, and give rank 0's values as they come.

        The ranks do not wait for what is done with a value: they have begun the next call when it is given. Until the
        last has been given, or this is closed, other calls wait for their turn; closed before that, it ends the ranks.

        Parameters
        ----------
        function : str
            As in `call`.
        each : sequence of mapping
            What each call alone is given.
        timeout_s : float, optional
            Seconds that each call may take.
        enough : callable
            Asked before each value is waited for; once it is true, no call is begun but the one that the ranks may have
            begun already, whose value is given too. By default it never is.
        **shared
            What every call is given; it is sent once, and no kernel is to change it.

        Yields
        ------
        object
            As `call` returns.

        Raises
        ------
        KernelError, GangDied, GangTimeout, LaunchError, GangError, ValueError
            As `call`; the values before have been given, and no call behind is made.

        Examples
        --------
        >>> with Gang(GangOptions(ranks=1)) as gang:
        ...     list(gang.calls("builtins:bool", [{}, {}]))
        [True, True]
        """
        if re.fullmatch(r"[\w.]+:\w+", function) is None:
            raise ValueError(f"{function!r} does not name a kernel: write 'module:function'")
        if timeout_s is not None and not timeout_s > 0:
            raise ValueError(
                f"timeout_s is {timeout_s}: give a positive number of seconds, or None for no limit"
            )
        body = pickle.dumps((function, shared, [dict(own) for own in each]), protocol=5)
        return self._series(function, body, len(each), timeout_s, enough)

    def _series(
        self, function: str, body: bytes, count: int, timeout_s: float | None, enough: Callable[[], bool]
    ) -> Generator[Any, None, None]:
        if not count:
            return
        with self._turn():
            if self._closed:
                raise GangError(CLOSED)
            launch = self._launch or self._start()
            call = Call(launch, self.options, function, timeout_s)
            left, told = count, False
            try:
                call.send(body)
                while left:
                    self._check(launch)
                    if left < count and not told and (told := enough()):
                        call.enough()
                    answers = call.answers()
                    left -= 1
                    if answers[0] is Ended.ENDED:
                        return
                    if failed := failures(answers):
                        break
                    self._peak_memory_bytes = call.peak_memory_bytes
                    yield answers[0]
            except BaseException as error:
                # whoever asks no further leaves ranks that compute what nobody wants
                if left or not isinstance(error, GeneratorExit):
                    self._discard(error)
                raise
            if failed:
                self._raise(function, failed, left)

    def _check(self, launch: Launch) -> None:
        if self._launch is not launch:
            raise GangError(CLOSED)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._turn_of == threading.get_ident():
            raise GangError("a series of calls of this thread is not over: exhaust it first, or close it")
        with self._lock:
            self._turn_of = threading.get_ident()
            try:
                yield
            finally:
                self._turn_of = None

    def _raise(self, function: str, failed: Mapping[int, RankFailure], left: int) -> None:
        """Raise what ranks answered that failed, so many calls of their series before its end."""
        failed_with = kernel_error(function, failed, self.options.ranks)
        assert self._launch is not None
        failed_with.log_tail = self._launch.patient_log_tail()
        self._failures += 1
        unaware = left and all(failure.unaware for failure in failed.values())
        if unaware or self._failures == FAILURES_A_GENERATION:
            self._discard()
        raise failed_with

    def renew(self) -> None:
        """End the ranks that have served calls, so that the next call starts new ones."""
        with self._turn():
            if self._launch is not None:
                self._launch.stop(self.options.grace_s)
            self._discard()

    def close(self) -> None:
        """End the ranks; a call under way in another thread ends at once, with GangDied.

        Closing twice is allowed; calling a closed gang is not.
        """
        self._closed = True
        launch = self._launch
        if self._turn_of == threading.get_ident():
            # a series of this thread's, which ends when it is asked again
            self._discard()
            return
        if not self._lock.acquire(blocking=False):
            if launch is not None:
                launch.kill()
            self._lock.acquire()
        try:
            if self._launch is not None:
                self._launch.stop(self.options.grace_s)
            self._discard()
        finally:
            self._lock.release()

    def _start(self) -> Launch:
        launch = Launch(self.options)
        # Not bound to self, or the gang could never be collected.
        self._end = weakref.finalize(self, launch.end)
        self._launch = launch
        if self._closed:
            self._discard()
            raise GangError("this gang was closed while it started: make another")
        try:
            self._pids = gather(launch, self.options)
        except BaseException as error:
            self._discard(error)
            raise
        self._generation += 1
        self._failures = 0
        return launch

    def _discard(self, error: BaseException | None = None) -> None:
        """End whatever runs; the next call starts anew. An error of the gang's quotes the log, which may go too."""
        if isinstance(error, GangError) and self._launch is not None:
            error.log_tail = self._launch.log_tail()
        self._end()
        self._end, self._launch, self._pids = _nothing, None, ()


def _nothing() -> None:
    """End what was never started."""
