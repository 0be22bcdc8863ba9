"""Forces of a fit on a screw dislocation: ours, ace-jax's C++ kernel alone, and plain XLA.

    python benchmarks/forces.py [--quick] [--write]

One core, wall times over the sites evaluated. "Ours" is everything between the positions of all atoms and the forces on
the free ones; the kernel alone runs as ace-jax comes: its own table of 4,000 intervals and a list without a skin, made
beforehand. Errors are those of the tabulated radial functions, against the exact model, over the largest force.
"""

# ruff: noqa: E402

from __future__ import annotations

import argparse
import os
import time

# one processor, for everybody
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

from typing import Any

import measuring
import numpy as np
import screw
from mpi4py import MPI

from kernels.shared_forces import SharedForces

PERTURBATION = 0.02
HEADS = (
    "functions",
    "sites",
    "kernel alone, µs/site",
    "ours, µs/site",
    "ratio",
    "XLA, µs/site",
    "XLA/ours",
    "intervals",
    "error at the predictor",
    "error, perturbed",
    "another fit, ms",
)


def measured(degree: int, coefficients: np.ndarray, atoms: int, repeats: int) -> dict[str, Any]:
    where, basis = screw.cylinder(atoms), screw.basis(degree)
    fast, exact = (
        SharedForces(MPI.COMM_SELF, basis, where.positions, screw.PERIOD, where.free, exact=exact)
        for exact in (False, True)
    )
    sites = len(fast.needed)
    times = measuring.interleaved(
        {
            "kernel": screw.bare_kernel(degree, coefficients, where, fast.needed),
            "ours": lambda: fast.forces(coefficients, where.positions),
            "xla": lambda: exact.forces(coefficients, where.positions),
        },
        repeats,
    )
    microseconds = {name: 1e6 * seconds / sites for name, seconds in times.items()}
    return {
        "functions": basis.length,
        "sites": sites,
        **microseconds,
        "ratio": times["ours"] / times["kernel"],
        "gain": times["xla"] / times["ours"],
        "intervals": fast.intervals_of(coefficients),
        **errors(fast, exact, coefficients, where),
        "new_fit_ms": 1e3 * another_fit(fast, coefficients, where, times["ours"], repeats),
    }


def errors(
    fast: SharedForces, exact: SharedForces, coefficients: np.ndarray, where: screw.Cylinder
) -> dict[str, float]:
    steps = PERTURBATION * np.random.default_rng(1).normal(size=where.positions.shape)
    perturbed = where.positions + where.free[:, None] * steps
    found = {}
    for name, positions in (("predictor", where.positions), ("perturbed", perturbed)):
        one, other = (each.forces(coefficients, positions) for each in (fast, exact))
        found[f"error_{name}"] = float(np.abs(one - other).max() / np.abs(other).max())
    return found


def another_fit(
    shared: SharedForces, coefficients: np.ndarray, where: screw.Cylinder, evaluation: float, repeats: int
) -> float:
    """Measure what the first forces of a fit take beyond those of the second, in seconds."""
    taken = []
    for number in range(repeats):
        started = time.perf_counter()
        shared.forces((1.0 + 1e-3 * (number + 1)) * coefficients, where.positions)
        taken.append(time.perf_counter() - started)
    return float(np.median(taken)) - evaluation


def row(found: dict[str, Any]) -> list[object]:
    return [
        found["functions"],
        found["sites"],
        *(f"{found[name]:.1f}" for name in ("kernel", "ours")),
        f"{found['ratio']:.2f}",
        f"{found['xla']:.0f}",
        f"{found['gain']:.0f}",
        found["intervals"],
        *(f"{found[name]:.0e}" for name in ("error_predictor", "error_perturbed")),
        f"{found['new_fit_ms']:.1f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small bases, one thousand atoms")
    parser.add_argument("--write", action="store_true", help="keep the results")
    chosen = parser.parse_args()
    degrees, sizes = ([6, 8], [1000]) if chosen.quick else ([6, 8, 12, 14], [1000, 10_000])
    labelled = screw.labelled(8 if chosen.quick else 40)
    found = [
        measured(degree, screw.fitted(degree, labelled), atoms, repeats=5 if chosen.quick else 9)
        for degree in degrees
        for atoms in sizes
    ]
    text = f"{__doc__.partition(chr(10))[0]}\n\n{measuring.table(HEADS, [row(each) for each in found])}"
    print(text)
    if chosen.write:
        measuring.write("forces", text, {"forces": found})


if __name__ == "__main__":
    main()
