"""Whatever is killed, the study ends as if nothing had been, and nothing journaled is computed again."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import xarray as xr

import sweep
from tests.small_study import (
    BLOCKS,
    CYLINDERS,
    EXCLUDED,
    POINTS,
    SMALLER,
    STUDY,
    UNEQUAL,
    command,
    processes_of,
    recorded,
    run,
    write_study,
)


def test_a_killed_run_goes_on_where_it_was(finished: Path, dataset: xr.Dataset, tmp_path: Path) -> None:
    study, store = write_study(tmp_path), tmp_path / "small-iron.zarr"
    process = command(study)
    deadline = time.monotonic() + 200
    wait_for_points(process, store, 6, deadline)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    while processes_of(tmp_path):
        assert time.monotonic() < deadline, processes_of(tmp_path)
        time.sleep(0.1)
    before = recorded(store)
    assert 0 < sum(before.values()) < POINTS - EXCLUDED

    status, _, errors = run(study)
    assert status == 0, errors
    after = recorded(store)
    assert set(after.values()) == {1}, "a journaled point was computed again"
    assert len(after) == POINTS - EXCLUDED + BLOCKS + CYLINDERS
    resumed = sweep.open_store(store).load()
    for name in set(dataset.data_vars) - UNEQUAL:
        np.testing.assert_array_equal(resumed[name].values, dataset[name].values, err_msg=str(name))


def wait_for_points(process: subprocess.Popen[str], store: Path, points: int, deadline: float) -> None:
    while sum(count for key, count in recorded(store).items() if key[1] is not None) < points:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def test_killed_workers_and_ranks_cost_nothing(finished: Path, dataset: xr.Dataset, tmp_path: Path) -> None:
    study, store = write_study(tmp_path), tmp_path / "small-iron.zarr"
    deadline = time.monotonic() + 250
    process = command(study)
    for points, victim in ((2, "kernels.rank"), (5, "multiprocessing")):
        wait_for_points(process, store, points, deadline)
        found = [pid for pid in processes_of(tmp_path) if victim in command_line(pid) and pid != process.pid]
        # the resource tracker, too, is started by multiprocessing
        found = [pid for pid in found if "resource_tracker" not in command_line(pid)]
        assert found, f"no {victim} to kill"
        os.kill(found[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=deadline - time.monotonic())
    assert process.returncode == 0, errors
    assert set(recorded(store).values()) == {1}
    assert not processes_of(tmp_path)
    again = sweep.open_store(store).load()
    for name in set(dataset.data_vars) - UNEQUAL:
        np.testing.assert_array_equal(again[name].values, dataset[name].values, err_msg=str(name))


def test_an_interrupt_lets_what_runs_finish(tmp_path: Path) -> None:
    study, store = write_study(tmp_path), tmp_path / "small-iron.zarr"
    study.write_text(SMALLER)
    process = command(study)
    deadline = time.monotonic() + 120
    while not (store.with_name(store.name + ".run") / "logs").is_dir() or not any(
        "degree" in key[0] for key in recorded(store)
    ):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # as a terminal does: to every process of the command
    for pid in processes_of(tmp_path):
        os.kill(pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode in (0, 130), errors
    assert "Traceback" not in output + errors
    assert "finishing what runs" in errors
    assert not processes_of(tmp_path)
    assert run(study)[0] == 0


def test_a_lost_store_is_made_again_from_the_journals(
    finished: Path, dataset: xr.Dataset, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / "small-iron.zarr")
    before = recorded(folder / "small-iron.zarr")
    status, _, errors = run(folder / "small-iron.yaml")
    assert status == 0, errors
    assert recorded(folder / "small-iron.zarr") == before
    again = sweep.open_store(folder / "small-iron.zarr").load()
    for name in dataset.data_vars:
        np.testing.assert_array_equal(again[name].values, dataset[name].values, err_msg=str(name))


def test_journals_of_another_study_are_not_taken(finished: Path, tmp_path: Path) -> None:
    """A weighting is journaled by its place: under other weights it would be another fit's result."""
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / "small-iron.zarr")
    study = folder / "small-iron.yaml"
    study.write_text(STUDY.replace("weight_virial: [0.0, 1.0]", "weight_virial: [0.0, 2.0]"))
    status, _, errors = run(study)
    assert status == 2
    assert "weight_virial" in errors
    assert not (folder / "small-iron.zarr").exists()
