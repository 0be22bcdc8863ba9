"""Every figure and the report of stores of a million points: wall time and peak memory of the commands.

One store has many axes, as studies have, the other two long weight axes (300 by 300). They are made up: errors follow
laws with scatter, all variables that the figures read are filled. Each command runs in a process of its own, imports
included.

    python benchmarks/report.py [--quick] [--write] [--store PATH]
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from measuring import machine, table, write

from sweep.grid import DIMENSIONS, Axis, Block, Grid
from sweep.store import create_store, write_configuration
from sweep.store.template import consolidate
from sweep.store.transfers import write_transfers
from sweep.transfers.variables import GIVEN
from sweep.variables import VARIABLE_OF, Status

ROOT = Path(__file__).resolve().parents[1]
EDGES = [0, 3, 6, 9, 12, 16, 20, 25, 32, 40, 50, 64, 80, 100, 128, 160, 10_000]
LABELS: dict[str, Sequence[Any]] = {
    "dislocation": ("screw", "edge"),
    "simulation_radius": (20.0, 40.0, 80.0, 160.0),
    "degree": (6, 8, 10, 12, 14),
    "domain_radius": (6.0, 8.0, 11.0, 15.0, 20.0),
    "n_train": (4, 8, 16, 32),
    "replica": tuple(range(10)),
    "weight_energy": (0.1, 1.0, 10.0, 30.0, 100.0),
    "weight_forces": (0.1, 1.0, 3.0, 10.0, 30.0),
    "weight_virial": (0.0, 0.1, 1.0, 10.0, 100.0),
}
# In quick mode: 8,000 points.
FEWER = {"degree": (6, 8), "n_train": (4, 8), "replica": (0, 1), "weight_energy": (1.0,)}


def long_axes(weights: int) -> dict[str, Sequence[Any]]:
    """Give the labels of a store whose weights of energies and virials are long axes."""
    one = {name: values[:1] for name, values in LABELS.items()}
    long = tuple(np.geomspace(0.01, 100, weights).tolist())
    replicas = {"dislocation": ("screw", "edge"), "replica": tuple(range(5))}
    return {**one, **replicas, "weight_energy": long, "weight_virial": long}


STORES = {"many axes": LABELS, "long weight axes": long_axes(300)}
QUICK_STORES = {"many axes": {**LABELS, **FEWER}, "long weight axes": long_axes(28)}
COMMANDS = ("sweep report", "sweep figures")
LIMITS = {"seconds": 60.0, "MiB": 2048.0}


def make_store(path: Path, labels: dict[str, Sequence[Any]]) -> int:
    """Write a store whose errors follow laws; give its number of points."""
    axes = tuple(Axis(name, tuple(labels[name]), *DIMENSIONS[name]) for name in labels)
    grid = Grid(axes)
    attributes = {"study": "study: made-up\n", "fingerprint": {"seed": 0}, "packages": {}}
    create_store(path, grid, EDGES, attributes)
    root: Any = zarr.open_group(path, mode="r+", zarr_format=3)
    random = np.random.default_rng(0)
    # one dislocation and simulated radius at a time, so that making the store needs little memory
    for first, second in itertools.product(range(grid.shape[0]), range(grid.shape[1])):
        for name, values in _laws(grid, float(labels["simulation_radius"][second]), random).items():
            root[name][first, second] = values
    for name in labels["dislocation"]:
        write_configuration(path, name, max(labels["simulation_radius"]), _lattice())
    consolidate(path)
    weightings = len(grid.weightings())

    def judged(_: Block, target: str) -> dict[str, np.ndarray]:
        """Fits of one dislocation are twice as wrong on the screw and three times on the edge."""
        worse = {"screw": 0.2, "edge": 0.3}[target] * np.exp(0.2 * random.normal(size=weightings))
        both = np.stack([worse, worse], axis=-1)
        values = dict.fromkeys(GIVEN, worse) | dict.fromkeys(("rmse_energy", "rmse_forces"), both)
        return values | {"stiffness_estimate": 1 + worse, "trust_ratio": 0.1 * worse}

    write_transfers(path, judged)
    return grid.n_points


def _laws(grid: Grid, radius: float, random: np.random.Generator) -> dict[str, np.ndarray]:
    shape = grid.shape[2:]
    labels = dict(
        zip(grid.dims[2:], np.meshgrid(*(axis.values for axis in grid.axes[2:]), indexing="ij"), strict=True)
    )

    def scattered(law: np.ndarray | float, width: float = 0.2) -> np.ndarray:
        return law * np.exp(width * random.normal(size=shape))

    forces = scattered(0.3 / labels["degree"] * labels["n_train"] ** -0.25)
    virial = labels["weight_virial"]
    mismatch = scattered(1e-3 / (1 + virial))
    error = scattered((9 * forces**2 / labels["domain_radius"] + mismatch * math.log(radius)) ** 0.5)
    status = random.choice(
        [Status.relaxed, Status.other_minimum, Status.failed], size=shape, p=[0.97, 0.02, 0.01]
    )
    edges = np.minimum(np.array(EDGES[1:]), radius)
    width = np.log(np.maximum(edges / np.maximum(EDGES[:-1], 1.0), 1.0))
    return {
        "rmse_forces": np.stack([forces, 1.5 * forces], axis=-1),
        "far_field_mismatch": mismatch,
        "labelled_atoms": labels["n_train"] * (54 + 3 * labels["domain_radius"] ** 2),
        "geometry_estimate": scattered(error, 0.1),
        "geometry_error": error,
        "energy_error": scattered(error**2 / 3),
        "effectivity": scattered(1.0, 0.1),
        "relative_stiffness": scattered(0.1) - 0.08,
        "saddle_geometry_error": scattered(error, 0.1),
        "strain_error_profile": error[..., None] * np.sqrt(width / width.sum()),
        "status": status.astype(VARIABLE_OF["status"].dtype),
    }


def _lattice() -> dict[str, np.ndarray]:
    """Make a screw dislocation by its far field alone, in a square lattice."""
    x, y = np.meshgrid(np.arange(-160.5, 161, 2.7), np.arange(-160.5, 161, 2.7))
    sites = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=-1)
    predictor = np.outer(np.arctan2(sites[:, 1], sites[:, 0]) / (2 * np.pi), [0, 0, 2.7])
    vectors = {"sites": sites, "displacement_predictor": predictor, "displacement_corrector": 0 * sites}
    return {**vectors, "free": np.hypot(x, y).ravel() < 150}


def measured(command: Sequence[str]) -> tuple[float, float, str]:
    """Run a command: seconds, peak memory in MiB, and what it printed."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024, output


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="8,000 points each, once")
    parser.add_argument("--write", action="store_true", help="keep the figures in benchmarks/results")
    parser.add_argument("--store", type=Path, help="keep stores beside this path, and use them")
    options = parser.parse_args()
    rows, found = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, labels in (QUICK_STORES if options.quick else STORES).items():
            store = Path(folder) / f"{kind}.zarr"
            if options.store is not None:
                store = options.store.with_name(f"{options.store.stem} {kind}.zarr")
            if not store.exists():
                make_store(store, labels)
            found[kind] = commands(store, Path(folder) / kind, 1 if options.quick else 5)
            found[kind]["points"] = math.prod(len(values) for values in labels.values())
            rows += [
                _row(f"{kind}, {found[kind]['points']:,} points", name, found[kind][name])
                for name in COMMANDS
            ]
    heads = ["store", "command", "seconds", "peak MiB", "of a minute", "of 2 GiB"]
    about = machine()
    told = "; ".join(
        f"{kind}: {each['figures']} figures, a report of {each['report_MiB']:.1f} MiB"
        for kind, each in found.items()
    )
    runs = "one run" if options.quick else "5 runs"
    text = f"{told}; medians of {runs}, peak memory of all.\n\n{table(heads, rows)}"
    print(f"{about['processor']}, {about['processors']} processors, Python {about['python']}\n{text}")
    if options.write and not options.quick:
        write("report", text, found)


def commands(store: Path, folder: Path, repeats: int) -> dict[str, Any]:
    """Run both commands on a store some times: medians of seconds, the most memory, and what came out."""
    report, figures = folder / "report.html", folder / "figures"
    folder.mkdir()
    start = [sys.executable, "-c", "from sweep.cli import main; main()"]
    targets = dict(zip(COMMANDS, (report, figures), strict=True))
    runs: dict[str, list[tuple[float, float, str]]] = {name: [] for name in COMMANDS}
    for _ in range(repeats):
        for name, target in targets.items():
            runs[name].append(measured([*start, name.split()[1], str(store), "-o", str(target)]))
    taken = {
        name: {"seconds": statistics.median(run[0] for run in each), "MiB": max(run[1] for run in each)}
        for name, each in runs.items()
    }
    drawn = len(runs["sweep figures"][-1][2].splitlines())
    return {**taken, "figures": drawn, "report_MiB": report.stat().st_size / 2**20}


def _row(store: str, name: str, one: dict[str, float]) -> list[str]:
    shares = [f"{one[what] / most:.2f}" for what, most in LIMITS.items()]
    return [store, name, f"{one['seconds']:.1f}", f"{one['MiB']:.0f}", *shares]


if __name__ == "__main__":
    main()
