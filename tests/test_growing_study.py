"""A study whose axes grow after it has run: only what is new is computed, and the store is that of one run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import sweep
from sweep.variables import VARIABLES, Status
from tests.small_study import SMALLER, SWEEP, UNEQUAL, recorded, run

# weights in no order, which growing must not change
SMALLER = SMALLER.replace("weight_virial: [0.0, 1.0]", "weight_virial: [1.0, 0.0]")
LONGER = SMALLER.replace("n_train: [4]", "n_train: [2, 4]").replace("replica: 1", "replica: 2")


def test_longer_axes_cost_only_what_is_new(tmp_path: Path) -> None:
    study, store = tmp_path / "small-iron.yaml", tmp_path / "small-iron.zarr"
    study.write_text(SMALLER)
    status, output, errors = run(study)
    assert status == 0, output + errors
    first = recorded(store)
    study.write_text(LONGER)
    planned = subprocess.run(
        [*SWEEP, "plan", study.name], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert "2 points done, 6 to do" in planned
    assert "new: n_train 2; replica 1" in planned
    # two weightings of the size that is new, of both, and of the replica that is new
    assert "to do: 2 of a new n_train, 2 of a new n_train and replica, 2 of a new replica" in planned
    stages = {words[0]: line for line in planned.splitlines() if (words := line.split()) and "to run" in line}
    assert all(" GB (from " in stages[name] for name in ("training", "factors", "fits", "relaxations")), (
        planned
    )
    assert "in all about" in planned
    status, output, errors = run(study)
    assert status == 0, output + errors
    again, output, errors = run(study)
    assert again == 0, output + errors
    assert set(recorded(store).values()) == {1}
    assert first.keys() < recorded(store).keys()
    # the fit of a point that was there is found although the smaller size is now its prefix
    exported = [*SWEEP, "export", store.name, "--at", "n_train=4,replica=0,weight_virial=1", "-o", "old.yace"]
    subprocess.run(exported, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "old.yace").stat().st_size > 0
    other = tmp_path / "other"
    other.mkdir()
    (other / study.name).write_text(LONGER)
    status, output, errors = run(other / study.name)
    assert status == 0, output + errors
    grown, whole = sweep.open_store(store).load(), sweep.open_store(other / store.name).load()
    assert grown["status"].dims == whole["status"].dims
    xr.testing.assert_identical(grown["status"], whole["status"])
    assert bool((grown["status"] == Status.relaxed).all())
    for variable in VARIABLES:
        if variable.name in whole and variable.name not in UNEQUAL:
            # prefixes merge in another order, which is rounding; conditions and steps feel that most
            np.testing.assert_allclose(
                grown[variable.name], whole[variable.name], rtol=1e-4, atol=1e-8, err_msg=variable.name
            )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("weight_virial: [1.0, 0.0]", "weight_virial: [1.0, 0.0, 10.0]", "stay as they are"),
        ("n_train: [4]", "n_train: [8]", "new values may be added, none left out"),
        ("simulation_radius: [12.0]", "simulation_radius: [12.0, 9.0]", None),
        ("[12.0]", "[12.0, 12.5]", "largest.simulation_radius was 12.0, is now 12.5"),
        ("domain_radius: [7.0]", "domain_radius: [7.0, 8.0]", "largest.domain_radius was 7.0, is now 8.0"),
    ],
)
def test_what_cannot_grow_is_refused(
    finished: Path, tmp_path: Path, old: str, new: str, message: str | None
) -> None:
    """What would change numbers that are there: every training set is cut from the largest cylinder."""
    study = tmp_path / "small-iron.yaml"
    study.write_text(SMALLER.replace("comparison_radius: 36.0", "comparison_radius: 40.0"))
    (tmp_path / "small-iron.zarr.run").mkdir()
    from sweep.prepared import prepare

    prepared = prepare(study, None, None)
    prepared.identity.write(tmp_path / "small-iron.zarr.run")
    text = study.read_text()
    assert old in text
    study.write_text(text.replace(old, new))
    planned = subprocess.run(
        [*SWEEP, "plan", study.name, "--store", "small-iron.zarr"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert planned.returncode == (2 if message else 0), planned.stderr
    if message:
        assert message in planned.stderr
        assert "Traceback" not in planned.stderr
