"""Folders of gangs: removed by their owner, and by the next gang where the owner could not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from sweep.gang.private_folder import PrivateFolder

OWNER = """
import signal, sys
from sweep.gang.private_folder import PrivateFolder
folder = PrivateFolder()
(folder.path / "what a rank printed").touch()
print(folder.path, flush=True)
signal.pause()
"""


def test_the_folder_of_an_owner_that_was_killed_is_removed_by_the_next_gang(temporary: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        left = Path(owner.stdout.readline().strip())
        mine = PrivateFolder()
        assert left.is_dir(), "its owner lives"
        owner.send_signal(signal.SIGKILL)
    again = PrivateFolder()
    assert sorted(temporary.iterdir()) == sorted([mine.path, again.path])
    mine.remove()
    again.remove()
    assert list(temporary.iterdir()) == []


def test_what_is_not_a_gangs_folder_stays(temporary: Path, tmp_path: Path) -> None:
    (temporary / "farfield-gang-notes.txt").touch()
    (temporary / "farfield-gang-elsewhere").symlink_to(tmp_path)
    (temporary / "other").mkdir()
    (tmp_path / "kept").touch()
    PrivateFolder().remove()
    assert sorted(path.name for path in temporary.iterdir()) == [
        "farfield-gang-elsewhere",
        "farfield-gang-notes.txt",
        "other",
    ]
    assert (tmp_path / "kept").exists()
