"""The table at the end of a run: errors are those of relaxed points alone."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from sweep.summary import medians
from sweep.variables import Status


def test_errors_are_medians_of_relaxed_points_and_fits_of_all() -> None:
    """Worked out by hand: at weight 1 two of three points have another core, at weight 2 none was relaxed."""
    dims = ("weight_virial", "replica")
    status = [
        [Status.relaxed] * 3,
        [Status.relaxed, Status.other_minimum, Status.unconverged],
        [Status.estimated] * 3,
    ]
    errors = [[0.1, 0.2, 0.6], [0.3, 1.8, 2.0], [math.nan] * 3]
    dataset = xr.Dataset(
        {
            "status": (dims, np.array(status, dtype=np.uint8)),
            "geometry_error": (dims, errors),
            "energy_error": (dims, np.array(errors) / 10.0),
            "far_field_mismatch": (dims, [[4.0, 9.0, 16.0], [1.0, 1.0, 4.0], [0.0, 1.0, 4.0]]),
            "rmse_forces": ((*dims, "config_kind"), np.ones((3, 3, 2))),
        },
        {"weight_virial": [0.0, 1.0, 2.0], "config_kind": ["bulk", "core"]},
    )
    found = medians(dataset)
    assert found[0.0] == (3, (1.0, 3.0, 0.2, 0.02))
    assert found[1.0] == (1, (1.0, 1.0, 0.3, 0.03))
    count, (*fits, geometry, energy) = found[2.0]
    assert (count, fits) == (0, [1.0, 1.0])
    assert math.isnan(geometry)
    assert math.isnan(energy)
