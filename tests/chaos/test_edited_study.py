"""A study file that is edited while its study runs: that run goes on as it began, the next one follows the rules."""

import time
from pathlib import Path

import pytest

from sweep.store import open_store
from tests.small_study import SMALLER, command, recorded, run

ESTIMATED = SMALLER.replace(", comparison_radius: 36.0", "") + "fidelity: {relax: none}\n"
STARTS_WITHIN_S = 120.0


@pytest.mark.slow
def test_a_study_that_is_edited_while_it_runs_changes_nothing_of_that_run(tmp_path: Path) -> None:
    study, store = tmp_path / "small-iron.yaml", tmp_path / "small-iron.zarr"
    study.write_text(ESTIMATED)
    process = command(study, "--workers", "1")
    deadline = time.monotonic() + STARTS_WITHIN_S
    while not store.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    study.write_text(ESTIMATED.replace("cutoff: 4.5", "cutoff: 4.4"))
    _, errors = process.communicate(timeout=280)
    assert process.returncode == 0, errors
    dataset = open_store(store).load()
    assert dataset.attrs["study"] == ESTIMATED
    # estimated, but for the point that has no weights
    assert {1} <= set(dataset["status"].values.ravel().tolist()) <= {1, 6}
    status, _, errors = run(study)
    assert status == 2
    assert "basis.cutoff" in errors
    study.write_text(ESTIMATED)
    status, _, errors = run(study, "--workers", "1")
    assert status == 0, errors
    assert set(recorded(store).values()) == {1}
