"""A store with transfers, for the tests of what is made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.store import write_records
from sweep.store.transfers import write_transfers
from tests.sweep.small_store import BLOCK, block_record, new_store, point_record
from tests.sweep.transfers.known import STATUSES, known_of


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """One block of the edge dislocation, its fits judged on the screw too."""
    path = new_store(tmp_path / "small.zarr")
    write_records(path, [block_record(BLOCK, status=STATUSES), point_record(3)])
    write_transfers(path, known_of)
    return path
