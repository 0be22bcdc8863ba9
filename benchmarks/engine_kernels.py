"""Kernels whose cost is known, for the benchmark of the engine: they answer as a relaxation of a point does."""

from __future__ import annotations

import time
from typing import Any

BINS = 16


def spin(seconds: float) -> None:
    """Use so much processor time (s)."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def measured(weighting: int) -> dict[str, Any]:
    """Values of a point, as many as a relaxation has."""
    return {
        "newton_steps": 4,
        "force_evaluations": 40,
        "residual_force": 1e-7,
        "relative_stiffness": 0.9,
        "geometry_error": 0.01 * (weighting + 1),
        "energy_difference": -0.001,
        "energy_error": 0.001,
        "strain_error_profile": [1e-3] * BINS,
    }


def point(comm: Any, *, weighting: int, seconds: float) -> dict[str, Any]:  # noqa: ARG001 - as kernels are called
    """Take so much processor time for a point."""
    started = time.perf_counter()
    spin(seconds)
    return {
        "status": "relaxed",
        "message": "",
        **measured(weighting),
        "wall_time": time.perf_counter() - started,
    }
