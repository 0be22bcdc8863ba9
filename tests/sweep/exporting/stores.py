"""A small store with results, failures and holes, for the tests of exports."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sweep.store import create_store, write_records
from sweep.store.configurations import write_configuration
from tests.sweep.small_store import EDGES, GRID, block_record, point_record

ATTRIBUTES = {
    "study": "study: small\n",
    "fingerprint": {"seed": 0, "potential": {"kind": "lammps", "element": "W"}},
    "packages": {"numpy": "2.0"},
}
SITES = 5
PERIOD = 2.75


def configuration() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    vectors = ("sites", "displacement_predictor", "displacement_corrector")
    return {**{name: random.random((SITES, 3)) for name in vectors}, "free": np.arange(SITES) < 3}


def filled_store(path: Path) -> Path:
    """Every block but the last estimated or failed, one point of it relaxed."""
    create_store(path, GRID, EDGES, ATTRIBUTES)
    blocks = list(GRID.blocks())
    for number, block in enumerate(blocks[:-1]):
        status = "failed" if number == 3 else "estimated"
        write_records(path, [block_record(block, seed=number, status=status)])
    write_records(path, [point_record(1, blocks[0])])
    for dislocation in ("screw", "edge"):
        write_configuration(path, dislocation, 25.0, configuration())
    return path
