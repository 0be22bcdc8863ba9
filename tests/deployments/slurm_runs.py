"""Studies run on the test cluster, and what its queue says of them."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

import sweep
from tests.small_study import STUDY, UNEQUAL, processes_of, recorded

JOBS = """\
scheduler: slurm
partition: main
walltime: 00:10:00
ranks: 1
jobs: {min: 2, max: 2}
"""


def write_cluster(folder: Path, *changes: tuple[str, str]) -> str:
    """Write a cluster file, changed; its name."""
    text = JOBS
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (folder / "cluster.yaml").write_text(text)
    return "cluster.yaml"


def with_artefacts(finished: Path, folder: Path) -> Path:
    """Write the small study with all artefacts made, so that what is left is points; the study's path."""
    study = folder / "small-iron.yaml"
    study.write_text(STUDY)
    shutil.copytree(
        finished / "small-iron.zarr.run" / "artefacts", folder / "small-iron.zarr.run" / "artefacts"
    )
    return study


def squeue(form: str = "%i") -> list[str]:
    """Jobs that wait or run, a line each."""
    ran = subprocess.run(["squeue", "-h", "-o", form], capture_output=True, text=True, check=True, timeout=30)
    return ran.stdout.split()


def points(store: Path) -> int:
    return sum(count for key, count in recorded(store).items() if key[1] is not None)


def wait_until(
    true: Callable[[], object], process: subprocess.Popen[str] | None, timeout_s: float = 200.0
) -> None:
    """Wait for something that happens while a process runs."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, squeue("%i|%T|%r")
        time.sleep(0.1)


def workers(folder: Path) -> list[int]:
    """Pids of the workers of jobs of the run in a folder."""
    return [pid for pid in processes_of(folder) if b"sweep.clusters.batch\0" in command_line(pid)]


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def ranks(folder: Path) -> list[int]:
    """Pids of the ranks of a run."""
    # not their launcher, which has the same words on its command line
    return [
        pid
        for pid in processes_of(folder)
        if command_line(pid).split(b"\0")[1:4] == [b"-P", b"-m", b"kernels.rank"]
    ]


def check_nothing_left(folder: Path) -> None:
    """No job, no worker, no rank: SLURM may take a moment to put a job away."""
    deadline = time.monotonic() + 30
    while (left := [*squeue(), *map(str, processes_of(folder))]) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not left, [command_line(int(pid)) for pid in left]


def check_same(one: xr.Dataset, store: Path, *, exactly: bool) -> None:
    """Compare with a store: bit for bit, or to what the number of ranks may change."""
    two = sweep.open_store(store).load()
    loose = set() if exactly else {"residual_force", "condition"}
    for name in set(one.data_vars) - UNEQUAL - loose:
        values = one[name].values, two[name].values
        if exactly:
            np.testing.assert_array_equal(*values, err_msg=str(name))
        else:
            # the stiffness comes of an iteration that ends once its sign is sure
            accuracy = 1e-4 if name == "relative_stiffness" else 1e-8
            np.testing.assert_allclose(
                *(array.astype(float) for array in values), rtol=accuracy, atol=accuracy, err_msg=str(name)
            )


def kill(pids: list[int], number: int) -> None:
    for pid in pids:
        os.kill(pid, number)
