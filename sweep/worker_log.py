"""A worker's log: a line of JSON for each call of a kernel, with the coordinates of what it was for."""

from __future__ import annotations

import json
import logging
import logging.handlers
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from sweep.artefacts import Recipe
from sweep.causes import now
from sweep.gang import GangDied, GangError, GangTimeout
from sweep.grid import DIMENSIONS, Block, Cylinder
from sweep.grid.dimensions import WHOLE_DIMENSIONS

#: A log of more bytes is put aside, ...
LARGEST = 8 * 2**20
#: ... and so many of these are kept.
KEPT = 3
#: A line of what went well may wait so long for the next one before it is written, s.
LONGEST_WAIT_S = 0.5
_ENCODER = json.JSONEncoder(default=str)
#: Labels along the dimensions that number a block's weightings.
WeightLabels = Mapping[str, tuple[float, ...]]


class _Rotating(logging.handlers.RotatingFileHandler):
    size = 0
    flushed = -math.inf

    def put(self, line: str, *, wait: bool) -> None:
        """Append a line that is formatted already: logging's own way there takes several times as long."""
        assert self.lock is not None
        # a full disk costs lines of the log, never a result
        with self.lock, suppress(OSError):
            if self.stream is not None and self.size + len(line) >= self.maxBytes:
                self.doRollover()
            if self.stream is None:
                self.stream = self._open()
            if not self.size:
                self.size = self.stream.tell()
            self.stream.write(line + "\n")
            self.size += len(line) + 1
            if not wait or time.monotonic() - self.flushed > LONGEST_WAIT_S:
                self.stream.flush()
                self.flushed = time.monotonic()

    def doRollover(self) -> None:  # noqa: N802 - as logging names it
        """Put the file aside."""
        super().doRollover()
        self.size = 0


class WorkerLog:
    """Appends lines to ``worker-NAME.jsonl`` in a folder.

    Each line is an object with ``time`` (ISO 8601, UTC), ``level``, ``worker``, ``stage``, ``function``, ``at`` (the
    coordinates that the call was for), ``attempt``, ``ranks``, ``duration_s`` and ``outcome``: succeeded, raised, timed
    out, died, or not started. Of what succeeded ``peak_memory_mb`` says how much memory the ranks held at most, added
    up over them (10⁶ bytes), where the machine tells. ``message`` says more of what did not succeed, ``status`` how a
    relaxation ended.

    Parameters
    ----------
    folder
        The run's logs; made where it is missing.
    worker
        Its name.
    """

    def __init__(self, folder: Path, worker: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"worker-{worker}.jsonl"
        self._handler = _Rotating(path, maxBytes=LARGEST, backupCount=KEPT, encoding="utf-8", delay=True)
        self._worker = worker

    def write(self, level: int, **fields: Any) -> None:
        """Append a line."""
        words = {
            "time": now(),
            "level": logging.getLevelName(level).lower(),
            "worker": self._worker,
            **fields,
        }
        self._handler.put(_ENCODER.encode(words), wait=level < logging.WARNING)

    def flush(self) -> None:
        """Write out what waits."""
        with suppress(OSError):
            self._handler.flush()

    def close(self) -> None:
        """Close the file; what a full disk did not take is lost."""
        with suppress(OSError):
            self._handler.close()


def outcome_of(error: GangError) -> str:
    """Say in a word or two how a call ended that did not succeed."""
    if isinstance(error, GangTimeout):
        return "timed out"
    if isinstance(error, GangDied):
        return "died"
    return "not started" if isinstance(error, OSError) else "raised"


def coordinates(place: Block | Cylinder) -> dict[str, Any]:
    """Give the labels of a block or a cylinder, by dimension.

    Examples
    --------
    >>> coordinates(Cylinder("screw", 25.0))
    {'dislocation': 'screw', 'simulation_radius': 25.0}
    """
    labels_of = ((each.name, getattr(place, each.name)) for each in fields(place))
    return {name: label for name, label in labels_of if label is not None}


def coordinates_of_points(
    block: Block, weightings: Sequence[int], labels: WeightLabels
) -> list[dict[str, Any]]:
    """Give the labels of points of a block.

    Examples
    --------
    >>> labels = {"weight_energy": (1.0,), "weight_virial": (0.0, 10.0)}
    >>> coordinates_of_points(Block("screw", 25.0, 6, 8.0, 4, 0), [1], labels)[0]["weight_virial"]
    10.0
    """
    outer = coordinates(block)
    if not labels:
        return [dict(outer) for _ in weightings]
    places = np.unravel_index(np.asarray(weightings, dtype=int), [len(values) for values in labels.values()])
    columns = [
        [values[place] for place in along]
        for values, along in zip(labels.values(), np.stack(places).tolist(), strict=True)
    ]
    return [outer | dict(zip(labels, point, strict=True)) for point in zip(*columns, strict=True)]


def coordinates_of_recipe(recipe: Recipe) -> dict[str, Any]:
    """Give the labels that an artefact's recipe names without ambiguity, and the artefact's key.

    Examples
    --------
    >>> at = coordinates_of_recipe(Recipe("kernels.equilibrium:rough", 1, {"simulation_radius": 25.0, "cutoff": 5.0}))
    >>> at["simulation_radius"], len(at["artefact"])
    (25.0, 12)
    """
    found: dict[str, set[Any]] = {}
    for name, label in _labels(recipe.inputs):
        found.setdefault(name, set()).add(label)
    at = {name: labels.pop() for name, labels in found.items() if len(labels) == 1}
    return at | {"artefact": recipe.key[:12]}


def _labels(inputs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in inputs.items():
        if isinstance(value, Recipe):
            yield from _labels(value.inputs)
        elif isinstance(value, Mapping):
            yield from _labels(value)
        elif name in DIMENSIONS and isinstance(value, (str, int, float)):
            # recipes write 25.0 as 25
            yield name, value if isinstance(value, str) or name in WHOLE_DIMENSIONS else float(value)
