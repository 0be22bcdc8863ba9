"""Files that survive a power cut: what must reach the disk, and in which order."""

from __future__ import annotations

import os
from pathlib import Path


def sync_path(path: Path) -> None:
    """Wait until a file's contents, or a folder's list of names, are on the disk.

    A file's name is on the disk only once its folder is synced too.

    Raises
    ------
    OSError
        If the path is missing or the disk refuses.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(path: Path) -> None:
    """Wait until a folder is on the disk with everything below it, contents before names.

    Raises
    ------
    OSError
        If the folder is missing or the disk refuses.
    """
    for folder, _, files in os.walk(path, topdown=False):
        for name in files:
            sync_path(Path(folder, name))
        sync_path(Path(folder))


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, so that their names survive a power cut.

    Raises
    ------
    OSError
        If a parent is not a folder or may not be written to.
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_path(path.parent)
