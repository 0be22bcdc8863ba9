"""What lies in a folder of artefacts and nothing needs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from sweep.artefact_file import ContentsError, recipe_function
from sweep.artefacts import KEY_DIGITS

_KEY = f"[0-9a-f]{{{KEY_DIGITS}}}"
_ARTEFACT = re.compile(rf"({_KEY})\.npz")
_DAMAGED = re.compile(rf"{_KEY}\.npz\.damaged-[0-9]+")
_TEMPORARY = re.compile(rf"\.{_KEY}\..+\.tmp")
_FOLDER = re.compile("[0-9a-f]{2}")

DAMAGED, TEMPORARY = "damaged, moved aside", "left half-written"


@dataclass(frozen=True)
class Leftover:
    """A file that may go.

    Parameters
    ----------
    path
        Where it is.
    kind
        The kernel that made it, or what it is otherwise.
    size
        In bytes.
    modified
        When it was written, s since 1970.
    """

    path: Path
    kind: str
    size: int
    modified: float


def leftovers(folder: Path, needed: Collection[str]) -> Iterator[Leftover]:
    """Find artefacts whose keys are not needed, damaged ones that were moved aside, and half-written files.

    Nothing else is looked at: files of other names, and other folders, are not ours.

    Parameters
    ----------
    folder
        A folder of artefacts that no one works with.
    needed
        Keys of artefacts that must stay.

    Yields
    ------
    Leftover
        By name of their folders and files.
    """
    for path in _files(folder):
        if artefact := _ARTEFACT.fullmatch(path.name):
            if artefact[1] in needed:
                continue
            kind = _kind(path)
        elif _DAMAGED.fullmatch(path.name):
            kind = DAMAGED
        elif _TEMPORARY.fullmatch(path.name):
            kind = TEMPORARY
        else:
            continue
        status = path.stat()
        yield Leftover(path, kind, status.st_size, status.st_mtime)


def sizes(folder: Path) -> dict[str, int]:
    """Give the size of each artefact in bytes, by its key."""
    found = ((_ARTEFACT.fullmatch(path.name), path) for path in _files(folder))
    return {match[1]: path.stat().st_size for match, path in found if match}


def _files(folder: Path) -> Iterator[Path]:
    for inner in sorted(folder.iterdir()):
        if _FOLDER.fullmatch(inner.name) and inner.is_dir() and not inner.is_symlink():
            yield from sorted(path for path in inner.iterdir() if path.is_file() and not path.is_symlink())


def _kind(path: Path) -> str:
    try:
        return recipe_function(path)
    except (OSError, ContentsError):
        return "damaged"
