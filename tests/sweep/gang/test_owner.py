"""The owner's end, however it comes, is the ranks' end."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from sweep.gang import Gang, GangOptions
from sweep.gang.call import RANK_MARGIN_S
from tests.sweep.gang.gangs import (
    CHECKOUT,
    SOON_S,
    TESTS,
    all_gone,
    call,
    gone,
    options,
    started,
)

OWNER = """
    import signal, sys
    # a shell that starts a command in the background has it ignore interrupts
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from sweep.gang import Gang, GangOptions
    gang = Gang(GangOptions(ranks=2, python_path=(sys.argv[1],)))
    pids = gang.call("faulty_kernels:describe")["pids"]
    print(gang.launcher_pid, *pids, flush=True)
    {then}
"""


@pytest.fixture
def owner(temporary: Path):
    """Run an owner in a process of its own; yield it and the process ids of its gang."""
    with contextlib.ExitStack() as ending:

        def start(then: str, **variables: str) -> tuple[subprocess.Popen[str], list[int]]:
            process = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(OWNER).format(then=then), str(TESTS)],
                cwd=CHECKOUT,
                env={**os.environ, "TMPDIR": str(temporary), **variables},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            ending.enter_context(process)
            ending.callback(process.kill)
            return process, [int(word) for word in process.stdout.readline().split()]

        yield start


@pytest.mark.parametrize(
    "then",
    [
        "signal.pause()",
        "gang.call('faulty_kernels:sleep', rank=1, seconds=600)",
        "gang.call('faulty_kernels:hold_interpreter', rank=None, seconds=600)",
    ],
    ids=["idle", "in a call", "in a call that holds the interpreter"],
)
def test_a_killed_owner_leaves_no_rank(owner, then: str) -> None:
    process, pids = owner(then)
    time.sleep(0.3)
    assert len(pids) == 3
    assert not any(map(gone, pids))
    process.kill()
    process.wait()
    assert all_gone(pids)


def test_a_killed_owner_leaves_no_rank_where_setpriv_is_missing(owner, tmp_path: Path) -> None:
    process, pids = owner("gang.call('faulty_kernels:sleep', rank=1, seconds=600)", PATH=str(tmp_path))
    time.sleep(0.3)
    assert not any(map(gone, pids))
    process.kill()
    process.wait()
    assert all_gone(pids)


def test_ranks_end_in_time_when_their_owner_cannot_end_them(owner) -> None:
    process, pids = owner("gang.call('faulty_kernels:hold_interpreter', rank=None, seconds=600, timeout_s=1)")
    time.sleep(0.3)
    process.send_signal(signal.SIGSTOP)
    assert not any(map(gone, pids))
    assert all_gone(pids[1:], within_s=1 + GangOptions(ranks=2).grace_s + RANK_MARGIN_S + SOON_S)


def test_an_owner_that_ends_without_closing_leaves_nothing(owner, temporary: Path) -> None:
    process, pids = owner("sys.exit(5)")
    assert process.wait(SOON_S) == 5
    assert all_gone(pids)
    assert list(temporary.iterdir()) == []


def test_an_interrupt_ends_the_gang(owner) -> None:
    process, pids = owner("gang.call('faulty_kernels:sleep', rank=1, seconds=600)")
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=SOON_S)[1]
    assert all_gone(pids)


def test_ranks_ignore_an_interrupt(shared: Gang) -> None:
    call(shared, "echo", value=0)
    generation = shared.generation
    _, *ranks = started(shared)
    for pid in ranks:
        os.kill(pid, signal.SIGINT)
    assert call(shared, "echo", value=1) == 1
    assert shared.generation == generation


def test_a_forgotten_gang_is_ended() -> None:
    gang = Gang(options())
    pids = started(gang)
    del gang
    gc.collect()
    assert all_gone(pids)


def test_a_gang_outlives_the_thread_that_started_it(gang: Gang) -> None:
    pids = []
    thread = threading.Thread(target=lambda: pids.extend(started(gang)))
    thread.start()
    thread.join()
    time.sleep(0.2)
    assert started(gang) == pids
