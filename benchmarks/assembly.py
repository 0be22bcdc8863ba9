"""Assembly: the cost of rows beside ace-jax's own, memory against the number of configurations, and two workers.

    python benchmarks/assembly.py [--quick] [--write]

Periodic tungsten cells of 16 atoms with random labels: what they are does not matter here.
"""

# ruff: noqa: E402

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

# before numpy: BLAS's threads are no rank's own, and two ranks' would wait for each other
for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

import measuring
import numpy as np

ATOMS, LATTICE, CUTOFF, ORDER = 16, 3.18, 5.0, 3


def spec(degree: int) -> dict[str, Any]:
    return {"element": "W", "order": ORDER, "degree": degree, "cutoff": CUTOFF}


def cells(count: int) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    vectors = 2 * LATTICE * (np.eye(3) + 0.01 * generator.normal(size=(count, 3, 3)))
    corners = np.array(list(np.ndindex(2, 2, 2)), dtype=float) / 2.0
    positions = np.concatenate([corners, corners + 0.25]) @ vectors
    return {
        "positions": positions + 0.03 * generator.normal(size=positions.shape),
        "cells": vectors,
        "energies": generator.normal(size=count),
        "forces": generator.normal(size=positions.shape),
        "virials": generator.normal(size=(count, 6)),
    }


def ours(made: dict[str, Any], degree: int) -> Callable[[], Any]:
    """Rows of all cells, neighbours known, as ace-jax's are when it evaluates them."""
    from kernels.environments import cell_environments
    from kernels.linear_basis import basis_of
    from kernels.rows import Configuration, design_rows

    everyone, basis = np.arange(ATOMS), basis_of(spec(degree))
    placed = [
        Configuration(positions, cell_environments(positions, cell, CUTOFF), everyone)
        for positions, cell in zip(made["positions"], made["cells"], strict=True)
    ]
    return lambda: design_rows(basis, placed)


def theirs(made: dict[str, Any], degree: int) -> tuple[Callable[[], Any], int]:
    """ace-jax's compiled evaluation of the same rows in its own batches, and the number of functions."""
    import ase
    import jax
    from ace_jax.basis.model import BasisSpec, build_basis
    from ace_jax.fit.data import build_dataset, load_configs
    from ace_jax.fit.inducing import GPConfig
    from ace_jax.fit.rows import chunked_rows_fn

    structures = []
    for positions, cell in zip(made["positions"], made["cells"], strict=True):
        atoms = ase.Atoms(f"W{ATOMS}", positions=positions, cell=cell, pbc=True)
        atoms.info.update(energy=0.0, virial=np.zeros((3, 3)))
        atoms.arrays["forces"] = np.zeros((ATOMS, 3))
        structures.append(atoms)
    built = build_basis(BasisSpec(order=ORDER, max_degree=degree, elements=("W",), rcut=CUTOFF))
    # its default number of configurations a batch
    data = build_dataset(load_configs(structures), built.meta, [0.0], 4)
    config = GPConfig(
        r0=2.5,
        rcut=CUTOFF,
        n_B=built.meta["n_B"],
        n_pair=built.meta["n_pair"],
        NZ=1,
        C=int(data.y_E.shape[1]),
    )
    evaluate = chunked_rows_fn(built.model, config)
    batches = [jax.tree.map(lambda field, i=i: field[i], data) for i in range(data.n_batches)]
    return lambda: [jax.block_until_ready(evaluate(batch)) for batch in batches], len(built.gamma)


def rows(degrees: list[int], count: int, repeats: int) -> dict[str, dict[str, float]]:
    """µs per atom and function, each in its turn, on one processor."""
    found = {}
    for degree in degrees:
        made = cells(count)
        mine = ours(made, degree)  # first: it asks JAX for 64 bits
        evaluate, functions = theirs(made, degree)
        taken = measuring.interleaved({"ours": mine, "ace-jax": evaluate}, repeats)
        each = {name: 1e6 * seconds / (ATOMS * count * functions) for name, seconds in taken.items()}
        found[str(degree)] = {"functions": functions, **each, "ratio": taken["ours"] / taken["ace-jax"]}
    return found


def factorise(
    ranks: int, degree: int, counts: list[int], repeats: int, cached: str
) -> list[dict[str, float]]:
    """Time and peak memory of the factors of sets of some sizes, in processes of their own."""
    command = [str(Path(sys.executable).parent / "mpiexec"), "-n", str(ranks), sys.executable, __file__]
    found = []
    for count in counts:
        inner = ["--factors", str(degree), str(count), str(repeats)]
        done = subprocess.run(
            [*command, *inner],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"FARFIELD_JAX_CACHE": cached},
        )
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return found


def on_a_rank(degree: int, count: int, repeats: int) -> None:
    """One rank's part: factors on its own processor, and what rank 0 has to say of them."""
    from mpi4py import MPI

    usable = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {usable[MPI.COMM_WORLD.rank % len(usable)]})
    from kernels.assembly import factors

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/cells.npz"
        np.savez(path, **cells(count))

        def call() -> None:
            MPI.COMM_WORLD.Barrier()
            factors(MPI.COMM_WORLD, basis=spec(degree), bulk=path)
            MPI.COMM_WORLD.Barrier()

        seconds = measuring.median_of(call, repeats)
    peaks = MPI.COMM_WORLD.gather(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    if MPI.COMM_WORLD.rank == 0:
        print(json.dumps({"count": count, "seconds": seconds, "peak_MiB": max(peaks)}))


def shown(of_rows: dict[str, Any], memory: list[dict[str, float]], one: float, two: float) -> str:
    heads = ["rows", "functions", "ours, µs per atom and function", "ace-jax", "ratio"]
    lines = [
        [
            f"degree {degree}",
            each["functions"],
            f"{each['ours']:.2f}",
            f"{each['ace-jax']:.2f}",
            f"{each['ratio']:.2f}",
        ]
        for degree, each in of_rows.items()
    ]
    parts = [measuring.table(heads, lines)]
    lines = [[int(each["count"]), f"{each['peak_MiB']:.0f}", f"{each['seconds']:.2f}"] for each in memory]
    parts.append(measuring.table(["configurations", "peak memory, MiB", "factors, s"], lines))
    lines = [[f"{one:.2f}", f"{two:.2f}", f"{one / two:.2f}"]]
    parts.append(measuring.table(["one worker, s", "two workers, s", "ratio"], lines))
    return "\n\n".join(parts)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="small sizes: does it run?")
    arguments.add_argument("--write", action="store_true", help="keep the results")
    arguments.add_argument("--factors", nargs=3, type=int, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.factors:
        on_a_rank(*options.factors)
        return
    degrees, count, repeats = ([6], 10, 1) if options.quick else ([8, 10, 12], 80, 5)
    counts = [10, 40] if options.quick else [25, 100, 400, 1600]
    shared = 20 if options.quick else 400
    with tempfile.TemporaryDirectory() as cached:
        # processes first: this one is kept to one processor from here on
        factorise(1, degrees[-1], counts[:1], 1, cached)  # compiles, which takes memory of its own
        memory = factorise(1, degrees[-1], counts, 1, cached)
        one, two = (
            factorise(ranks, degrees[-1], [shared], repeats, cached)[0]["seconds"] for ranks in (1, 2)
        )
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    of_rows = rows(degrees, count, repeats)
    text = shown(of_rows, memory, one, two)
    print(text)
    if options.write:
        data = {"rows": of_rows, "memory": memory, "one_worker_s": one, "two_workers_s": two}
        measuring.write("assembly", f"# Assembly\n\n{text}", data)


if __name__ == "__main__":
    main()
