"""Fits of one dislocation judged on another, end to end: beside the estimates of both, and relaxed there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

import sweep
from sweep.variables import Status, Trust
from tests.small_study import SMALLER, SWEEP

TWO = SMALLER.replace("dislocations: [screw]", "dislocations: [screw, edge]").replace(
    ", comparison_radius: 36.0", ""
)


def command(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [*SWEEP, *words], cwd=folder, capture_output=True, text=True, timeout=560, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_fits_are_judged_on_the_other_dislocation_and_relaxed_there(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(TWO)
    command(tmp_path, "screen", "two.yaml")
    planned = command(tmp_path, "plan", "two.yaml")
    assert re.search(r"transfers +0 to run", planned), planned
    told = command(tmp_path, "transfer", "small-iron.zarr", "--sample", "3")
    assert "trained on" in told
    ds = sweep.open_store(tmp_path / "small-iron.zarr").load()
    for name in ("screw", "edge"):
        own = ds.sel(dislocation=name, target_dislocation=name)
        for variable in ("geometry_estimate", "energy_estimate", "trust_ratio", "rmse_forces", "status"):
            np.testing.assert_array_equal(own[f"transfer_{variable}"], own[variable], err_msg=variable)
    across = ds.sel(dislocation=["screw", "edge"]).where(ds["dislocation"] != ds["target_dislocation"])
    assert int(np.isfinite(across["transfer_geometry_estimate"]).sum()) == ds["status"].size
    status = ds["transfer_status"].where(ds["dislocation"] != ds["target_dislocation"])
    assert int(status.isin([int(each) for each in Status if each > Status.estimated]).sum()) == 3
    # where linear response says that it can be relied on, it can
    trusted = across["transfer_estimate_trusted"] == Trust.trusted
    ratios = across["transfer_effectivity"].values[
        (trusted & across["transfer_effectivity"].notnull()).values
    ]
    assert ((ratios > 0.5) & (ratios < 2.0)).all()
