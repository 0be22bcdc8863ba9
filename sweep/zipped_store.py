"""A store in one zip archive: how finished ones are shipped. It is only read."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sweep.durable import sync_path
from sweep.location import Location, ReadOnlyError, UnreachableError

if TYPE_CHECKING:
    from zarr.abc.store import Store

SUFFIX = ".zip"
# Of every entry, since the day on which an archive was made is no part of a store: the earliest that zip knows.
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class ZipLocation(Location):
    """A zip archive whose root is a store's.

    Parameters
    ----------
    path
        The archive, such as ``study.zarr.zip``.
    """

    path: Path

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.name

    @property
    def folder(self) -> Path:
        """The folder that it is in."""
        return self.path.parent

    def beside(self, suffix: str) -> Path:
        """Name a file beside the archive: ``study.html`` for ``study.zarr.zip``."""
        return self.path.with_suffix("").with_suffix(suffix)

    def exists(self, key: str = "") -> bool:
        """Say whether there is an archive, or an entry in it."""
        if not key or not self.path.is_file():
            return self.path.exists()
        return any(name == key or name.startswith(f"{key}/") for name in self.names())

    def zarr_store(self, *, read_only: bool = False) -> Store:
        """Open it as Zarr's own kind of store; refused where it is to be written."""
        from zarr.core.sync import sync
        from zarr.storage import ZipStore

        if not read_only:
            self.must_be_writable()
        if not zipfile.is_zipfile(self.path):
            raise UnreachableError(f"{self.path} cannot be read: it is no zip archive")
        # opened now: whatever is read first would find it closed
        opened: Store = sync(ZipStore.open(self.path, mode="r"))
        return opened

    def must_be_writable(self) -> NoReturn:
        """Refuse."""
        raise ReadOnlyError(
            f"{self.path} is an archive, which is only read; unpack it (python -m zipfile -e {self.name} "
            f"{self.path.with_suffix('').name}) and name the folder"
        )

    def new_group(self, group: str = "") -> NoReturn:  # noqa: ARG002 - as of any place
        """Refuse."""
        self.must_be_writable()

    def guarded(self, check: Callable[[], None]) -> NoReturn:  # noqa: ARG002 - as of any place
        """Refuse: nobody is to write here."""
        self.must_be_writable()

    def sync(self, keys: Iterable[str]) -> None:
        """Nothing is left to wait for."""

    def sync_all(self) -> None:
        """Nothing is left to wait for."""

    def names(self) -> Iterator[str]:
        """Go through all entries."""
        with zipfile.ZipFile(self.path) as archive:
            yield from archive.namelist()

    def __fspath__(self) -> str:
        return os.fspath(self.path)


def zip_store(store: Location, archive: Path) -> None:
    """Put a finished store into an archive that any command reads, and `xarray.open_zarr` too.

    Chunks are compressed already and are stored as they are. The same store gives the same bytes; an archive that is
    there is replaced when the new one is whole.

    Parameters
    ----------
    store
        A store in a folder, as `sweep.location.location_of` gives it.
    archive
        The file.
    """
    temporary = archive.with_name(f".{archive.name}.{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(temporary, "w") as into:
            for key in sorted(store.names()):
                entry = zipfile.ZipInfo(key, _DATE)
                # metadata are text
                entry.compress_type = zipfile.ZIP_DEFLATED if key.endswith(".json") else zipfile.ZIP_STORED
                into.writestr(entry, Path(store, key).read_bytes())
        sync_path(temporary)
        temporary.replace(archive)
    finally:
        temporary.unlink(missing_ok=True)
