"""What calls of kernels took so far, time and memory: read off the workers' logs, points also off the store."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sweep.location import StoreLike
from sweep.store import open_store
from sweep.variables import Status

# No more of the logs is read than a second's worth, the newest first: workers keep 32 MiB each.
MOST_BYTES = 64 * 2**20
#: Dimensions of which larger labels cost more.
SIZES = ("simulation_radius", "degree", "domain_radius", "n_train", "order", "cutoff")


@dataclass(frozen=True)
class Spent:
    """What calls of one kernel took that succeeded.

    Parameters
    ----------
    calls
        How many they are.
    seconds
        Mean of their wall times (s), the start of a gang left out.
    memory_mb
        Most resident memory that a gang's ranks held in one of them, added up (10⁶ bytes); NaN where none tells.
    ranks
        Sizes of the gangs.
    largest
        Largest label that was met along each of `SIZES`.
    """

    calls: int
    seconds: float
    memory_mb: float = math.nan
    ranks: frozenset[int] = frozenset()
    largest: Mapping[str, float] = field(default_factory=dict)


def spent_in_logs(logs: Path) -> dict[str, Spent]:
    """Read what calls took off the logs of a run's workers, by kernel.

    Parameters
    ----------
    logs
        Their folder; it need not exist. Lines that make no sense are passed over: one may be half-written.
    """
    calls: dict[str, list[Mapping[str, Any]]] = {}
    for line in _lines(logs):
        try:
            words = json.loads(line)
            if words["outcome"] == "succeeded":
                calls.setdefault(str(words["function"]), []).append(words)
        except (ValueError, TypeError, KeyError):
            continue
    return {function: _summed(found) for function, found in calls.items()}


def spent_on_points(store: StoreLike) -> Spent | None:
    """Give what relaxations took that a store knows of; None where it knows of none. Raises as `sweep.open_store`."""
    dataset = open_store(store)
    seconds = dataset["wall_time"].values[dataset["status"].values == Status.relaxed]
    seconds = seconds[np.isfinite(seconds)]
    return Spent(len(seconds), float(seconds.mean())) if len(seconds) else None


def _lines(logs: Path) -> Iterator[str]:
    """Go through the lines of logs, those put aside too, the newest file first, as far as `MOST_BYTES` go."""
    left = MOST_BYTES
    for _, path in sorted(((_modified(path), path) for path in logs.glob("worker-*.jsonl*")), reverse=True):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:  # rotated away meanwhile
            continue
        yield from text.splitlines()
        left -= len(text)
        if left <= 0:
            return


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _summed(calls: Iterable[Mapping[str, Any]]) -> Spent:
    calls = list(calls)
    memory = [float(call["peak_memory_mb"]) for call in calls if "peak_memory_mb" in call]
    largest: dict[str, float] = {}
    for call in calls:
        for name, label in call.get("at", {}).items():
            if name in SIZES:
                largest[name] = max(float(label), largest.get(name, -math.inf))
    return Spent(
        len(calls),
        sum(float(call["duration_s"]) for call in calls) / len(calls),
        max(memory, default=math.nan),
        frozenset(int(call["ranks"]) for call in calls),
        largest,
    )
