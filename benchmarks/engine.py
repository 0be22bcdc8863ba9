"""How much of the workers' time is kernel time, and what a point costs beside its kernel, beside three peers.

    python benchmarks/engine.py [--quick] [--write]

*Efficiency*: points that spin for 0.3 s and for 0.05 s of processor time, relaxed by the engine as a run does it: two
Dask workers over TLS, a gang of one MPI rank each, batches, journals, the store. It is the sum of the kernels' times,
measured alone in one gang beforehand, over workers × wall time, from the first submission to the last point in the
store, starts of the gangs included. The driver and the scheduler run on the same processors as the kernels.

*Overhead*: the same points without the spinning, per point, start of processes left out (for the engine: its gangs are
started before the clock, as the peers' workers are), for the engine and for bare
`client.map` (which keeps nothing), xyzpy's crop on Dask and executorlib with its cache, on two workers each. xyzpy is
run with a file for each point, as ours records each on its own, and with 20 points a file, where a kill costs up to 20.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml
from distributed import Worker
from engine_kernels import measured
from measuring import RESULTS, table, write
from rich.console import Console

import sweep.run
from sweep.artefacts import Recipe
from sweep.clusters.local import LocalWorkers
from sweep.clusters.resources import Resources
from sweep.compaction import Compaction
from sweep.engine import Engine
from sweep.gang import Gang, GangOptions
from sweep.grid import Block
from sweep.plan import BlockWork, plan_study
from sweep.prepared import Prepared, prepare
from sweep.recipes import Recipes
from sweep.store import open_store
from sweep.summary import status_counts
from sweep.worker import PLUGIN

COMMAND = "python benchmarks/engine.py --write"
WORKERS = 2
KERNEL = "engine_kernels:point"
# Processor time of a point (s), points, and the least efficiency that is wanted.
CASES = ((0.3, 1000, 0.95), (0.05, 4000, 0.9))
OVERHEAD_POINTS = 4000
# A block's points: the engine's batches are to span blocks.
WEIGHTINGS = 8


@dataclass(frozen=True, eq=False)
class SpinningRecipes(Recipes):
    """Points that spin, each block's fits being recorded already."""

    seconds: float = 0.0

    def relaxation(self, block: Block) -> Recipe:  # noqa: ARG002 - as the engine asks
        """Give the kernel that spins."""
        return Recipe(KERNEL, 1, {"seconds": self.seconds})

    def block_inputs(self, block: Block) -> dict[str, Recipe]:  # noqa: ARG002 - as the plan asks
        """Give nothing: a point needs no artefact."""
        return {}


def prepared_in(folder: Path, points: int, seconds: float) -> Prepared:
    """Make a study of so many points ready in a folder."""
    axes = {"simulation_radius": [25.0], "degree": [6], "domain_radius": [6.0], "n_train": [4]}
    weights = {
        "weight_energy": [1.0],
        "weight_forces": [1.0],
        "weight_virial": [float(w) for w in range(WEIGHTINGS)],
    }
    study = {
        "study": "spinning",
        "material": {"element": "W", "structure": "bcc"},
        "reference": {"preset": "tungsten-snap"},
        "dislocations": ["screw"],
        "axes": {**axes, "replica": points // WEIGHTINGS, **weights},
    }
    path = folder / "spinning.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    found = prepare(path, folder / "spinning.zarr", None)
    known = {field.name: getattr(found.recipes, field.name) for field in fields(Recipes)}
    return Prepared(
        **{
            **{field.name: getattr(found, field.name) for field in fields(Prepared)},
            "recipes": SpinningRecipes(**known, seconds=seconds),
        }
    )


class TimedEngine(Engine):
    """Says when it began: what comes before is the start of processes."""

    began = 0.0
    gangs_started = False

    def run(self) -> bool:
        """Run."""
        if TimedEngine.gangs_started:
            self.client.run(_start_gang)
        TimedEngine.began = time.perf_counter()
        return super().run()


def _start_gang(dask_worker: Worker) -> None:
    dask_worker.plugins[PLUGIN].gangs.of(1).call(KERNEL, weighting=0, seconds=0.0)


class TimedCompaction(Compaction):
    """Says when everything was in the store."""

    ended = 0.0

    def run(self) -> None:
        """Merge."""
        super().run()
        self.ended = time.perf_counter()


def engine_time(points: int, seconds: float) -> float:
    """Relax so many points of so much processor time with the engine; the wall time (s), starts of workers left out."""
    with tempfile.TemporaryDirectory() as name:
        prepared = prepared_in(Path(name), points, seconds)
        store = prepared.folders.store
        sweep.run.set_up(prepared)
        compaction = TimedCompaction(store, prepared.remaining(), print)
        plan = plan_study(prepared.recipes, prepared.artefacts, _unrelaxed, verify=False)
        compaction.begin()
        cluster = LocalWorkers(Resources.of(WORKERS, 1))
        sweep.run._work(prepared, plan, compaction, cluster, Console(quiet=True), None)  # noqa: SLF001
        counts = status_counts(open_store(store))
        if counts != {"relaxed": points}:
            raise SystemExit(f"{points} points to be relaxed, but the store has {counts}")
        return compaction.ended - TimedEngine.began


def _unrelaxed(block: Block) -> BlockWork:
    return BlockWork(block, recorded=True, weightings=tuple(range(WEIGHTINGS)))


def time_alone(seconds: float, repeats: int = 10) -> float:
    """Wall time of one such point, alone in a gang (s)."""
    with Gang(GangOptions(ranks=1)) as gang:
        gang.call(KERNEL, weighting=0, seconds=seconds)
        return sum(gang.call(KERNEL, weighting=0, seconds=seconds)["wall_time"] for _ in range(repeats)) / (
            repeats
        )


@contextmanager
def _bare_client() -> Iterator[Any]:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
        ) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(WORKERS)
        client.gather(client.map(measured, range(-WORKERS, 0)))
        yield client


def client_map_time(points: int) -> float:
    """Wall time of bare `client.map` (s): nothing is kept."""
    with _bare_client() as client:
        started = time.perf_counter()
        client.gather(client.map(measured, range(points)))
        return time.perf_counter() - started


def crop_time(points: int, batch: int) -> float:
    """Wall time of a crop of xyzpy, grown on Dask, from sown to reaped (s)."""
    import xyzpy

    with _bare_client() as client, tempfile.TemporaryDirectory() as folder:
        crop = xyzpy.Crop(fn=measured, name="points", parent_dir=folder, batchsize=batch)
        started = time.perf_counter()
        crop.sow_combos({"weighting": range(points)}, verbosity=0)
        crop.grow_missing(executor=client, verbosity=0)
        crop.reap_combos()
        return time.perf_counter() - started


def executorlib_time(points: int) -> float:
    """Wall time of executorlib with its cache, processes kept (s)."""
    from executorlib import SingleNodeExecutor

    with (
        tempfile.TemporaryDirectory() as folder,
        SingleNodeExecutor(max_workers=WORKERS, cache_directory=folder, block_allocation=True) as executor,
    ):
        for future in [executor.submit(measured, number) for number in range(-WORKERS, 0)]:
            future.result()
        started = time.perf_counter()
        for future in [executor.submit(measured, number) for number in range(points)]:
            future.result()
        return time.perf_counter() - started


def efficiencies(quick: bool) -> list[dict[str, float]]:
    """Efficiency of each case."""
    found = []
    for seconds, points, wanted in CASES:
        asked = points // 10 if quick else points
        alone = time_alone(seconds)
        wall = engine_time(asked - asked % WEIGHTINGS, seconds)
        efficiency = (asked - asked % WEIGHTINGS) * alone / (WORKERS * wall)
        print(f"{seconds} s: alone {alone:.4f} s, wall {wall:.2f} s, efficiency {efficiency:.3f} ({wanted})")
        found.append(
            {"seconds": seconds, "alone": alone, "points": asked, "wall": wall, "efficiency": efficiency}
        )
    return found


def overheads(points: int) -> dict[str, float]:
    """Milliseconds a point of each, in one run."""
    peers: dict[str, Callable[[], float]] = {
        "farfield: each point journaled, then in the store": lambda: engine_time(points, 0.0),
        "client.map: nothing kept": lambda: client_map_time(points),
        "xyzpy, Dask crop, a file a point": lambda: crop_time(points, 1),
        "xyzpy, Dask crop, a file for 20 points": lambda: crop_time(points, 20),
        "executorlib with its cache": lambda: executorlib_time(points),
    }
    found = {}
    for name, run in peers.items():
        found[name] = 1e3 * run() / points
        print(f"{name}: {found[name]:.3f} ms a point", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the points")
    parser.add_argument("--write", action="store_true", help="keep the figures in benchmarks/results")
    parser.add_argument("--only", choices=("efficiency", "overhead"), help="one half of it")
    options = parser.parse_args()
    # so that the gangs' ranks find the kernels beside this file
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    )
    sweep.run.Engine = TimedEngine
    # of one half alone, the other stays as it was taken last
    kept = json.loads((RESULTS / "engine.json").read_text(encoding="utf-8")) if options.only else {}
    cases = kept["efficiency"] if options.only == "overhead" else efficiencies(options.quick)
    TimedEngine.gangs_started = True
    points = OVERHEAD_POINTS // 10 if options.quick else OVERHEAD_POINTS
    overhead = kept["overhead_ms"] if options.only == "efficiency" else overheads(points)
    text = "\n\n".join(
        [
            f"# Engine: efficiency and overhead\n\n`{COMMAND}`, {WORKERS} workers",
            table(
                ["processor time of a point (s)", "alone (s)", "points", "wall (s)", "efficiency"],
                [
                    [
                        case["seconds"],
                        f"{case['alone']:.4f}",
                        case["points"],
                        f"{case['wall']:.1f}",
                        f"{case['efficiency']:.3f}",
                    ]
                    for case in cases
                ],
            ),
            table(
                ["per point, without its work", "ms"],
                [[name, f"{each:.2f}"] for name, each in overhead.items()],
            ),
        ]
    )
    print(text)
    if options.write:
        write("engine", text, {"efficiency": cases, "overhead_ms": overhead, "overhead_points": points})


if __name__ == "__main__":
    main()
