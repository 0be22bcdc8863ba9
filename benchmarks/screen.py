"""A screen of a million points: time, memory, and whether anything grows worse than linearly.

    python benchmarks/screen.py [--points 1000000] [--quick] [--write] [--folder DIR]

SNAP tungsten, screw; degrees 6, 8 and 12 (31, 62 and 223 functions); two training domains, two training
sizes, two replicas; four regularisations; a grid of weights whose longest axis takes what is left of the points. The
study is run by `sweep screen` on two workers: in a row of sizes, each four times the one before, in stores of their
own that share the artefacts of the reference and of the training sets, made by the smallest; then once more from
nothing at the largest. Memory is the sum over all processes of the command of what they do not share (PSS), seen twice
a second.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from measuring import median_of, table, write

import sweep

COMMAND = "python benchmarks/screen.py --write"
BLOCKS = {"degree": [6, 8, 12], "domain_radius": [6.0, 8.0], "n_train": [4, 8], "replica": 2}
REGULARISATION = [1e-7, 1e-6, 1e-5, 1e-4]
WEIGHTS = {"weight_energy": [0.1, 0.3, 1.0, 3.0, 10.0], "weight_forces": [0.1, 0.3, 1.0, 3.0, 10.0]}
# Virial weights over three decades: what one factorisation serves.
DECADES = (-1.0, 2.0)
RATIO, SIZES = 4, 3
LOOK_S = 0.5


def study(points: int) -> dict[str, Any]:
    """Give a study of about so many points as plain data."""
    fixed = 3 * 2 * 2 * 2 * len(REGULARISATION) * 25
    longest = max(10, round(points / fixed))
    return {
        "study": f"screen-{longest * fixed}",
        "material": {"element": "W", "structure": "bcc"},
        "reference": {"preset": "tungsten-snap"},
        "dislocations": ["screw"],
        "axes": {
            "simulation_radius": [20.0],
            **BLOCKS,
            "regularisation": REGULARISATION,
            **WEIGHTS,
            "weight_virial": [float(each) for each in np.logspace(*DECADES, longest)],
        },
        "fidelity": {"relax": "none"},
    }


def screened(folder: Path, points: int, artefacts: Path) -> dict[str, float]:
    """Screen a study; its points, seconds, peak memory in GiB, and seconds to open its store and select from it."""
    plain = study(points)
    path = folder / f"{plain['study']}.yaml"
    path.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    store = folder / f"{plain['study']}-{artefacts.name}.zarr"
    command = [sys.executable, "-P", "-m", "sweep.cli", "screen", path.name, "--store", store.name]
    started = time.perf_counter()
    process = subprocess.Popen([*command, "--artefacts", str(artefacts), "--workers", "2"], cwd=folder)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, memory_of(process.pid))
        time.sleep(LOOK_S)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{path} ended with status {process.returncode}")
    ds = sweep.open_store(store)
    return {
        "points": ds["status"].size,
        "seconds": seconds,
        "GiB": peak,
        "open and select": median_of(lambda: best(store)),
        "store MiB": sum(file.stat().st_size for file in store.rglob("*") if file.is_file()) / 2**20,
    }


def best(store: Path) -> float:
    """Open a store and find the smallest estimate at one degree, replica and regularisation."""
    ds = sweep.open_store(store)
    some = ds["geometry_estimate"].sel(degree=12, replica=0, regularisation=1e-6)
    return float(some.min())


def memory_of(root: int) -> float:
    """Memory of a process and of all below it, GiB."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parents[int(entry.name)] = int(
                    (entry / "stat")
                    .read_text(encoding="utf-8", errors="replace")
                    .rpartition(")")[2]
                    .split()[1]
                )
            except OSError:
                continue
    own, total = {root}, 0.0
    while found := {child for child, parent in parents.items() if parent in own} - own:
        own |= found
    for each in own:
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        total += sum(float(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 2**20


def text_of(rows: list[dict[str, Any]]) -> str:
    """Write the table and the verdicts."""
    shown = [
        [
            row["what"],
            row["points"],
            *(f"{row[name]:.3g}" for name in ("seconds", "GiB", "open and select", "store MiB")),
        ]
        for row in rows
    ]
    last, small, large = rows[-1], rows[1], rows[-2]
    exponent = np.log(large["seconds"] / small["seconds"]) / np.log(large["points"] / small["points"])
    verdict = (
        f"From nothing, {last['points']} points took {last['seconds'] / 60:.1f} minutes (wanted: 10) and at most "
        f"{last['GiB']:.2f} GiB (wanted: 4); the store opens and selects in {last['open and select']:.2f} s (wanted: "
        f"1). Time grows like points^{exponent:.2f} from {small['points']} to {large['points']} points."
    )
    return "\n\n".join(
        [
            "# A screen of very many points",
            f"`{COMMAND}`: fits, held-out errors, elastic constants, far-field mismatch, estimates, journal and store.",
            table(["run", "points", "s", "peak GiB", "open and select, s", "store MiB"], shown),
            verdict,
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=1_000_000, help="of the largest screen")
    parser.add_argument("--quick", action="store_true", help="24,000 to 60,000 points")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--folder", type=Path, help="where the studies run [default: a temporary folder]")
    arguments = parser.parse_args()
    folder = (arguments.folder or Path(tempfile.mkdtemp(prefix="screen-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    points = 60_000 if arguments.quick else arguments.points
    sizes = sorted({max(24_000, points // RATIO**power) for power in range(SIZES)})
    rows: list[dict[str, Any]] = []
    # the smallest first of all, for the artefacts that it leaves; its own time is that of the reference and the sets
    for number, size in enumerate([sizes[0] // 2, *sizes]):
        what = "reference and training sets, and few points" if number == 0 else "fits and estimates"
        rows.append({"what": what, **screened(folder, size, folder / "shared")})
    rows.append({"what": "from nothing", **screened(folder, points, folder / f"own-{os.getpid()}")})
    print(text_of(rows))
    if arguments.write:
        write("screen", text_of(rows), {"command": COMMAND, "runs": rows})


if __name__ == "__main__":
    main()
