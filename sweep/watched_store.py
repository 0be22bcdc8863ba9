"""A Zarr store that asks before it writes, and whose failures name the store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zarr.abc.store import Store
from zarr.storage import WrapperStore

from sweep.location import Location, UrlLocation

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer


class WatchedStore(WrapperStore[Store]):
    """Passes everything on to another store, after the location's check where something is to be written.

    Parameters
    ----------
    store
        What is read and written.
    location
        Where it is.
    """

    def __init__(self, store: Store, location: Location) -> None:
        super().__init__(store)
        self._location = location

    def _with_store(self, store: Store) -> WatchedStore:
        return type(self)(store, self._location)

    async def get(self, *args: Any, **options: Any) -> Buffer | None:
        """Read a value."""
        with self._reaching():
            return await super().get(*args, **options)

    async def exists(self, key: str) -> bool:
        """Say whether there is a value."""
        with self._reaching():
            return await super().exists(key)

    async def set(self, key: str, value: Buffer) -> None:
        """Write a value."""
        with self._writing():
            await super().set(key, value)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Write a value unless there is one."""
        with self._writing():
            await super().set_if_not_exists(key, value)

    async def delete(self, key: str) -> None:
        """Take a value away."""
        with self._writing():
            await super().delete(key)

    async def delete_dir(self, prefix: str) -> None:
        """Take everything away below a prefix."""
        with self._writing():
            await super().delete_dir(prefix)

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Go through the names right below a prefix."""
        with self._reaching():
            async for name in super().list_dir(prefix):
                yield name

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if self._location.check is not None:
            self._location.check()
        with self._reaching():
            yield

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        if isinstance(self._location, UrlLocation):
            with self._location.reaching():
                yield
        else:
            yield
