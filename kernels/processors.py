"""One processor for each rank: the one it is given, or one that no other rank on its host has; and what it can do."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterable
from pathlib import Path

CLAIMED = "claimed"
"""Instead of a processor's number: each rank takes a free one of those that it may use."""

_claims: list[int] = []


def claim(processors: Iterable[int]) -> int | None:
    """Claim the first of `processors` that no process on this host has claimed, until this process ends.

    A claim is an abstract Unix socket by the processor's number: the kernel gives a name to one process at a time,
    whosever it is, and frees it when the process ends, however it ends.

    Returns
    -------
    int or None
        The processor; None if all of them are claimed.

    Examples
    --------
    >>> claim([])
    """
    for processor in processors:
        claimed = socket.socket(socket.AF_UNIX)
        try:
            claimed.bind(f"\0farfield-processor-{processor}")
        except OSError:
            claimed.close()
            continue
        # a bare descriptor: a socket that is never closed would be warned of when the interpreter ends
        _claims.append(claimed.detach())
        return processor
    return None


def cores_first(processors: Iterable[int], topology: Path = Path("/sys/devices/system/cpu")) -> list[int]:
    """Order processors so that every core's first hardware thread comes before any core's second.

    Parameters
    ----------
    processors : iterable of int
        Numbers of processors.
    topology : Path
        Where the kernel says which are threads of one core; if it does not, each counts as a core.
    """
    seen: dict[str, int] = {}
    turn = {}
    for processor in sorted(processors):
        try:
            core = (topology / f"cpu{processor}" / "topology" / "thread_siblings_list").read_text()
        except OSError:
            core = f"cpu{processor}"
        turn[processor] = seen[core] = seen.get(core, -1) + 1
    return sorted(turn, key=lambda processor: (turn[processor], processor))


def take(given: int | str | None) -> None:
    """Confine this process, and the threads it will start, to one processor.

    Parameters
    ----------
    given : int, "claimed" or None
        The processor's number; or claim a free one, and share those that there are if none is free; None: as it is.
    """
    if given == CLAIMED:
        allowed = cores_first(os.sched_getaffinity(0))
        given = claim(allowed)
        if given is None:
            print(  # noqa: T201 - a rank's standard output is the gang's log
                f"rank on {os.uname().nodename}: other gangs have all {len(allowed)} processors that it may use; it "
                "shares them and will be slow. Ask for as many processors as there are ranks.",
                flush=True,
            )
    if isinstance(given, int):
        os.sched_setaffinity(0, {given})


def abilities() -> str:
    """Name what this host's processor can do: what was compiled for one host runs on others of the same name.

    Hosts of one model may differ, virtual ones above all.

    Examples
    --------
    >>> abilities() == abilities()
    True
    """
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "any"
    listed = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(listed.encode()).hexdigest()[:12]


def processor_count() -> int:
    """Count the processors that this process may use.

    Examples
    --------
    >>> processor_count() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
