"""Whether anything grows with the number of points: a store of a million, its journals, its plan, and memory.

    python benchmarks/store_scale.py [--points 1000000] [--write]

Records as workers write them are journaled, and read, merged and forgotten as a driver does: of every block its fits'
measures and estimates, and of a tenth of the points a relaxation of their own; for a tenth of the points, then all of
them, each in a process of its own whose memory is looked at. Then the store is opened and a slice is selected, and a
plan is made for a grid of as many points in a hundredth as many blocks.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml
from engine_kernels import measured
from measuring import table, write

import sweep
from sweep.compaction import Compaction
from sweep.fixed_choices import RADIAL_EDGES
from sweep.journal import Journal
from sweep.prepared import Prepared, prepare
from sweep.records import Record
from sweep.schedule import Schedule
from sweep.store import create_store
from sweep.variables import CONFIG_KINDS, RECORDED, VARIABLES, Source

COMMAND = "python benchmarks/store_scale.py --write"
WEIGHTINGS = 100
# Points whose records a driver finds in the journals each time it looks.
AT_A_TIME = 20_000
# One point in so many is relaxed.
ONE_IN = 10


def prepared_in(folder: Path, points: int) -> Prepared:
    """Make a study of so many points ready."""
    blocks = points // WEIGHTINGS
    study = {
        "study": "scale",
        "material": {"element": "W", "structure": "bcc"},
        "reference": {"preset": "tungsten-snap"},
        "dislocations": ["screw"],
        "axes": {
            "simulation_radius": [25.0, 30.0],
            "degree": [6, 8, 10, 12, 14],
            "domain_radius": [5.0 + 0.5 * number for number in range(10)],
            "n_train": [2, 4, 6, 8, 10],
            "replica": max(1, blocks // 500),
            "weight_energy": [float(number) for number in range(1, 6)],
            "weight_forces": [1.0, 2.0, 3.0, 4.0],
            "weight_virial": [0.0, 1.0, 2.0, 3.0, 4.0],
        },
    }
    path = folder / f"scale-{points}.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    return prepare(path, folder / f"scale-{points}.zarr", None)


def resident() -> float:
    """Memory of this process now (MB)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def merged(folder: Path, points: int) -> dict[str, float]:
    """Journal and merge so many points in this process; seconds of each, and its memory (MB)."""
    prepared = prepared_in(folder, points)
    store, journals = prepared.folders.store, prepared.folders.journals
    create_store(store, prepared.grid, RADIAL_EDGES, {"study": "", "fingerprint": {}, "packages": {}})
    compaction = Compaction(store, prepared.remaining(), print)
    of_block, of_point = estimated(WEIGHTINGS), measured(0)
    before, journaling = resident(), dict.fromkeys(("blocks", "points"), 0.0)
    merging = dict(journaling)
    with Journal.create(journals) as journal:
        for kind in ("blocks", "points"):
            written = 0
            for block in prepared.grid.blocks():
                records = (
                    [Record(block, None, ("estimated",) * WEIGHTINGS, of_block, wall_time_s=1.0)]
                    if kind == "blocks"
                    else [
                        Record(block, weighting, "relaxed", of_point, wall_time_s=0.3)
                        for weighting in range(0, WEIGHTINGS, ONE_IN)
                    ]
                )
                started = time.perf_counter()
                for record in records:
                    journal.append(record, wait=False)
                journaling[kind] += time.perf_counter() - started
                written += WEIGHTINGS if kind == "blocks" else len(records)
                if written % AT_A_TIME == 0:
                    merging[kind] += timed(compaction.run)
            merging[kind] += timed(compaction.run)
    after = resident()
    started = time.perf_counter()
    ds = sweep.open_store(store)
    opened = time.perf_counter()
    slice_ = ds["geometry_error"].sel(degree=8, n_train=4, replica=0).load()
    selected = time.perf_counter()
    assert float(slice_.min()) > 0
    started_again = time.perf_counter()
    prepared.remaining()
    return {
        "points": prepared.grid.n_points,
        "relaxed": prepared.grid.n_points // ONE_IN,
        "written_per_s": prepared.grid.n_points / sum(merging.values()),
        "estimated_per_s": prepared.grid.n_points / merging["blocks"],
        "relaxed_per_s": prepared.grid.n_points / ONE_IN / merging["points"],
        "journaled_s": sum(journaling.values()),
        "before_MB": before,
        "after_MB": after,
        "open_s": opened - started,
        "select_s": selected - opened,
        "resume_s": time.perf_counter() - started_again,
    }


def timed(work: Callable[[], None]) -> float:
    """Do it; the seconds it took."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def estimated(weightings: int) -> dict[str, np.ndarray]:
    """Values of a block: every measure of its fits and every estimate."""
    lengths = {"config_kind": len(CONFIG_KINDS), "radial_bin": len(RADIAL_EDGES) - 1}
    numbers = np.random.default_rng(0)
    return {
        variable.name: numbers.uniform(
            0.1, 1.0, (weightings, *(lengths[name] for name in variable.extra_dims))
        )
        for variable in VARIABLES
        if variable.name in RECORDED and (variable.source is Source.block or "estimate" in variable.name)
    }


def planned(folder: Path, points: int) -> dict[str, float]:
    """Plan a grid of so many points of which none is done; seconds, and memory of plan and schedule (MB)."""
    prepared = prepared_in(folder, points)
    before, started = resident(), time.perf_counter()
    plan = prepared.plan(prepared.remaining(), verify=False)
    seconds = time.perf_counter() - started
    schedule = Schedule(plan)
    return {
        "points": points,
        "blocks": len(plan.blocks),
        "plan_s": seconds,
        "plan_and_schedule_MB": resident() - before,
        "tasks": sum(schedule.totals.values()),
    }


def in_a_process(what: str, folder: Path, points: int) -> dict[str, float]:
    """Run one half in a process of its own."""
    command = [sys.executable, __file__, "--only", what, "--points", str(points), "--folder", str(folder)]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(found, end="", flush=True)
    answer: dict[str, float] = json.loads(found.splitlines()[-1])
    return answer


def rows(found: list[dict[str, float]]) -> str:
    """Put figures in a table."""
    return table(list(found[0]), [[f"{value:.4g}" for value in each.values()] for each in found])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--write", action="store_true", help="keep the figures in benchmarks/results")
    parser.add_argument("--only", choices=("merged", "planned"), help="one of the two, in this process")
    parser.add_argument("--folder", type=Path, help="where to put stores")
    options = parser.parse_args()
    if options.only:
        print(
            json.dumps({"merged": merged, "planned": planned}[options.only](options.folder, options.points))
        )
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        sizes = (options.points // 10, options.points)
        stores = [in_a_process("merged", Path(name), size) for size in sizes]
        # in a folder of their own: there is nothing of these studies yet
        (untouched := Path(name) / "plans").mkdir()
        plans = [in_a_process("planned", untouched, size) for size in sizes]
    text = f"# A million points\n\n`{COMMAND}`\n\n{rows(stores)}\n\n{rows(plans)}"
    print(text)
    if options.write:
        write("store_scale", text, {"stores": stores, "plans": plans})


if __name__ == "__main__":
    main()
