"""Whatever is killed, the study ends as if nothing had been, and nothing journaled is computed again."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import xarray as xr

import sweep
from sweep.stages import STAGE_OF
from tests.chaos.outcome import wait_until_gone
from tests.chaos.victims import Victim, victims
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


def prepared(finished: Path, folder: Path) -> tuple[Path, Path]:
    """The study and its store, of which nothing is there but what leads to fits; `tests/chaos` kills that, too."""
    store = folder / "small-iron.zarr"
    for name in ("artefacts", "compiled"):
        shutil.copytree(finished / f"{store.name}.run" / name, folder / f"{store.name}.run" / name)
    for path in (folder / f"{store.name}.run/artefacts").glob("*/*.npz"):
        with np.load(path) as arrays:
            function = json.loads(str(arrays["__recipe__"]))["function"]
        if STAGE_OF[function] in ("material", "fits"):
            path.unlink()
    return write_study(folder), store


def wait_for_points(process: subprocess.Popen[str], store: Path, points: int, deadline: float) -> None:
    while sum(count for key, count in recorded(store).items() if key[1] is not None) < points:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def kill(victim: Victim, folder: Path, process: subprocess.Popen[str], deadline: float) -> None:
    while not (found := victims(folder)[victim]):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"no {victim} to kill"
        time.sleep(0.05)
    os.kill(found[0], signal.SIGKILL)


def test_whatever_is_killed_nothing_is_lost_or_done_twice(
    finished: Path, dataset: xr.Dataset, tmp_path: Path
) -> None:
    """Ranks, also the trial's, a launcher and a worker cost nothing; after the driver the command is run again."""
    study, store = prepared(finished, tmp_path)
    deadline = time.monotonic() + 250
    process = command(study)
    kill(Victim.rank, tmp_path, process, deadline)
    for points, victim in ((2, Victim.rank), (4, Victim.launcher), (6, Victim.worker), (9, Victim.driver)):
        wait_for_points(process, store, points, deadline)
        kill(victim, tmp_path, process, deadline)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors
    wait_until_gone(tmp_path)
    before = recorded(store)
    assert 0 < sum(before.values()) < POINTS - EXCLUDED

    status, _, errors = run(study)
    assert status == 0, errors
    after = recorded(store)
    assert set(after.values()) == {1}, "a journaled point was computed again"
    assert len(after) == POINTS - EXCLUDED + BLOCKS + CYLINDERS
    assert not processes_of(tmp_path)
    resumed = sweep.open_store(store).load()
    for name in set(dataset.data_vars) - UNEQUAL:
        np.testing.assert_array_equal(resumed[name].values, dataset[name].values, err_msg=str(name))


def test_an_interrupt_lets_what_runs_finish(finished: Path, tmp_path: Path) -> None:
    study, store = prepared(finished, tmp_path)
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


def test_a_second_interrupt_stops_at_once(finished: Path, tmp_path: Path) -> None:
    study, store = prepared(finished, tmp_path)
    # half as many blocks, of the same training sets
    study.write_text(STUDY.replace("domain_radius: [5.0, 7.0]", "domain_radius: [7.0]"))
    process = command(study)
    assert process.stderr is not None
    deadline = time.monotonic() + 200
    wait_for_points(process, store, 2, deadline)
    stopped = victims(tmp_path)[Victim.rank]
    assert stopped
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)  # what runs now does not end by itself
    # as a terminal does: to the group of the driver, which gangs are not of
    for pid in processes_of(tmp_path):
        if os.getsid(pid) == os.getsid(process.pid):
            os.kill(pid, signal.SIGINT)
    told: list[str] = []
    for line in process.stderr:
        told.append(line)
        if "finishing what runs" in line:
            break
    time.sleep(2.0)
    assert process.poll() is None, "once is not enough while something runs"
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == 130
    told += process.stderr
    assert "Traceback" not in "".join(told)
    for stream in filter(None, [process.stdout, process.stderr]):
        stream.close()
    for pid in stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    wait_until_gone(tmp_path)

    before = recorded(store)
    status, _, errors = run(study)
    assert status == 0, errors
    after = recorded(store)
    assert before.keys() < after.keys()
    assert set(after.values()) == {1}


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
