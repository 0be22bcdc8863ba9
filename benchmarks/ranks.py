"""Forces of one fit shared over MPI ranks: time against one rank, and memory of each.

    python benchmarks/ranks.py [--quick] [--write]

Two ranks on two cores take turns with one rank of the same run, the other asleep meanwhile; positions are handed out by
rank 0, as in a relaxation. The ceiling is what the machine gives two ranks that have nothing to do with each other,
each evaluating the whole on its own core at a time: where a host has other guests it is below 2, and changes. Memory
is what a rank's proportional set size grows by from before the cylinder is laid out to the end of three evaluations;
each number of ranks is a run of its own. One core a rank while there are cores.
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
from pathlib import Path
from typing import Any

for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

import measuring
import numpy as np

ROOT = Path(__file__).parents[1]
DEGREE, RANKS = 12, (1, 2, 4)


def on_rank(task: str, atoms: int, repeats: int, answer: str) -> None:
    """Run one rank's part, on a core of its own while there are some."""
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[comm.rank % len(cores)]})
    found = {"memory": memory, "times": times}[task](comm, atoms, repeats)
    if comm.rank == 0:
        Path(answer).write_text(json.dumps(found), encoding="utf-8")


def fit(functions: Any) -> np.ndarray:
    """Make up a smooth fit: what a coefficient is does not change what it costs."""
    return np.asarray(np.random.default_rng(0).normal(size=functions.length) / functions.gamma)


def proportional_set_size() -> float:
    """Give this process's share of the memory it maps, in MiB."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return float(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024.0


def memory(comm: Any, atoms: int, repeats: int) -> dict[str, Any]:
    import screw

    from kernels.shared_forces import SharedForces

    basis, small = screw.basis(DEGREE), screw.cylinder(300)
    coefficients = fit(basis)
    # tables and compiled programs are there before the cylinder
    SharedForces(comm, basis, small.positions, screw.PERIOD, small.free).forces(coefficients, small.positions)
    where = screw.cylinder(atoms)
    comm.Barrier()
    before = proportional_set_size()
    shared = SharedForces(comm, basis, where.positions, screw.PERIOD, where.free)
    for _ in range(repeats):
        shared.forces(coefficients, where.positions)
    comm.Barrier()
    grown = comm.gather(proportional_set_size() - before)
    total = comm.gather(proportional_set_size())
    peak = comm.gather(peak_mebibytes())
    return {"ranks": comm.size, "sites": len(shared.needed), "grown": grown, "total": total, "peak": peak}


def peak_mebibytes() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def times(comm: Any, atoms: int, repeats: int) -> dict[str, Any]:
    import screw
    from mpi4py import MPI

    from kernels.shared_forces import SharedForces

    basis, where = screw.basis(DEGREE), screw.cylinder(atoms)
    coefficients = fit(basis)
    both = SharedForces(comm, basis, where.positions, screw.PERIOD, where.free)
    own = SharedForces(MPI.COMM_SELF, basis, where.positions, screw.PERIOD, where.free)
    alone = own if comm.rank == 0 else None

    def led(shared: Any) -> None:
        positions = shared.comm.bcast(where.positions if shared.comm.rank == 0 else None, root=0)
        shared.forces(coefficients, positions)

    taken: dict[str, list[float]] = {"alone": [], "apart": [], "shared": []}
    for turn in range(repeats + 1):
        for name, shared in (("alone", alone), ("apart", own), ("shared", both)):
            started = time.perf_counter()
            if shared is not None:
                led(shared)
            if turn:
                # the slowest rank's, which the shared evaluation waits for too
                passed = time.perf_counter() - started
                taken[name].append(comm.allreduce(passed, op=MPI.MAX) if name == "apart" else passed)
            _wait_asleep(comm)
    medians = {name: float(np.median(each)) for name, each in taken.items()}
    return medians | {"ranks": comm.size, "sites": len(both.needed)}


def _wait_asleep(comm: Any) -> None:
    """Wait for the others without the spinning that would slow them down."""
    request = comm.Ibarrier()
    while not request.Test():
        time.sleep(1e-3)


def run(task: str, ranks: int, atoms: int, repeats: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        command = [str(Path(sys.executable).parent / "mpiexec"), "-n", str(ranks), sys.executable, __file__]
        options = ["--rank", task, "--atoms", str(atoms), "--repeats", str(repeats), "--answer", str(answer)]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": folder}
        subprocess.run([*command, *options], check=True, env=environment, timeout=1800)
        found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        return found


def compared(atoms: int, repeats: int) -> tuple[str, dict[str, Any]]:
    found = run("times", 2, atoms, repeats)
    ratio, ceiling = found["alone"] / found["shared"], 2.0 * found["alone"] / found["apart"]
    heads = ("sites", "one rank, ms", "one rank on each core, ms", "ceiling", "two ranks, ms", "one/two")
    times_ms = [f"{1e3 * found[name]:.1f}" for name in ("alone", "apart", "shared")]
    row = (found["sites"], *times_ms[:2], f"{ceiling:.2f}", times_ms[2], f"{ratio:.2f}")
    return measuring.table(heads, [row]), found | {"ratio": ratio, "ceiling": ceiling}


def held(atoms: int) -> tuple[str, list[dict[str, Any]]]:
    found = [run("memory", ranks, atoms, 3) for ranks in RANKS]
    heads = ("ranks", "sites", "grown by, MiB a rank", "all of it, MiB a rank", "peak, MiB a rank")
    rows = [
        (each["ranks"], each["sites"], *(_listed(each[name]) for name in ("grown", "total", "peak")))
        for each in found
    ]
    return measuring.table(heads, rows), found


def _listed(figures: list[float]) -> str:
    return ", ".join(f"{each:.0f}" for each in figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few atoms")
    parser.add_argument("--write", action="store_true", help="keep the results")
    parser.add_argument(
        "--atoms", type=int, help="free atoms (default: 10,000 for times, 100,000 for memory)"
    )
    parser.add_argument("--rank", choices=("memory", "times"), help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=101)
    parser.add_argument("--answer", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.rank:
        on_rank(chosen.rank, chosen.atoms, chosen.repeats, chosen.answer)
        return
    few, many = (2000, 5000) if chosen.quick else (10_000, 100_000)
    timed, times_found = compared(chosen.atoms or few, chosen.repeats)
    kept, memory_found = held(chosen.atoms or many)
    text = f"{__doc__.partition(chr(10))[0]}\n\n{timed}\n\n{kept}"
    print(text)
    if chosen.write:
        measuring.write("ranks", text, {"times": times_found, "memory": memory_found})


if __name__ == "__main__":
    main()
