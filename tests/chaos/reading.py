"""A reader that opens a store again and again while it is written: it never fails, and never sees a false status.

Run as ``python tests/chaos/reading.py STORE``; it ends when its standard input does, and says how often it looked.
"""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path

import numpy as np
import xarray as xr

import sweep
from sweep.variables import Status

#: What a point of each status has in numbers: the status may come later than they, never earlier.
NUMBERS = {
    Status.relaxed: ("geometry_error", "energy_error", "residual_force", "wall_time", "condition"),
    Status.unconverged: ("residual_force", "wall_time", "condition"),
    # not its wall time: where a point has failed since its status was read, that is no longer its block's share
    Status.estimated: ("condition",),
}

#: What a point never leaves again; one that failed may be tried again.
ENDED = (Status.relaxed, Status.unconverged, Status.other_minimum)


def claims(dataset: xr.Dataset) -> list[str]:
    """Say which statuses claim more than the data hold; the statuses are read first."""
    status, truncated = dataset["status"].values.copy(), dataset["truncation_status"].values.copy()
    wrong = []
    for word, names in NUMBERS.items():
        for name in names:
            missing = int(np.isnan(dataset[name].values[status == word]).sum())
            if missing:
                wrong.append(f"{missing} points are {word.name} without {name}")
    missing = int(np.isnan(dataset["truncation_geometry_error"].values[truncated == Status.relaxed]).sum())
    return wrong + [f"{missing} cylinders are relaxed without truncation errors"] * bool(missing)


def say(line: str) -> None:
    """Tell the test."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(store: Path) -> None:
    """Look at the store until standard input ends."""
    looked = ended = 0
    while not select.select([sys.stdin], [], [], 0.3)[0]:
        if not store.exists():
            continue
        dataset = sweep.open_store(store)
        for claim in claims(dataset):
            say(claim)
        now = int(np.isin(dataset["status"].values, ENDED).sum())
        if now < ended:
            say(f"{ended} points had ended, now {now}")
        looked, ended = looked + 1, now
    say(f"looked {looked} times")


if __name__ == "__main__":
    os.nice(5)
    main(Path(sys.argv[1]))
