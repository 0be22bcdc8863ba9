from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sweep.lock import StoreLockedError, driver_lock

ROOT = Path(__file__).parents[2]
HOLD = """
import os, subprocess, sys, time
# Parents are killed before their children run.
os.register_at_fork(after_in_child=lambda: time.sleep(0.5))
from sweep.lock import driver_lock
with driver_lock(sys.argv[1]):
    {start}
    print({say}, flush=True)
    sys.stdin.readline()
"""


@contextmanager
def holder(
    folder: Path, start: str = "pass", say: str = "'held'"
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that holds the lock until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(start=start, say=say), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def test_a_second_driver_is_refused_by_the_first_ones_name(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, _):
        with pytest.raises(StoreLockedError, match=str(process.pid)) as refusal, driver_lock(tmp_path):
            pass
        assert socket.gethostname() in str(refusal.value)
        assert isinstance(refusal.value, BlockingIOError)
        assert refusal.value.holder is not None
        assert refusal.value.holder.pid == process.pid
        process.communicate("\n")
        with driver_lock(tmp_path) as mine:
            assert mine.pid == os.getpid()


def test_the_lock_is_refused_within_one_process_too(tmp_path: Path) -> None:
    with driver_lock(tmp_path), pytest.raises(StoreLockedError), driver_lock(tmp_path):
        pass


def test_a_killed_drivers_lock_is_free_at_once(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, _):
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert json.loads((tmp_path / "lock").read_text())["pid"] == process.pid
        with driver_lock(tmp_path):
            assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()


@pytest.mark.parametrize(
    "start",
    [
        "child = subprocess.Popen(['sleep', '60'], close_fds=False).pid",
        "child = os.fork()\n    if child == 0: time.sleep(60)",
    ],
    ids=["a program", "a fork"],
)
def test_a_child_that_outlives_the_driver_does_not_keep_its_lock(tmp_path: Path, start: str) -> None:
    with holder(tmp_path, start, "child") as (process, child):
        try:
            process.send_signal(signal.SIGKILL)
            process.wait()
            os.kill(int(child), 0)
            with driver_lock(tmp_path):
                pass
        finally:
            os.kill(int(child), signal.SIGKILL)


def test_a_lock_survives_an_error_and_a_new_folder(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    with pytest.raises(ZeroDivisionError), driver_lock(folder):
        raise ZeroDivisionError
    with driver_lock(folder):
        pass


def test_an_unreadable_holder_still_refuses(tmp_path: Path) -> None:
    with driver_lock(tmp_path):
        (tmp_path / "lock").write_text("{")
        with pytest.raises(StoreLockedError, match="not yet written its name"), driver_lock(tmp_path):
            pass
