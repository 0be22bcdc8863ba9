"""How far a run has come, seen from outside: its artefacts and its journals."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sweep.journal import SUFFIX
from sweep.stages import STAGE_OF, STAGES
from tests.small_study import recorded

HEADER_BYTES = 12


@dataclass(frozen=True)
class Progress:
    """Looks at a run folder.

    Parameters
    ----------
    store
        The store, which need not exist yet.
    """

    store: Path

    @property
    def run(self) -> Path:
        """Its run folder."""
        return self.store.with_name(self.store.name + ".run")

    def count(self) -> tuple[int, int]:
        """Number of artefacts, and bytes of records: either grows with every result."""
        artefacts = sum(1 for _ in (self.run / "artefacts").glob("*/*.npz"))
        sizes = (path.stat().st_size for path in (self.run / "journals").glob(f"*{SUFFIX}"))
        return artefacts, sum(max(0, size - HEADER_BYTES) for size in sizes)

    def keys(self) -> frozenset[tuple[str, int | None]]:
        """What is journaled."""
        return frozenset(recorded(self.store))

    def stage(self, since: float, before: frozenset[tuple[str, int | None]]) -> str:
        """Name the furthest stage of which something was made since then (seconds since the epoch)."""
        made = set()
        for path in (self.run / "artefacts").glob("*/*.npz"):
            if path.stat().st_mtime >= since:
                with np.load(path) as arrays:
                    made.add(STAGE_OF[json.loads(str(arrays["__recipe__"]))["function"]])
        for key, weighting in self.keys() - before:
            block = "estimates" if weighting is None else "relaxations"
            made.add(block if "degree" in key else "truncation")
        return max(made, key=list(STAGES).index, default="nothing made yet")
