"""Starting gangs of faulty kernels, and seeing that they are gone."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from sweep.gang import Gang, GangOptions

TESTS = Path(__file__).resolve().parents[2]
CHECKOUT = TESTS.parent
SOON_S = 10.0
"""A bound on what takes milliseconds on an idle machine."""


def options(ranks: int = 2, **others: object) -> GangOptions:
    return GangOptions(ranks=ranks, **({"python_path": (str(TESTS),), "grace_s": 0.3} | others))


def call(gang: Gang, kernel: str, **arguments: object) -> object:
    return gang.call(f"faulty_kernels:{kernel}", **arguments)


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def all_gone(pids: object, within_s: float = SOON_S) -> bool:
    end = time.monotonic() + within_s
    while not (done := all(map(gone, pids))) and time.monotonic() < end:
        time.sleep(0.02)
    return done


def command_lines() -> list[bytes]:
    lines = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                lines.append((entry / "cmdline").read_bytes())
    return lines


def started(gang: Gang) -> list[int]:
    """Start a gang; return the process ids of its launcher and its ranks."""
    pids = call(gang, "describe")["pids"]
    assert tuple(pids) == gang.pids
    return [gang.launcher_pid, *pids]
