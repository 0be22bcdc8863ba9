"""A run on the workers of a scheduler that runs already."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from distributed import Client

import sweep
from sweep.clusters import ClusterChoice, ClusterError, write_certificates
from sweep.variables import Status
from tests.small_study import SMALLER, processes_of, run, write_study


@contextmanager
def scheduler(folder: Path, *, workers: int) -> Iterator[str]:
    """A scheduler over TLS and its workers; certificates in ``certificates``."""
    keys = folder / "certificates"
    write_certificates(keys)
    tls = [
        f"--tls-{kind}={keys / name}"
        for kind, name in (("ca-file", "cert.pem"), ("cert", "cert.pem"), ("key", "key.pem"))
    ]
    told = folder / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    commands = [[*dask, "scheduler", "--protocol=tls", "--host=127.0.0.1", "--port=0", "--no-dashboard",
                 f"--scheduler-file={told}", *tls]]  # fmt: skip
    commands += [[*dask, "worker", f"--scheduler-file={told}", "--nthreads=1", "--no-dashboard", "--host=127.0.0.1",
                  f"--local-directory={folder}", *tls]] * workers  # fmt: skip
    with ExitStack() as started:
        for command in commands:
            log = started.enter_context((folder / "dask.log").open("ab"))
            process = started.enter_context(subprocess.Popen(command, stdout=log, stderr=log, cwd=folder))
            started.callback(process.terminate)
            while not told.exists():
                assert process.poll() is None, (folder / "dask.log").read_text()
                time.sleep(0.05)
        yield str(json.loads(told.read_text())["address"])


def test_a_run_leaves_the_workers_of_an_address_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "dask").mkdir()
    study = write_study(tmp_path)
    study.write_text(SMALLER + "fidelity: {points: none}\n")  # one equilibrium and what it is compared with
    with scheduler(tmp_path / "dask", workers=1) as address:
        options = ("--cluster", address, "--certificates", str(tmp_path / "dask" / "certificates"))
        status, _, errors = run(study, *options)
        assert status == 0, errors
        assert f"workers of {address}, 1 ranks each" in errors
        dataset = sweep.open_store(tmp_path / "small-iron.zarr")
        assert dataset["truncation_status"].values.tolist() == [[Status.relaxed]]
        assert not processes_of(tmp_path), "ranks outlive their run"
        # strangers' certificates, and none, are refused before anything is written
        write_certificates(tmp_path / "strangers")
        for strange, said in (
            (("--certificates", str(tmp_path / "strangers")), address),
            ((), "--certificates"),
        ):
            refused, _, errors = run(study, "--store", "other.zarr", "--cluster", address, *strange)
            assert refused == 2, errors
            assert said in errors
            assert "Traceback" not in errors
        assert not list(tmp_path.glob("other.zarr*"))


def test_an_address_without_workers_or_scheduler_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dask").mkdir()
    keys = tmp_path / "dask" / "certificates"
    with (
        scheduler(tmp_path / "dask", workers=0) as address,
        pytest.raises(ClusterError, match="no worker within"),
    ):
        ClusterChoice(address, certificates=keys).cluster().check()
    with pytest.raises(ClusterError, match="no scheduler answers"):
        ClusterChoice(address, certificates=keys).cluster().check()


def test_a_scheduler_that_goes_while_it_is_asked_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As where it is killed in the moment after a run has reached it."""
    (tmp_path / "dask").mkdir()
    ask = Client.run_on_scheduler
    monkeypatch.setattr(Client, "run_on_scheduler", lambda client, _: ask(client, os._exit, 1))
    with (
        scheduler(tmp_path / "dask", workers=1) as address,
        pytest.raises(ClusterError, match="went away while it was asked"),
    ):
        ClusterChoice(address, certificates=tmp_path / "dask" / "certificates").cluster().check()
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (ClusterChoice("tcp://node7:8786"), "unencrypted"),
        (ClusterChoice("tls://node7"), "HOST:PORT"),
        (ClusterChoice("tls://node7:port"), "HOST:PORT"),
        (ClusterChoice("http://node7:80"), "HOST:PORT"),
        (ClusterChoice("tcp://[::1]:80", ranks=0), "at least one"),
        (ClusterChoice("tls://node7:8786", workers=2), "--workers"),
        (ClusterChoice("elsewhere"), "local"),
        (ClusterChoice(certificates=Path("keys")), "--certificates"),
        (ClusterChoice("tls://node7:8786", certificates=Path("nowhere")), "nowhere/cert.pem"),
    ],
)
def test_a_cluster_that_cannot_be_is_refused_in_words(choice: ClusterChoice, said: str) -> None:
    with pytest.raises(ClusterError, match=said.replace("-", r"\-")):
        choice.cluster()


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    write_certificates(tmp_path / "keys")
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0
    (tmp_path / "keys" / "key.pem").chmod(0o640)
    with pytest.raises(ClusterError, match="chmod 600"):
        ClusterChoice("tls://node7:8786", certificates=tmp_path / "keys").cluster()
