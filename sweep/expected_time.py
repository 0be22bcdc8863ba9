"""How long what is left would take, from what earlier points took."""

from __future__ import annotations

import numpy as np

from sweep.location import StoreLike
from sweep.store import open_store
from sweep.variables import Status


def seconds_of_points(store: StoreLike) -> tuple[float, int]:
    """Median wall time of the relaxed points of a store (s), and how many they are; NaN where there are none.

    Raises as `sweep.open_store`.
    """
    dataset = open_store(store)
    seconds = dataset["wall_time"].values[dataset["status"].values == Status.relaxed]
    seconds = seconds[np.isfinite(seconds)]
    return (float(np.median(seconds)), len(seconds)) if len(seconds) else (np.nan, 0)


def in_words(points: int, median_s: float, measured: int) -> str:
    """Say how long so many points would take one worker.

    Examples
    --------
    >>> in_words(1800, 4.0, 12)
    'about 2 h of one worker for 1800 relaxations, at 4 s a point (median of 12)'
    >>> in_words(10, float("nan"), 0)
    'how long relaxations take is not known: no point of this store is relaxed yet'
    """
    if not measured:
        return "how long relaxations take is not known: no point of this store is relaxed yet"
    seconds = points * median_s
    units = (("h", 3600.0), ("min", 60.0), ("s", 1.0))
    unit, size = next(((unit, size) for unit, size in units if seconds >= size), units[-1])
    return (
        f"about {seconds / size:.3g} {unit} of one worker for {points} relaxations, at {median_s:.3g} s a point "
        f"(median of {measured})"
    )
