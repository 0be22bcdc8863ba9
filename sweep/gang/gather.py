"""Gathering a gang: from the launcher's start to every rank being ready to serve."""

from __future__ import annotations

import pickle
import time
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from sweep.gang.connections import receive
from sweep.gang.errors import LaunchError
from sweep.gang.launch import Launch
from sweep.gang.options import GangOptions
from sweep.gang.rank_command import check_resolved

LAUNCHER_LOOK_S = 0.2
"""How often the wait looks whether the launcher is still there."""


def gather(launch: Launch, options: GangOptions) -> tuple[int, ...]:
    """Wait until every rank has joined, and leave their connections in `launch`, in order of rank.

    Returns
    -------
    tuple of int
        The ranks' process ids, each on its own host.

    Raises
    ------
    LaunchError
        The launcher or a rank went away, a rank could not join MPI or import what it should, the MPI
        world has another size, the ranks' package `kernels` is another project's, or the time was up.
    """
    deadline = time.monotonic() + options.start_timeout_s
    cpus = options.cpus if isinstance(options.cpus, tuple) else (options.cpus,) * options.ranks
    welcome = pickle.dumps({"cpus": cpus, "preload": options.preload}, protocol=5)
    joined: dict[int, tuple[Connection, int]] = {}
    listening = launch.listener.fileno()
    waiting: list[Connection] = []
    while len(joined) < options.ranks:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise _late(launch, options, len(joined))
        ready = wait([listening, *waiting], min(remaining, LAUNCHER_LOOK_S))
        if not ready and launch.process.poll() is not None:
            raise _gone(launch, "the launcher")
        if listening in ready:
            newcomer = launch.listener.accept()
            if newcomer is not None:
                launch.connections.append(newcomer)
                waiting.append(newcomer)
                _welcome(newcomer, welcome, launch)
        for connection in [connection for connection in waiting if connection in ready]:
            waiting.remove(connection)
            news = _news(connection, remaining, launch, options)
            joined[news["rank"]] = connection, news["pid"]
    launch.stop_listening()
    in_order = [joined[rank] for rank in range(options.ranks)]
    launch.connections[:] = [connection for connection, _ in in_order]
    return tuple(pid for _, pid in in_order)


def _welcome(newcomer: Connection, welcome: bytes, launch: Launch) -> None:
    try:
        newcomer.send_bytes(welcome)
    except OSError:
        raise _gone(launch, "a rank") from None


def _news(connection: Connection, limit_s: float, launch: Launch, options: GangOptions) -> dict[str, Any]:
    """Receive what a rank says of its joining, and check it."""
    try:
        outcome, *content = receive(connection, limit_s)
    except BlockingIOError:
        raise _late(launch, options, 0) from None
    except (EOFError, OSError):
        raise _gone(launch, "a rank") from None
    if outcome == "raised":
        kind, reason, traceback = content
        raise LaunchError(f"a rank could not start: {kind}: {reason}\n{traceback}")
    news: dict[str, Any] = content[0]  # type: ignore[assignment]
    if news["size"] != options.ranks:
        size = news["size"]
        raise LaunchError(
            f"the launcher gave an MPI world of {size} where {options.ranks} ranks were asked for: it "
            "and the ranks' MPI library do not match. Use this environment's mpiexec, or 'srun --mpi=pmi2'."
        )
    check_resolved(Path(news["kernels"]))
    return news


def _gone(launch: Launch, who: str) -> LaunchError:
    code = launch.exit_code(patience_s=1.0)
    status = "" if code is None else f" (exit code {code})"
    return LaunchError(f"{who} went away before every rank was ready{status}")


def _late(launch: Launch, options: GangOptions, joined: int) -> LaunchError:
    launch.dump_stacks()
    return LaunchError(
        f"{joined} of {options.ranks} ranks were ready after {options.start_timeout_s:g} s: the host "
        "is overloaded or the launcher hangs. Raise start_timeout_s, or look at the launcher."
    )
