"""Launching ranks, and who may connect."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import threading
import time
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from pathlib import Path

import numpy as np
import pytest

from sweep.gang import Gang, LaunchError
from tests.sweep.gang.gangs import (
    CHECKOUT,
    SOON_S,
    call,
    command_lines,
    options,
    started,
)


def test_ranks_are_one_world_on_the_processors_given(temporary: Path) -> None:
    last = max(os.sched_getaffinity(0))
    with Gang(options(ranks=3, cpus=(last, last, last), preload=("colorsys",))) as gang:
        seen = call(gang, "describe")
    assert seen["size"] == 3
    assert seen["cpus"] == [[last]] * 3
    assert seen["modules"] == [True] * 3
    assert seen["threads"] == "1"
    assert Path(seen["temporary"]).parent == temporary


def test_gangs_that_claim_their_processors_share_none_and_a_rank_too_many_says_so(tmp_path: Path) -> None:
    allowed = sorted(os.sched_getaffinity(0))
    log = tmp_path / "log"
    with (
        Gang(options(ranks=1, cpus="claimed")) as one,
        Gang(options(ranks=len(allowed), cpus="claimed", log=log)) as rest,
    ):
        masks = [*call(one, "describe")["cpus"], *call(rest, "describe")["cpus"]]
    if len(allowed) > 1:
        # Gangs of other tests that run here at the same time may hold some.
        claimed = [mask[0] for mask in masks if len(mask) == 1]
        assert len(set(claimed)) == len(claimed) < len(masks)
        assert all(mask == allowed for mask in masks if len(mask) > 1)
    assert f"other gangs have all {len(allowed)} processors" in log.read_text()


def test_the_callers_environment_reaches_the_ranks() -> None:
    with Gang(options(ranks=1, environment={"OMP_NUM_THREADS": "3"})) as gang:
        assert call(gang, "describe")["threads"] == "3"


@pytest.mark.parametrize(
    "launcher", [(), ("sh", "-c", '"$@" & "$@" & wait', "sh")], ids=["none", "two worlds of one"]
)
def test_a_world_of_the_wrong_size_is_refused(launcher: tuple[str, ...], temporary: Path) -> None:
    gang = Gang(options(launcher=launcher))
    with pytest.raises(LaunchError, match="MPI world of 1 where 2 ranks"):
        call(gang, "describe")
    assert gang.generation == 0
    assert list(temporary.iterdir()) == []
    assert not any(str(temporary).encode() in line for line in command_lines())


def test_one_rank_needs_no_launcher() -> None:
    with Gang(options(ranks=1, launcher=())) as gang:
        assert call(gang, "total", values=np.ones(2)).tolist() == [1.0, 1.0]


def test_a_missing_launcher() -> None:
    with pytest.raises(OSError, match="'no-such-mpiexec' is not a program"):
        call(Gang(options(launcher=("no-such-mpiexec", "-n", "2"))), "describe")


def test_no_mpiexec_anywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LaunchError, match="no mpiexec beside"):
        call(Gang(options()), "describe")


def test_a_launcher_that_ends_at_once(temporary: Path) -> None:
    with pytest.raises(LaunchError, match=r"(?s)exit code 7.*no hosts today"):
        call(Gang(options(launcher=("sh", "-c", "echo no hosts today; exit 7", "sh"))), "describe")
    assert list(temporary.iterdir()) == []


def test_a_launcher_that_hangs(temporary: Path) -> None:
    launcher = ("sh", "-c", "sleep 600", "sh")
    with pytest.raises(LaunchError, match=r"0 of 2 ranks were ready after 0\.3 s"):
        call(Gang(options(launcher=launcher, start_timeout_s=0.3)), "describe")
    assert list(temporary.iterdir()) == []


def test_a_module_that_cannot_be_preloaded() -> None:
    with pytest.raises(LaunchError, match="ModuleNotFoundError: No module named 'no_such_module'"):
        call(Gang(options(preload=("no_such_module",))), "describe")


def test_a_folder_named_kernels_in_the_current_folder_is_harmless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "__init__.py").write_text("raise SystemError('the wrong kernels')")
    monkeypatch.chdir(tmp_path)
    with Gang(options()) as gang:
        assert call(gang, "echo", value=1) == 1


@pytest.mark.parametrize("through", ["PYTHONPATH", "environment", "python_path"])
def test_a_foreign_kernels_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, through: str) -> None:
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "__init__.py").touch()
    others = {}
    if through == "PYTHONPATH":
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    elif through == "environment":
        others = {"environment": {"PYTHONPATH": str(tmp_path)}}
    else:
        others = {"python_path": (str(tmp_path),)}
    with pytest.raises(LaunchError, match="not Farfield's"):
        call(Gang(options(**others)), "describe")


def test_a_foreign_kernels_that_serves_is_refused_too(tmp_path: Path) -> None:
    """The owner cannot see what a launcher makes of the ranks' path; the ranks say what they found."""
    copy = tmp_path / "kernels"
    copy.mkdir()
    for name in ("__init__.py", "rank.py", "owner.py", "processors.py"):
        (copy / name).write_text((CHECKOUT / "kernels" / name).read_text())
    mpiexec = Path(sys.executable).with_name("mpiexec")
    launcher = ("env", f"PYTHONPATH={tmp_path}", str(mpiexec), "-n", "2")
    with pytest.raises(LaunchError, match="not Farfield's"):
        call(Gang(options(launcher=launcher)), "describe")


def test_a_temporary_folder_with_a_long_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with Gang(options()) as gang:
        folder = Path(call(gang, "describe")["temporary"])
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_the_keys_are_in_a_file_of_the_users_alone_until_the_ranks_have_joined(
    reached: dict[str, object], temporary: Path
) -> None:
    """Not on a command line, and not in the environment: mpiexec sends that to whoever reaches its port first."""
    seen = temporary.with_name(f"{temporary.name} seen")
    seen.mkdir()
    # the launcher's last argument is the gang's folder
    look = 'for f; do :; done; cp -p "$f/owner.json" "$0"; stat -c %a "$f" >"$0/folder"; env >"$0/env"; exec "$@"'
    launcher = ("sh", "-c", look, str(seen), str(Path(sys.executable).with_name("mpiexec")), "-n", "2")
    with Gang(options(launcher=launcher, **reached)) as gang:
        started(gang)
        told = json.loads((seen / "owner.json").read_text())
        assert list(temporary.glob("*/owner.json")) == []
        places = [*command_lines(), (seen / "env").read_bytes()]
        places += [Path(f"/proc/{pid}/environ").read_bytes() for pid in gang.pids]
    assert (seen / "owner.json").stat().st_mode & 0o777 == 0o600
    assert (seen / "folder").read_text() == "700\n"
    for key in (told["rank_key"], told["owner_key"]):
        assert len(bytes.fromhex(key)) == 32
        assert not any(key.encode() in place for place in places)


def test_strangers_cannot_connect_nor_stop_the_start(temporary: Path) -> None:
    late = ("sh", "-c", 'sleep 1; exec "$@"', "sh", str(Path(sys.executable).with_name("mpiexec")), "-n", "2")
    refused = []

    def intrude() -> None:
        end = time.monotonic() + SOON_S
        while not (sockets := list(temporary.glob("*/socket"))) and time.monotonic() < end:
            time.sleep(0.01)
        with contextlib.suppress(OSError, EOFError), Client(str(sockets[0])) as silent:
            silent.close()
        try:
            Client(str(sockets[0]), authkey=b"a guess")
        except AuthenticationError as error:
            refused.append(error)

    intruder = threading.Thread(target=intrude)
    intruder.start()
    with Gang(options(launcher=late)) as gang:
        assert call(gang, "total", values=np.ones(1)).tolist() == [3.0]
        assert list(temporary.glob("*/socket")) == []
    intruder.join()
    assert len(refused) == 1
