"""The processes of a run in a folder, by what they are to it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from tests.small_study import processes_of


class Victim(StrEnum):
    """What may be killed; the driver of a local run is scheduler and nanny as well."""

    driver = "driver"
    scheduler = "scheduler"
    nanny = "nanny"
    worker = "worker"
    launcher = "gang launcher"
    rank = "rank"


def words_of(pid: int) -> list[str]:
    """Command line of a process; empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def kind_of(words: list[str]) -> Victim | None:
    """Say what a process is by its command line; None for what is never killed alone."""
    line = " ".join(words)
    if "kernels.rank" in words:
        if Path(words[0]).name.startswith("mpiexec"):
            return Victim.launcher
        return Victim.rank if words[1:4] == ["-P", "-m", "kernels.rank"] else None
    if "multiprocessing" in line and "resource_tracker" not in line:
        return Victim.worker
    if "sweep.cli" in words:
        return Victim.driver
    if "dask" in words:
        return Victim.scheduler if "scheduler" in words else Victim.nanny
    return None


def victims(folder: Path) -> dict[Victim, list[int]]:
    """Processes of runs in a folder by kind, each kind in the order of process ids."""
    found: dict[Victim, list[int]] = {kind: [] for kind in Victim}
    for pid in sorted(processes_of(folder)):
        kind = kind_of(words_of(pid))
        if kind is not None:
            found[kind].append(pid)
    return found
