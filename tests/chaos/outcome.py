"""What must hold when the chaos is over."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import numpy as np
import xarray as xr

import sweep
from sweep.journal import AnyRecord, JournalReader
from sweep.truncations import TruncationRecord
from tests.chaos.victims import words_of
from tests.small_study import UNEQUAL, processes_of

# Everything of a run has left by then, s: ranks watch their owner, workers their nanny.
GONE_S = 20.0


def check_equal(store: Path, whole: Path) -> int:
    """Compare two stores bit by bit, timings apart, configurations too; returns how many values that were."""
    left = sweep.open_store(store).load()
    right = sweep.open_store(whole).load()
    assert left.sizes == right.sizes
    compared = 0
    for name in sorted(set(right.variables) - UNEQUAL, key=str):
        np.testing.assert_array_equal(left[name].values, right[name].values, err_msg=str(name))
        assert left[name].attrs == right[name].attrs, name
        compared += right[name].size
    groups = sorted(path.parent.relative_to(whole) for path in whole.glob("configurations/*/*/zarr.json"))
    assert groups
    for group in groups:
        one, two = (xr.open_zarr(path, group=str(group), chunks=None) for path in (store, whole))
        xr.testing.assert_identical(one.load(), two.load())
        compared += sum(variable.size for variable in two.variables.values())
    return compared


def results_of(store: Path) -> Counter[tuple[str, int | None]]:
    """How often each block, point and cylinder has a result in the journals; failures are none."""
    return Counter(_key(record) for record in _records(store) if not record.failed)


def failures_in(store: Path) -> int:
    """How many records say that something was given up."""
    return sum(record.failed for record in _records(store))


def _records(store: Path) -> list[AnyRecord]:
    return JournalReader(store.with_name(store.name + ".run") / "journals").refresh()


def _key(record: AnyRecord) -> tuple[str, int | None]:
    if isinstance(record, TruncationRecord):
        return record.cylinder.key, None
    return record.block.key, record.weighting_index


def wait_until_gone(folder: Path, within_s: float = GONE_S) -> float:
    """Wait until no process of a folder is left; how long that took, s."""
    began = time.monotonic()
    while left := processes_of(folder):
        assert time.monotonic() - began < within_s, [words_of(pid) for pid in left]
        time.sleep(0.05)
    return time.monotonic() - began


def litter(folder: Path, temporary: Path) -> list[str]:
    """Name what a run should have removed: temporary files in its folders and in the temporary folder."""
    kinds = ("**/*.tmp", "**/*.partial", "*.zarr.run/scratch/**/worker-*")
    found = [path for kind in kinds for path in folder.glob(kind)] + list(temporary.iterdir())
    # a scheduler that was started by hand and killed leaves this one, and is no part of a run
    dasks = temporary / "dask-scratch-space"
    return sorted(str(path.relative_to(folder)) for path in found if path != dasks)
