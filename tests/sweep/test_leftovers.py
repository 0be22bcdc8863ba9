"""What killed writers leave is removed by the next run, and nothing else is."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np

from sweep import leftovers
from sweep.artefacts import ArtefactFolder, Recipe
from sweep.leftovers import remove_abandoned, remove_own, temporary_beside

RECIPE = Recipe("kernels.materials:elastic_constants", 1, {"element": "W"})
WRITER = """
import sys, signal
from pathlib import Path
from sweep import artefacts
def write(file, *_):
    file.write(b"half of it")
    file.flush()
    print("writing", flush=True)
    signal.pause()
artefacts.write_contents = write
recipe = artefacts.Recipe("kernels.materials:elastic_constants", 1, {"element": "W"})
artefacts.ArtefactFolder(sys.argv[1]).write(recipe, {"moduli": 1.0})
"""


def test_an_artefact_that_a_killed_writer_left_unfinished_is_removed(tmp_path: Path) -> None:
    folder = ArtefactFolder(tmp_path)
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "writing\n"
        assert folder.remove_leftovers() == [], "its writer lives"
        writer.send_signal(signal.SIGKILL)
    [left] = tmp_path.glob("??/.*.tmp")
    assert folder.remove_leftovers() == [left]
    path = folder.write(RECIPE, {"moduli": np.ones(3)})
    assert folder.remove_leftovers() == []
    assert list(tmp_path.rglob("*.*")) == [path]


def test_what_a_process_in_another_container_may_be_writing_stays(tmp_path: Path) -> None:
    """Its process id says nothing here, but it holds the file."""
    temporary = temporary_beside(tmp_path / "abcd.npz")
    there = temporary.with_name(temporary.name.replace(f"-{os.getpid()}-", "-99999999-"))
    with there.open("xb") as file:
        leftovers.hold(file.fileno())
        assert remove_abandoned([there]) == []
    assert remove_abandoned([there]) == [there]


def test_what_another_host_left_stays_whatever_the_clocks_say(tmp_path: Path) -> None:
    """Its writer may be alive, and a clock that jumped by years makes no file old; `sweep clean` knows."""
    elsewhere = tmp_path / ".abcd.some-node7.site-123-0a1b2c3d.tmp"
    here = tmp_path / f".abcd.{socket.gethostname()}-99999999-0a1b2c3d.tmp"
    for path in (elsewhere, here):
        path.touch()
        os.utime(path, (0.0, 0.0))
    assert remove_abandoned([elsewhere, here]) == [here]
    assert elsewhere.exists()


def test_a_driver_removes_halves_of_its_own_store_alone(tmp_path: Path) -> None:
    store, run = tmp_path / "a.zarr", tmp_path / "a.zarr.run"
    halves = [
        tmp_path / ".a.zarr.123-0a1b2c3d.tmp/status/zarr.json",
        store / "zarr.0a1b.partial",
        store / "status/c/0/0.0a1b.partial",
        run / ".study.json.123.tmp",
    ]
    kept = [
        tmp_path / ".a.zarr.2024.tmp",
        tmp_path / ".b.zarr.123-0a1b2c3d.tmp/zarr.json",
        store / "zarr.json",
        store / "status/c/0/0",
        run / "study.json",
        run / "journals/x.journal",
    ]
    for path in halves + kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert len(remove_own(run, store)) == len(halves)
    assert remove_own(run, store) == []
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)
    assert remove_own(tmp_path / "none.zarr.run", tmp_path / "none.zarr") == []
