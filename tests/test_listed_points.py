"""A study that lists its points: those are computed and no others, and a longer list costs only what is new."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import numpy as np

import sweep
from sweep.variables import Status
from tests.small_study import SMALLER, SWEEP, recorded, run

STUDY = (
    SMALLER.replace("  n_train: [4]\n", "")
    .replace("  weight_virial: [0.0, 1.0]\n", "")
    .replace(", comparison_radius: 36.0", "")
    .replace("axes:", "points: points.csv\naxes:")
)
FIRST = "n_train,weight_virial\n4,1.0\n2,0.0\n4,3.0\n"


def counts(store: Path) -> Counter[str]:
    return Counter(Status(flag).name for flag in sweep.open_store(store)["status"].values.ravel().tolist())


def test_a_study_of_listed_points_and_a_longer_list(tmp_path: Path) -> None:
    study, store = tmp_path / "small-iron.yaml", tmp_path / "small-iron.zarr"
    study.write_text(STUDY)
    (tmp_path / "points.csv").write_text(FIRST)
    status, output, errors = run(study)
    assert status == 0, output + errors
    assert "3 relaxed" in output
    cleaned = subprocess.run(
        [*SWEEP, "clean", store.name, "--yes"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert f"needed by {store}" in cleaned
    assert ", finished" in cleaned
    assert "every file in it is needed" in cleaned
    assert counts(store) == {"relaxed": 3, "not_asked": 3}
    ds = sweep.open_store(store)
    asked = (ds["status"] == Status.relaxed).values
    for name in ("geometry_error", "geometry_estimate", "c11"):
        assert np.array_equal(np.isfinite(ds[name].values), asked), name
    first = recorded(store)
    # two blocks and three points
    assert len(first) == 5
    (tmp_path / "points.csv").write_text("n_train,weight_virial\n4,0.0\n" + FIRST.partition("\n")[2])
    planned = subprocess.run(
        [*SWEEP, "plan", study.name], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert "6 points in 2 blocks, 4 of them listed" in planned
    assert "3 points done, 1 to do" in planned
    status, output, errors = run(study)
    assert status == 0, output + errors
    assert counts(store) == {"relaxed": 4, "not_asked": 2}
    assert set(recorded(store).values()) == {1}
    assert len(recorded(store)) == 6
    # the store's own study lists them too, without the file
    (tmp_path / "points.csv").unlink()
    again = subprocess.run(
        [*SWEEP, "plan", store.name, "--store", store.name], cwd=tmp_path, capture_output=True, text=True
    )
    assert "4 points done, 0 to do" in again.stdout, again.stderr


def test_a_bad_list_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    study = tmp_path / "small-iron.yaml"
    study.write_text(STUDY)
    (tmp_path / "points.csv").write_text(FIRST + "four,0.0\n")
    status, output, errors = run(study)
    assert status == 2
    assert "points.csv, line 5: n_train is 'four'" in errors
    assert "Traceback" not in output + errors
    assert {path.name for path in tmp_path.iterdir()} == {"small-iron.yaml", "points.csv"}
