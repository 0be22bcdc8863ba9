"""Studies on a real SLURM cluster give the store of a local run, whatever happens to their jobs."""

import signal
import subprocess
import time
from pathlib import Path

import pytest
import xarray as xr

import sweep
from tests.deployments.slurm_runs import (
    check_nothing_left,
    check_same,
    kill,
    points,
    ranks,
    squeue,
    wait_until,
    with_artefacts,
    workers,
    write_cluster,
)
from tests.small_study import SMALLER, command, recorded, run, write_study


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["mpiexec", "srun --mpi=pmi2"])
def test_two_jobs_of_two_ranks_give_the_store_of_a_local_run(
    slurm: Path, tmp_path: Path, launcher: str
) -> None:
    stores = []
    for place in ("local", "slurm"):
        folder = tmp_path / place
        folder.mkdir()
        study = write_study(folder)
        study.write_text(SMALLER)
        cluster = write_cluster(folder, ("ranks: 1", f"ranks: 2\nlauncher: {launcher}"))
        status, _, errors = run(study, *(("--cluster", cluster) if place == "slurm" else ()))
        assert status == 0, errors
        check_nothing_left(folder)
        stores.append(folder / "small-iron.zarr")
    check_same(sweep.open_store(stores[0]).load(), stores[1], exactly=False)
    assert set(recorded(stores[1]).values()) == {1}
    assert "jobs of 2 ranks" in errors


@pytest.mark.timeout(900)  # a cluster is brought up and a study runs twice, once through seven faults
def test_cancelled_jobs_killed_workers_ranks_and_drivers_cost_nothing(
    slurm: Path, finished: Path, dataset: xr.Dataset, tmp_path: Path
) -> None:
    study, store = with_artefacts(finished, tmp_path), tmp_path / "small-iron.zarr"
    # one job a node, so that a third one waits
    jobs = write_cluster(tmp_path, ("{min: 2, max: 2}", "{min: 3, max: 3}\ndirectives: [--exclusive]"))
    driver = command(study, "--cluster", jobs)
    wait_until(lambda: points(store) >= 2, driver)
    wait_until(lambda: squeue("%T").count("PENDING") == 1, driver)
    (waiting,) = (line.split("|")[0] for line in squeue("%i|%T") if "PENDING" in line)
    subprocess.run(["scancel", waiting], check=True)
    running = next(line.split("|")[0] for line in squeue("%i|%T") if "RUNNING" in line)
    subprocess.run(["scancel", running], check=True)
    wait_until(lambda: points(store) >= 5 and running not in squeue() and ranks(tmp_path), driver)
    kill(ranks(tmp_path)[:1], signal.SIGKILL)
    wait_until(lambda: points(store) >= 8 and workers(tmp_path), driver)
    kill(workers(tmp_path)[:1], signal.SIGKILL)
    wait_until(lambda: points(store) >= 11, driver)
    driver.kill()
    _, errors = driver.communicate()
    assert f"job {waiting} ended before its worker was there: CANCELLED" in errors
    assert f"job {running} was lost: CANCELLED" in errors

    status, _, errors = run(study, "--cluster", jobs)
    assert status == 0, errors
    assert set(recorded(store).values()) == {1}, "a journaled point was computed again"
    check_same(dataset, store, exactly=True)
    check_nothing_left(tmp_path)


@pytest.mark.slow
def test_a_closed_queue_is_told_and_ctrl_c_leaves_no_job(slurm: Path, finished: Path, tmp_path: Path) -> None:
    study = with_artefacts(finished, tmp_path)
    driver = command(study, "--cluster", write_cluster(tmp_path, ("partition: main", "partition: closed")))
    wait_until(lambda: squeue("%T"), driver)
    time.sleep(45)
    driver.send_signal(signal.SIGINT)
    _, errors = driver.communicate(timeout=60)
    assert driver.returncode == 130, errors
    assert "PartitionDown" in errors
    assert "Traceback" not in errors
    check_nothing_left(tmp_path)
