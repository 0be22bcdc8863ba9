"""Everything under some keys of a store copied to another place, whatever both are on."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable

from zarr.abc.store import Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

#: Copied at once: objects at a URL take tens of milliseconds each, and are waited for together.
TOGETHER = 32


def copied(source: Store, target: Store, keys: Iterable[str]) -> None:
    """Copy objects byte by byte; those that are gone meanwhile are left out."""

    async def copy(key: str) -> None:
        value = await source.get(key, default_buffer_prototype())
        if value is not None:
            await target.set(key, value)

    async def copy_all() -> None:
        left = iter(keys)
        while part := list(itertools.islice(left, TOGETHER)):
            await asyncio.gather(*map(copy, part))

    # on Zarr's own loop, which its stores belong to
    sync(copy_all())
