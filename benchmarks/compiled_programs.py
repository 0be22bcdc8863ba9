"""What shared compiled programs save: the same study run where each gang compiles for itself, and where they share.

    python benchmarks/compiled_programs.py [--study studies/quick.yaml] [--turns 2] [--write]

The study is run from nothing, with a store of its own, on two workers: with every gang for itself, as all runs were
before (``FARFIELD_PROGRAMS`` set and empty); with a folder of shared programs that is empty; and with the same folder
again, as the next study on the same bases finds it. They take turns, as often as is asked for. The values of
all stores are compared.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import xarray as xr
from measuring import table, write

import sweep

ALONE, EMPTY, FILLED = "each gang for itself", "shared, nothing compiled yet", "shared, compiled before"


def ran(study: Path, folder: Path, programs: str) -> tuple[float, xr.Dataset]:
    """Run a study from nothing; the seconds it took, and its store's arrays."""
    store = folder / "study.zarr"
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-P", "-m", "sweep.cli", "run", str(study), "--store", str(store), "--workers", "2"],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=folder,
        env={**os.environ, "FARFIELD_PROGRAMS": programs},
    )
    seconds = time.perf_counter() - started
    dataset = sweep.open_store(store).load()
    shutil.rmtree(store)
    shutil.rmtree(f"{store}.run")
    return seconds, dataset


def differing(one: xr.Dataset, other: xr.Dataset) -> list[str]:
    """Name the arrays whose values are not equal, times left out."""
    return [str(name) for name in set(one) - {"wall_time"} if not one[name].equals(other[name])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--study", type=Path, default=Path("studies/quick.yaml"), help="the study file")
    parser.add_argument("--write", action="store_true", help="keep the figures in benchmarks/results")
    parser.add_argument("--turns", type=int, default=2, help="how often each is run")
    options = parser.parse_args()
    taken: dict[str, list[float]] = {ALONE: [], EMPTY: [], FILLED: []}
    first, unequal = None, set[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for turn in range(options.turns):
            programs = {ALONE: "", EMPTY: str(folder / f"programs-{turn}")}
            for what in taken:
                seconds, dataset = ran(options.study.resolve(), folder, programs.get(what, programs[EMPTY]))
                taken[what].append(seconds)
                first = dataset if first is None else first
                unequal.update(differing(first, dataset))
                print(f"{what}: {seconds:.1f} s", file=sys.stderr)
    means = {what: statistics.mean(times) for what, times in taken.items()}
    rows = [
        [what, ", ".join(f"{each:.1f}" for each in taken[what]), f"{means[what] / means[ALONE]:.2f}"]
        for what in taken
    ]
    text = (
        f"# Compiled programs, shared\n\n`python benchmarks/compiled_programs.py --turns {options.turns} --write`, "
        f"{options.study.name} from nothing on 2 workers\n\n"
        f"{table(['programs', 'wall (s), each turn', 'of the first'], rows)}\n\n"
        f"Arrays whose values differ between the stores: {', '.join(sorted(unequal)) or 'none'}."
    )
    print(text)
    if options.write:
        write("compiled_programs", text, {"seconds": taken, "differing": sorted(unequal)})


if __name__ == "__main__":
    main()
