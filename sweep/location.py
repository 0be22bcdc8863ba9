"""Where a store is: in a folder, or at a URL that fsspec opens. The one file that knows the difference."""

from __future__ import annotations

import os
import secrets
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from sweep.durable import make_folder, sync_path, sync_tree

if TYPE_CHECKING:
    from zarr.abc.store import Store

RUN_SUFFIX = ".run"
#: A group is there when this is: it is written last, and taken away first.
GROUP_FILE = "zarr.json"

#: What names a store: a path, a URL, or a `Location`.
StoreLike: TypeAlias = str | os.PathLike[str]


class LocationError(ValueError):
    """A URL that nothing here can open."""


class UnreachableError(OSError):
    """A store at a URL that did not answer, or refused."""


class ReadOnlyError(UnreachableError, LocationError):
    """A store that cannot be written where it is."""


@dataclass(frozen=True)
class Location(os.PathLike[str], ABC):
    """Where a store is, or is to be.

    Whatever `Zarr` opens it opens through `zarr_store`; everything that must be on the disk before something else is
    waited for by `sync`; what must appear whole is made in `new_group`. `os.fspath` gives the path or the URL, which
    `xarray.open_zarr` opens too.

    Parameters
    ----------
    check
        Called before every write; it raises where the writer may write no more.
    """

    check: Callable[[], None] | None = field(default=None, compare=False, kw_only=True)

    @property
    @abstractmethod
    def name(self) -> str:
        """Last part of the path."""

    @property
    @abstractmethod
    def folder(self) -> Path:
        """Where files about the store go unless they are named: beside it, or for a URL the current folder."""

    @abstractmethod
    def exists(self, key: str = "") -> bool:
        """Say whether there is anything under a key of the store; by default under any.

        Raises
        ------
        OSError
            If that cannot be found out.
        """

    @abstractmethod
    def zarr_store(self, *, read_only: bool = False) -> Store:
        """Open it as Zarr's own kind of store."""

    @abstractmethod
    def new_group(self, group: str = "") -> Any:
        """Make a group that appears only when it is whole and safe, in place of one that is there: a context manager.

        Parameters
        ----------
        group
            Its path in the store; by default the store itself.

        Yields
        ------
        zarr.abc.store.Store
            To build the group in, as its root. What stands there when the context ends becomes the group; after an
            error nothing does.
        """

    @abstractmethod
    def sync(self, keys: Iterable[str]) -> None:
        """Wait until what was written under these keys, or taken away from there, survives a power cut."""

    @abstractmethod
    def sync_all(self) -> None:
        """Wait until the whole store survives a power cut."""

    @abstractmethod
    def names(self) -> Iterator[str]:
        """Go through the keys of everything that is there."""

    def must_be_writable(self) -> None:
        """See that stores can be written here, before anything is done that only a store that is written needs.

        Raises
        ------
        ReadOnlyError
            If they cannot.
        """

    def guarded(self, check: Callable[[], None]) -> Location:
        """Give the same place, with a check before every write."""
        return replace(self, check=check)

    @property
    def run_folder(self) -> Path:
        """Folder of journals, lock, logs and artefacts, unless another is named: always on a file system."""
        return self.folder / (self.name + RUN_SUFFIX)

    def beside(self, suffix: str) -> Path:
        """Name a file about the store: its name with another suffix."""
        return (self.folder / self.name).with_suffix(suffix)

    def __str__(self) -> str:
        return self.__fspath__()

    def _may_write(self) -> None:
        if self.check is not None:
            self.check()


@dataclass(frozen=True)
class FolderLocation(Location):
    """A folder on a file system.

    Parameters
    ----------
    path
        The folder, links followed.
    named
        What the user calls it, perhaps a link elsewhere; the path itself where that is not known.
    """

    path: Path
    named: Path | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.name

    @property
    def folder(self) -> Path:
        """The folder that it is in."""
        return self.path.parent

    def beside(self, suffix: str) -> Path:
        """Name a file beside what the user named: a link may lead to where only others may write."""
        return (self.named or self.path).with_suffix(suffix)

    def exists(self, key: str = "") -> bool:
        """Say whether there is anything, whatever it is."""
        return (self.path / key).exists()

    def zarr_store(self, *, read_only: bool = False) -> Store:
        """Open it as Zarr's own kind of store."""
        from zarr.storage import LocalStore

        from sweep.watched_store import WatchedStore

        store = LocalStore(self.path, read_only=read_only)
        return store if read_only or self.check is None else WatchedStore(store, self)

    @contextmanager
    def new_group(self, group: str = "") -> Iterator[Store]:
        """Build beside the store, bring it to the disk, and give it its name."""
        from zarr.storage import LocalStore

        target = self.path / group
        self._may_write()
        make_folder(self.path.parent)
        temporary, old = (
            self.path.with_name(f".{self.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp") for _ in range(2)
        )
        try:
            yield LocalStore(temporary)
            sync_tree(temporary)
            make_folder(target.parent)
            self._may_write()
            if group and target.exists():
                # readers meet the old or the new group but for a moment, and never half of one
                target.rename(old)
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)
        sync_path(target.parent)

    def sync(self, keys: Iterable[str]) -> None:
        """Wait for the disk; Zarr itself does not."""
        for key in keys:
            file = self.path / key
            # a chunk of nothing but fill values has no file, and perhaps no folder
            for path in (file, file.parent):
                if path.exists():
                    sync_path(path)

    def sync_all(self) -> None:
        """Wait for the disk."""
        sync_tree(self.path)

    def names(self) -> Iterator[str]:
        """Go through all files."""
        for folder, _, files in os.walk(self.path):
            for name in files:
                yield Path(folder, name).relative_to(self.path).as_posix()

    def __fspath__(self) -> str:
        return os.fspath(self.path)


@dataclass(frozen=True)
class UrlLocation(Location):
    """What fsspec opens at a URL; its options come from the environment and fsspec's own configuration.

    An object that was written is there for good when its service has confirmed it, so nothing is synced. There is no
    rename: a group's own metadata, by which it is found, is written after everything else.

    Parameters
    ----------
    url
        Such as ``s3://bucket/study.zarr``.

    Raises
    ------
    LocationError
        If nothing that is installed opens such URLs.
    """

    url: str

    def __post_init__(self) -> None:
        import fsspec

        object.__setattr__(self, "url", self.url.rstrip("/"))
        protocol = self.url.partition("://")[0]
        try:
            fsspec.get_filesystem_class(protocol)
        except (ImportError, ValueError) as error:
            raise LocationError(
                f"{self.url} cannot be opened: {error} (for s3://, pip install 'farfield[s3]')"
            ) from error

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.url.rpartition("/")[2]

    @property
    def folder(self) -> Path:
        """The current folder."""
        return Path.cwd()

    def exists(self, key: str = "") -> bool:
        """Say whether there is such an object, or one below."""
        files, root = self._files()
        with self.reaching():
            return bool(files.exists(f"{root}/{key}" if key else root))

    def zarr_store(self, *, read_only: bool = False) -> Store:
        """Open it as Zarr's own kind of store."""
        from zarr.storage import FsspecStore

        from sweep.watched_store import WatchedStore

        with self.reaching():
            store = FsspecStore.from_url(self.url, storage_options=_OPTIONS, read_only=read_only)
        return WatchedStore(store, self)

    @contextmanager
    def new_group(self, group: str = "") -> Iterator[Store]:
        """Build in memory, and write the group's own metadata when everything else is there."""
        from zarr.storage import MemoryStore

        contents: dict[str, Any] = {}
        yield MemoryStore(contents)
        self._may_write()
        files, root = self._files()
        target = f"{root}/{group}" if group else root
        with self.reaching():
            if files.exists(f"{target}/{GROUP_FILE}"):
                files.rm_file(f"{target}/{GROUP_FILE}")
                files.rm(target, recursive=True)
            for key, value in contents.items():
                if key != GROUP_FILE:
                    files.pipe_file(f"{target}/{key}", value.to_bytes())
            files.pipe_file(f"{target}/{GROUP_FILE}", contents[GROUP_FILE].to_bytes())

    def sync(self, keys: Iterable[str]) -> None:
        """Nothing is left to wait for."""

    def sync_all(self) -> None:
        """Nothing is left to wait for."""

    def names(self) -> Iterator[str]:
        """Go through all objects."""
        files, root = self._files()
        with self.reaching():
            found = files.find(root)
        yield from (key.removeprefix(root).lstrip("/") for key in found)

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Turn whatever a service's own library raises into one error that names the URL.

        Raises
        ------
        UnreachableError
            If anything was raised that is neither an `OSError` nor about values.
        """
        try:
            yield
        except (OSError, ValueError, KeyError):
            raise
        except Exception as error:
            raise UnreachableError(f"{self.url} cannot be reached: {error}") from error

    def _files(self) -> tuple[Any, str]:
        import fsspec

        with self.reaching():
            files, root = fsspec.core.url_to_fs(self.url, **_OPTIONS)
        return files, root.rstrip("/")

    def __fspath__(self) -> str:
        return self.url


# What another process wrote is to be seen: fsspec would answer from listings it remembers.
_OPTIONS = {"use_listings_cache": False}


def location_of(store: StoreLike) -> Location:
    """Say where a path or a URL points; a file that ends in ``.zip`` is a store in an archive.

    Raises
    ------
    LocationError
        If it is a URL that nothing here opens.

    Examples
    --------
    >>> location_of("study.zarr").name, location_of("memory://bucket/study.zarr/").name
    ('study.zarr', 'study.zarr')
    >>> location_of("memory://bucket/study.zarr").run_folder == Path.cwd() / "study.zarr.run"
    True
    """
    if isinstance(store, Location):
        return store
    text = os.fspath(store)
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    if text.endswith(".zip") and "://" not in text and not Path(text).is_dir():
        from sweep.zipped_store import ZipLocation

        return ZipLocation(Path(text).absolute())
    # resolved, so that a link and what it points to have one run folder and one lock
    return UrlLocation(text) if "://" in text else FolderLocation(Path(text).resolve(), Path(text).absolute())
