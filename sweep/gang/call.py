"""Calls on a gang: the request, the ranks' answers, and what it means when they do not come."""

from __future__ import annotations

import math
import pickle
import select
import time
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import NamedTuple

from sweep.gang.connections import LONGEST_LIMIT_S, NotPlainError, receive, set_time_limit
from sweep.gang.errors import GangDied, GangTimeout, KernelError
from sweep.gang.launch import Launch
from sweep.gang.options import GangOptions

LAUNCHER_LOOK_S = 0.5
"""How often a wait looks whether the launcher is still there; that a rank went is seen at once."""
RANK_MARGIN_S = 5.0
"""A rank ends itself this long after its owner should have ended it."""
ENOUGH = b"enough"
"""Tells ranks to begin no further call of a series; `kernels.rank` knows it by the same name."""


class RankFailure(NamedTuple):
    """What a rank says of the exception that it raised, or what is wrong with its answer, which it is unaware of."""

    kind: str
    reason: str
    traceback: str
    unaware: bool = False


class Ended(Enum):
    """What ranks answer in the place of a call that was not begun, the owner having had enough."""

    ENDED = "ended"


class _TimeUpError(Exception):
    """The deadline of a call, or of the grace after a failure, has passed."""


class _GoneError(Exception):
    """Ranks went away."""


class Call:
    """One call, or a series of them with one request, from that to the ranks' answers.

    Parameters
    ----------
    launch : Launch
        The ranks, gathered and idle.
    options : GangOptions
        What they were launched with.
    function : str
        The kernel, for the messages of errors.
    timeout_s : float or None
        Seconds each call may take, the first from now, another from the answers to the one before; None: for ever.

    Notes
    -----
    An error raised by `send`, `enough` or `answers` means that the ranks are no longer fit for use.
    """

    def __init__(self, launch: Launch, options: GangOptions, function: str, timeout_s: float | None) -> None:
        self._launch = launch
        self._options = options
        self._function = function
        self._timeout_s = math.inf if timeout_s is None else timeout_s
        self._deadline = time.monotonic() + self._timeout_s
        self._answers: dict[int, object] = {}
        self._peaks: list[object] = []
        self._all = self._waiting_for(range(options.ranks))

    @property
    def peak_memory_bytes(self) -> int | None:
        """What the ranks that returned held at most, added up (bytes); None where one could not tell."""
        known = [peak for peak in self._peaks if isinstance(peak, int)]
        return sum(known) if known and len(known) == len(self._peaks) else None

    def send(self, body: bytes) -> None:
        """Tell every rank that calls come, and rank 0 what they are: the pickled name and arguments."""
        if self._launch.process.poll() is not None:
            raise self._died(())
        self._launch.mark_log()
        limit_s = None
        if self._timeout_s < LONGEST_LIMIT_S:
            limit_s = self._timeout_s + self._options.grace_s + RANK_MARGIN_S
        request = pickle.dumps((len(body), limit_s), protocol=5)
        for rank in range(self._options.ranks):
            self._deliver(rank, request)
        self._deliver(0, body)

    def enough(self) -> None:
        """Tell every rank to begin no further call of the series."""
        for rank in range(self._options.ranks):
            self._deliver(rank, ENOUGH, limited=False)

    def answers(self) -> dict[int, object]:
        """Wait for every rank; return what each answered to a call, by rank, in the order of their coming.

        Asked again, it waits for the answers to the next call of the series; where ranks had been told that it is
        enough, that may be `Ended.ENDED` from each.

        Raises
        ------
        KernelError
            Some ranks raised, and others went away or did not answer within the grace.
        GangDied, GangTimeout
            As they say.
        """
        self._answers, self._peaks = {}, []
        try:
            while len(self._answers) < self._options.ranks:
                self._collect()
                if failures(self._answers):
                    # The others may sit in a collective for ever.
                    self._deadline = min(self._deadline, time.monotonic() + self._options.grace_s)
        except _TimeUpError:
            if failures(self._answers):
                raise self._failed(f"did not come back within {self._options.grace_s:g} s") from None
            raise self._timed_out() from None
        except _GoneError as error:
            if failures(self._answers):
                raise self._failed("went away") from None
            raise self._died(error.args) from None
        self._deadline = time.monotonic() + self._timeout_s
        return self._answers

    def _deliver(self, rank: int, message: bytes, *, limited: bool = True) -> None:
        connection = self._launch.connections[rank]
        try:
            if limited:
                set_time_limit(connection, self._remaining())
            connection.send_bytes(message)
        except (BlockingIOError, _TimeUpError):
            raise self._timed_out() from None
        except OSError:
            raise self._died((rank,)) from None

    def _remaining(self) -> float:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise _TimeUpError
        return remaining

    def _missing(self) -> tuple[int, ...]:
        return tuple(rank for rank in range(self._options.ranks) if rank not in self._answers)

    def _collect(self) -> None:
        """Take the answers that are there, waiting a little for the first."""
        # those that have answered may have sent their next answer already
        waiting, ranks = self._waiting_for(self._missing()) if self._answers else self._all
        remaining = self._deadline - time.monotonic()
        # what has come is taken, however late it is looked at
        ready = waiting.poll(1e3 * min(max(remaining, 0.0), LAUNCHER_LOOK_S))
        if not ready and remaining <= 0:
            raise _TimeUpError
        if not ready and self._launch.process.poll() is not None:
            raise _GoneError
        gone = []
        for descriptor, _ in ready:
            try:
                self._take(ranks[descriptor])
            except BlockingIOError:
                raise _TimeUpError from None
            except (EOFError, OSError):
                gone.append(ranks[descriptor])
        if gone:
            raise _GoneError(*gone)

    def _waiting_for(self, ranks: Iterable[int]) -> tuple[select.poll, dict[int, int]]:
        """Give what to wait with, and ranks by descriptor; multiprocessing's own way takes longer than all else."""
        by_descriptor = {self._launch.connections[rank].fileno(): rank for rank in ranks}
        waiting = select.poll()
        for descriptor in by_descriptor:
            waiting.register(descriptor, select.POLLIN)
        return waiting, by_descriptor

    def _take(self, rank: int) -> None:
        """Take what a rank has sent."""
        # the limit set with the request serves each answer, or it would be two calls to the system for each
        limit_s = self._options.grace_s if failures(self._answers) else None
        try:
            outcome, *content = receive(self._launch.connections[rank], limit_s)
        except NotPlainError as error:
            reason = f"it returned {error}: return builtin objects and NumPy arrays"
            self._answers[rank] = RankFailure("NotPlainError", reason, "", unaware=True)
            return
        if outcome == "raised":
            kind, reason, traceback = map(str, content)
            self._answers[rank] = RankFailure(kind, reason, traceback)
        elif outcome == "ended":
            self._answers[rank] = Ended.ENDED
        else:
            self._answers[rank], peak = content
            self._peaks.append(peak)

    def _failed(self, what_the_others_did: str) -> KernelError:
        others = f"{_named(self._missing())} {what_the_others_did}, and the gang was ended"
        return kernel_error(self._function, failures(self._answers), self._options.ranks, others)

    def _timed_out(self) -> GangTimeout:
        self._launch.dump_stacks()
        missing = self._missing()
        return GangTimeout(
            f"{self._function} took longer than {self._timeout_s:g} s: {_named(missing)} of "
            f"{self._options.ranks} had not answered; the gang was ended, the next call starts a new one",
            ranks=missing,
        )

    def _died(self, gone: tuple[int, ...]) -> GangDied:
        code = self._launch.exit_code(self._options.grace_s)
        who = f"{_named(gone)} of {self._options.ranks}" if gone else "the launcher"
        status = "" if code is None else f" (exit code {code})"
        return GangDied(
            f"{who} went away during {self._function}{status}; the next call starts a new gang",
            ranks=gone,
            exit_code=code,
        )


def failures(answers: dict[int, object]) -> dict[int, RankFailure]:
    """Return those of the answers that are failures."""
    return {rank: answer for rank, answer in answers.items() if isinstance(answer, RankFailure)}


def kernel_error(
    function: str, failures: Mapping[int, RankFailure], ranks: int, others: str = ""
) -> KernelError:
    """Put the ranks' failures, and what became of the other ranks, into one error."""
    first = failures[0 if 0 in failures else next(iter(failures))]
    kind, reason, traceback = first.kind, first.reason, first.traceback
    message = f"{function} raised {kind} on {_named(tuple(sorted(failures)))} of {ranks}: {reason}"
    return KernelError(
        "\n".join(filter(None, [message, others, traceback.rstrip()])),
        kind=kind,
        reason=reason,
        tracebacks={rank: failure.traceback for rank, failure in failures.items()},
    )


def _named(ranks: tuple[int, ...]) -> str:
    return f"{'rank' if len(ranks) == 1 else 'ranks'} {', '.join(map(str, ranks))}"
