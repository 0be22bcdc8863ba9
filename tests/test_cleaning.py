"""`sweep clean` on the small study: all that it made is needed, and its store is as it was."""

import subprocess
from pathlib import Path

from tests.small_study import SWEEP


def test_a_run_registers_what_it_needs_and_cleaning_leaves_it(finished: Path) -> None:
    artefacts = finished / "small-iron.zarr.run" / "artefacts"
    before = {path: path.stat().st_mtime_ns for path in artefacts.rglob("*.npz")}
    done = subprocess.run(
        [*SWEEP, "clean", "small-iron.zarr", "--yes"], cwd=finished, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f"needed by {finished / 'small-iron.zarr'}: {len(before)} artefacts" in done.stdout
    assert ", finished" in done.stdout
    assert "every file in it is needed" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in artefacts.rglob("*.npz")} == before
