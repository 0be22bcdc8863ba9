"""Processors that ranks claim."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernels.processors import claim, cores_first

# no machine has these
SOME = range(70_000, 70_004)
CLAIMANT = """
from kernels.processors import claim
import sys
print(claim(map(int, sys.argv[1:])), flush=True)
input()
"""


@pytest.fixture
def claimants():
    """Start processes that claim one of `SOME` each and keep it; end them."""
    started = []

    def start() -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-c", CLAIMANT, *map(str, SOME)]
        root = Path(__file__).resolve().parents[2]
        process = subprocess.Popen(
            command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_no_two_processes_claim_one_processor_and_a_dead_ones_is_free(claimants) -> None:
    first, a = claimants()
    _, b = claimants()
    assert (a, b) == ("70000", "70001")
    first.kill()
    first.communicate()
    assert claimants()[1] == "70000"


def test_nothing_is_claimed_where_nothing_is_free() -> None:
    assert claim([71_000]) == 71_000
    assert claim([71_000]) is None


def test_cores_come_before_their_second_threads(tmp_path: Path) -> None:
    for processor, siblings in {0: "0,4", 1: "1,5", 4: "0,4", 5: "1,5"}.items():
        folder = tmp_path / f"cpu{processor}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{siblings}\n")
    assert cores_first({5, 4, 1, 0}, tmp_path) == [0, 1, 4, 5]
    # of a core of which only the second thread is allowed, that one counts as the first
    assert cores_first({0, 4, 5}, tmp_path) == [0, 5, 4]
    assert cores_first({2, 3}, tmp_path) == [2, 3]


def test_this_machines_own_processors_are_all_there() -> None:
    allowed = os.sched_getaffinity(0)
    assert sorted(cores_first(allowed)) == sorted(allowed)
