"""The file to which a gang's ranks print: its last lines, and a bound on its size."""

from __future__ import annotations

import os
from pathlib import Path

LINES, BYTES = 40, 8192
"""How much of a log an error quotes."""
LARGEST = 16 * 2**20
"""A log of more bytes is put aside, in place of the one before it, when a gang starts."""


def log_of(folder: Path, worker: str) -> Path:
    """Name the log of the gang of a Dask worker."""
    return folder / f"gang-{worker}.log"


def last_lines(log: Path, start: int = 0) -> str:
    """Return the last lines of a log from the byte `start` on; empty where there are none, or no log."""
    try:
        with log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(start, end - BYTES))
            lines = file.read().decode(errors="replace").splitlines()[-LINES:]
    except OSError:
        return ""
    return "\n".join(lines)


def put_aside(log: Path) -> None:
    """Rename a log that has grown too large, so that a new one begins."""
    if log.exists() and log.stat().st_size > LARGEST:
        log.replace(log.with_name(log.name + ".1"))
