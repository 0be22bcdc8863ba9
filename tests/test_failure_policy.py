"""What fails is tried twice, recorded once with its reason, told by cause, and done when it can be."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import sweep
from sweep.artefact_file import recipe_function
from sweep.stages import STAGE_OF
from tests.small_study import SMALLER, SWEEP, assert_same_numbers, recorded, run, write_study

# no relaxation of iron ends within so short a time; gangs of other sizes than the run's change no number
IMPOSSIBLE = "limits: {stages: {relaxations: 0.02}}\nranks: {factors: 2}\n"


def test_points_that_take_too_long_fail_with_their_reason_until_they_may_take_longer(
    smaller: Path, tmp_path: Path
) -> None:
    study, store = write_study(tmp_path), tmp_path / "small-iron.zarr"
    copy_artefacts(smaller, tmp_path, but={"factors", "fits"})
    study.write_text(SMALLER + IMPOSSIBLE)
    status, output, errors = run(study, "--workers", "1")
    assert status == 1, errors
    assert "workers of 2 ranks" in errors
    assert "2 failed" in output
    rows = sweep.open_failures(store)
    assert rows.sizes["failure"] == 2
    assert sorted(rows.weight_virial.values) == [0.0, 1.0]
    assert set(rows.stage.values) == {"relaxations"}
    assert set(rows.attempts.values) == {2}
    assert all("limits: {stages: {relaxations: SECONDS}}" in message for message in rows.message.values)
    # where the ranks were when their time was up
    assert all("kernels" in tail for tail in rows.log_tail.values)
    assert set(recorded(store).values()) == {1}
    logged = lines_of(store)
    assert Counter(line["outcome"] for line in logged if line["stage"] == "relaxations") == {"timed out": 4}
    assert {(line["stage"], line["ranks"]) for line in logged if line["outcome"] == "succeeded"} == {
        ("factors", 2),
        ("fits", 1),
        ("estimates", 1),
        ("truncation", 1),
    }
    told = subprocess.run(
        [*SWEEP, "status", str(store), "--failures"], capture_output=True, text=True, check=True
    )
    assert "2 failures in relaxations: kernels.points:relax_point took longer than 0.02 s" in told.stdout

    # without a limit of its own it is the same study
    study.write_text(SMALLER)
    assert run(study, "--workers", "1")[0] == 1
    assert set(recorded(store).values()) == {1}, "a failure is final until it is to be tried again"
    status, _, errors = run(study, "--workers", "1", "--retry-failed")
    assert status == 0, errors
    assert sweep.open_failures(store).sizes["failure"] == 0
    assert sorted(recorded(store).values()) == [1] * (len(recorded(store)) - 2) + [2, 2]
    one, two = (sweep.open_store(folder / store.name).load() for folder in (smaller, tmp_path))
    assert_same_numbers(one, two)


def copy_artefacts(source: Path, target: Path, but: set[str]) -> None:
    """Copy what a study made, but for some stages."""
    where = Path("small-iron.zarr.run/artefacts")
    shutil.copytree(source / where, target / where)
    for path in (target / where).glob("??/*.npz"):
        if STAGE_OF[recipe_function(path)] in but:
            path.unlink()


def lines_of(store: Path) -> list[dict[str, object]]:
    logs = store.with_name(store.name + ".run") / "logs"
    return [
        json.loads(line) for path in logs.glob("worker-*.jsonl") for line in path.read_text().splitlines()
    ]
