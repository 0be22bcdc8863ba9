"""What is known of fits on another dislocation, made up."""

from __future__ import annotations

import numpy as np

from sweep.grid import Block
from sweep.transfers.variables import GIVEN
from tests.sweep.small_store import N_WEIGHTINGS

STATUSES = ("excluded", *["estimated"] * (N_WEIGHTINGS - 1))


def known_of(block: Block, target: str) -> dict[str, np.ndarray]:
    """Something that each block, target and weighting has alone."""
    start = float(len(target)) + block.replica + block.degree / 10 + block.domain_radius / 100
    values = {name: start + i + np.arange(N_WEIGHTINGS) / 1000 for i, name in enumerate(GIVEN)}
    for name in ("rmse_energy", "rmse_forces"):
        values[name] = np.stack([values[name], values[name] + 0.5], axis=-1)
        values[name][0] = np.nan
    return values
