from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from sweep.lock import LOOK_S, STILL_S, LockHolder, LockLostError, StoreLockedError, driver_lock
from sweep.lock_file import LockFile

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
            assert mine.holder.pid == os.getpid()


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


class Clock:
    """Stands in for the module `time` in the lock: sleeping takes no time, and something may happen meanwhile."""

    def __init__(self, meanwhile: Callable[[float], None] = lambda _: None) -> None:
        self.now = 1000.0
        self.meanwhile = meanwhile

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile(self.now)


def left_by_another_host(folder: Path, **changes: Any) -> LockHolder:
    """A lock as a driver on another host left it, on a file system that keeps an flock to a host."""
    holder = LockHolder(
        **{
            "host": "node7",
            "pid": 4711,
            "started": "2020-01-01T00:00:00+00:00",
            "command": "sweep run study.yaml",
            "kernel": "another",
            "token": "theirs",
            "beats": 7,
            **changes,
        }
    )
    (folder / "lock").write_text(json.dumps(asdict(holder)))
    return holder


@pytest.mark.parametrize("started", ["2020-01-01T00:00:00+00:00", "2999-01-01T00:00:00+00:00"])
def test_a_driver_on_another_host_is_dead_once_its_counter_stood_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: str
) -> None:
    """Whatever the other host's clock said when it began."""
    left_by_another_host(tmp_path, started=started)
    clock, told = Clock(), []
    monkeypatch.setattr("sweep.lock.time", clock)
    with driver_lock(tmp_path, tell=told.append) as lock:
        assert clock.now - 1000.0 >= STILL_S
        lock.check()
    assert "4711 on node7" in told[0]


def test_a_driver_on_another_host_whose_counter_moves_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = left_by_another_host(tmp_path)

    def beat_late(now: float) -> None:
        if now - 1000.0 > STILL_S - 2 * LOOK_S:
            left_by_another_host(tmp_path, beats=8)

    monkeypatch.setattr("sweep.lock.time", Clock(beat_late))
    with pytest.raises(StoreLockedError, match="process 4711 on node7"), driver_lock(tmp_path):
        pass
    assert LockHolder(**json.loads((tmp_path / "lock").read_text())) == replace(theirs, beats=8)


def test_a_lock_that_another_host_gives_back_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left_by_another_host(tmp_path)
    clock = Clock(lambda _: (tmp_path / "lock").write_text("") and None)
    monkeypatch.setattr("sweep.lock.time", clock)
    with driver_lock(tmp_path):
        assert clock.now - 1000.0 < STILL_S


def test_of_two_waiters_one_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left_by_another_host(tmp_path)

    def also_waited(now: float) -> None:
        if now - 1000.0 > STILL_S:
            left_by_another_host(tmp_path, token="the other waiter's", pid=12)

    monkeypatch.setattr("sweep.lock.time", Clock(also_waited))
    with pytest.raises(LockLostError, match="process 12 on node7"), driver_lock(tmp_path):
        pass


def test_who_lost_the_lock_is_told_before_it_writes_and_leaves_the_others_name(tmp_path: Path) -> None:
    with driver_lock(tmp_path) as lock:
        lock.check()
        theirs = left_by_another_host(tmp_path)
        with pytest.raises(LockLostError, match="held by process 4711 on node7 now") as lost:
            lock.check()
        assert isinstance(lost.value, OSError)
    assert LockHolder(**json.loads((tmp_path / "lock").read_text())) == theirs


def test_a_living_drivers_counter_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.lock_file.BEAT_S", 0.01)
    with driver_lock(tmp_path) as lock:
        file = LockFile(tmp_path / "lock", -1)
        while (now := file.holder()) is None or now.beats < 2:
            pass
        assert now.token == lock.holder.token
        lock.check()
    assert (tmp_path / "lock").read_text() == ""
