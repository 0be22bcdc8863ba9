"""Compiled programs that all gangs of a user share: what one has compiled, none that asks later compiles again."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

OWN_VARIABLE = "FARFIELD_JAX_CACHE"
"""Names the folder of a gang's own programs."""
VARIABLE = "FARFIELD_PROGRAMS"
"""Names the folder of shared programs; set and empty, nothing is shared."""
LARGEST_BYTES = 128 * 2**20
"""What may be shared: some five hundred programs, which are looked through when a gang starts. The oldest go."""
SUFFIX = "-cache"
"""How JAX ends the names of programs."""
FOR = "for-"
"""How names of shared folders begin, which tell processors apart."""
_UNFINISHED = ".unfinished-"
# A copy takes far less: what is older was left by a process that was killed, s.
_ABANDONED_S = 3600.0


def shared_folder() -> Path | None:
    """Folder of shared programs: ``FARFIELD_PROGRAMS``, or in the user's own cache; None where nothing is shared.

    Examples
    --------
    >>> from unittest.mock import patch
    >>> with patch.dict("os.environ", {"XDG_CACHE_HOME": "/scratch/me"}):
    ...     _ = os.environ.pop("FARFIELD_PROGRAMS", None)
    ...     str(shared_folder())
    '/scratch/me/farfield/programs'
    """
    try:
        if (named := os.environ.get(VARIABLE)) is not None:
            return Path(named).expanduser() if named else None
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        # nobody knows where this user is at home
        return None
    return Path(home) / "farfield" / "programs"


class SharedPrograms:
    """Shares the programs of a folder that this process alone writes into.

    JAX does not write programs in one step, so gangs do not write into one folder. Whatever goes wrong with what is
    shared costs time and nothing else.

    Parameters
    ----------
    own : Path
        The process's folder.
    shared : Path
        Everyone's, for hosts with the same processors; made where it is missing, for this user alone. A folder of
        another user's is left alone: its programs would run here.
    is_whole : callable
        Whether a program is whole, as far as can be told.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> shared, mine, yours = Path(mkdtemp()) / "shared", Path(mkdtemp()), Path(mkdtemp())
    >>> programs = SharedPrograms(mine, shared, Path.exists)
    >>> programs.take()
    >>> _ = (mine / "sine-cache").write_text("compiled")
    >>> programs.give()
    >>> SharedPrograms(yours, shared, Path.exists).take()
    >>> (yours / "sine-cache").read_text()
    'compiled'
    """

    def __init__(self, own: Path, shared: Path, is_whole: Callable[[Path], bool]) -> None:
        self._own, self._shared, self._is_whole = own, shared, is_whole
        self._known = _names(own)
        # asked once: what is taken is looked for before everything that is compiled
        self._ours = _made_for_this_user(shared)

    def take(self) -> None:
        """Take what others gave, and away from all what is not whole."""
        if not self._ours:
            return
        for name in _names(self._shared) - self._known:
            # tried once, whatever comes of it: this is asked before everything that is compiled
            self._known.add(name)
            with suppress(OSError):
                if self._is_whole(self._shared / name):
                    _link(self._shared / name, self._own / name)
                else:
                    (self._shared / name).unlink()
                    self._known.discard(name)

    def give(self) -> None:
        """Give what this process has compiled since it last did."""
        if not self._ours:
            return
        for name in _names(self._own) - self._known:
            with suppress(OSError):
                if self._is_whole(self._own / name):
                    self._known.add(name)
                    _copy(self._own / name, self._shared / name)
                else:
                    # a full disk: where there is none, it may be written once more
                    (self._own / name).unlink()

    def make_room(self) -> None:
        """Remove the oldest of what is shared, where it has become too much, and what was never finished.

        The folders for other processors, which lie beside the shared one, count as well.
        """
        if not self._ours:
            return
        folders = [self._shared, *self._shared.parent.glob(f"{FOR}*")]
        for folder in (self._own, *folders):
            _remove_abandoned(folder)
        found = {path: about for folder in folders for path, about in _files(folder)}
        size = sum(about.st_size for about in found.values())
        for path in sorted(found, key=lambda path: found[path].st_mtime_ns):
            if size <= LARGEST_BYTES:
                break
            with suppress(OSError):
                path.unlink()
            size -= found[path].st_size


def _made_for_this_user(folder: Path) -> bool:
    """Make a folder where it is missing; whether it is there and this user's."""
    with suppress(OSError):
        for missing in reversed([each for each in folder.parents if not each.exists()]):
            # of each level the user alone, whatever the umask: who can rename a folder can replace what it holds
            missing.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        return _is_this_users(folder)
    return False


def _is_this_users(folder: Path) -> bool:
    return folder.stat().st_uid == os.getuid()


def _files(folder: Path) -> list[tuple[Path, os.stat_result]]:
    """Programs in a folder of this user's."""
    with suppress(OSError):
        if _is_this_users(folder):
            return [
                (Path(entry.path), entry.stat())
                for entry in os.scandir(folder)
                if entry.name.endswith(SUFFIX) and entry.is_file()
            ]
    return []


def _names(folder: Path) -> set[str]:
    with suppress(OSError):
        return {entry.name for entry in os.scandir(folder) if entry.name.endswith(SUFFIX) and entry.is_file()}
    return set()


def _remove_abandoned(folder: Path) -> None:
    with suppress(OSError):
        for path in folder.glob(f"{_UNFINISHED}*"):
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                path.unlink()


def _copy(source: Path, target: Path) -> None:
    """Copy a file so that it is there whole or not at all."""
    handle, temporary = tempfile.mkstemp(prefix=_UNFINISHED, dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as copy:
            copy.write(source.read_bytes())
            copy.flush()
            os.fsync(copy.fileno())
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
