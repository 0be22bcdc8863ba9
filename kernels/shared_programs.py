"""Compiled programs that all gangs of a user share: what one has compiled, no other compiles again."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

VARIABLE = "FARFIELD_PROGRAMS"
"""Names the folder of shared programs; set and empty, nothing is shared."""
LARGEST_BYTES = 128 * 2**20
"""What a folder may hold: some five hundred programs, which are looked through when a gang starts. The oldest go."""
SUFFIX = "-cache"
"""How JAX ends the names of programs."""


def shared_folder() -> Path | None:
    """Folder of shared programs: ``FARFIELD_PROGRAMS``, or in the user's own cache; None where nothing is shared.

    Who may write there decides what programs a gang runs: by default the user alone.

    Examples
    --------
    >>> from unittest.mock import patch
    >>> with patch.dict("os.environ", {"XDG_CACHE_HOME": "/scratch/me"}):
    ...     _ = os.environ.pop("FARFIELD_PROGRAMS", None)
    ...     str(shared_folder())
    '/scratch/me/farfield/programs'
    """
    if (named := os.environ.get(VARIABLE)) is not None:
        return Path(named).expanduser() if named else None
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        return None
    return Path(home) / "farfield" / "programs"


class SharedPrograms:
    """Shares the programs of a folder that this process alone writes into.

    JAX does not write programs in one step, so gangs do not write into one folder. What is shared has been written
    whole and is put there in one step; whatever goes wrong with it costs time and nothing else.

    Parameters
    ----------
    own : Path
        The process's folder, without torn programs.
    shared : Path
        Everyone's, for hosts whose processors can do the same.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> shared, mine, yours = (Path(mkdtemp()) for _ in range(3))
    >>> _ = (mine / "sine-cache").write_text("compiled")
    >>> SharedPrograms(mine, shared).exchange()
    >>> SharedPrograms(yours, shared).exchange()
    >>> (yours / "sine-cache").read_text()
    'compiled'
    """

    def __init__(self, own: Path, shared: Path) -> None:
        self._own, self._shared = own, shared

    def exchange(self) -> None:
        """Give what others lack, and take what they gave."""
        with suppress(OSError):
            self._shared.mkdir(parents=True, exist_ok=True, mode=0o700)
            own, shared = _names(self._own), _names(self._shared)
            for name in own - shared:
                _copy(self._own / name, self._shared / name)
            for name in shared - own:
                _link(self._shared / name, self._own / name)

    def make_room(self) -> None:
        """Remove the oldest of what is shared, where it has become too much."""
        with suppress(OSError):
            found = [(path.stat(), path) for path in self._shared.glob(f"*{SUFFIX}")]
            size = sum(about.st_size for about, _ in found)
            for about, path in sorted(found, key=lambda each: each[0].st_mtime_ns):
                if size <= LARGEST_BYTES:
                    break
                path.unlink(missing_ok=True)
                size -= about.st_size


def _names(folder: Path) -> set[str]:
    return {entry.name for entry in os.scandir(folder) if entry.name.endswith(SUFFIX)}


def _copy(source: Path, target: Path) -> None:
    """Copy a file so that it is there whole or not at all."""
    handle, temporary = tempfile.mkstemp(prefix=".", dir=target.parent)
    os.close(handle)
    try:
        shutil.copyfile(source, temporary)
        Path(temporary).replace(target)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _link(source: Path, target: Path) -> None:
    """Make a file appear in another folder at once, without its bytes where these need not be moved."""
    with suppress(FileExistsError):
        try:
            target.hardlink_to(source)
        except FileExistsError:
            raise
        except OSError:
            # another file system: home and scratch mostly are
            _copy(source, target)
