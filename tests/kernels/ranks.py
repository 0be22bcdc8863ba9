"""Runs a kernel on several MPI ranks in a process of its own; and kernels that only tests need."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from kernels.shared_programs import OWN_VARIABLE


def on_ranks(count: int, kernel: str, folder: Path, **arguments: Any) -> dict[str, Any]:
    """Call ``module:function`` on `count` ranks; rank 0's arrays."""
    answer = folder / f"answer-{count}.npz"
    mpiexec = Path(sys.executable).parent / "mpiexec"
    command = [
        str(mpiexec),
        "-n",
        str(count),
        sys.executable,
        "-m",
        "tests.kernels.ranks",
        kernel,
        str(answer),
    ]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [*command, json.dumps(arguments)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, OWN_VARIABLE: str(folder / "compiled")},
    )
    assert done.returncode == 0, done.stderr
    with np.load(answer) as stored:
        return dict(stored)


def cylinder_evaluation(comm: Any, potential: dict[str, Any], path: str) -> dict[str, Any]:
    """What the reference says of stored positions, by every path it has."""
    from kernels.references import open_reference

    with np.load(path) as stored:
        positions, period, free = stored["positions"], float(stored["period"]), stored["free"]
    with open_reference(comm, potential) as reference:
        system = reference.cylinder(positions, period)
        evaluation = system.evaluate(positions)
        minimum = system.minimise(positions, free, 1e-6, 1000)
        return {
            "forces": system.forces(positions),
            "site_energies": evaluation.site_energies,
            "minimum": minimum.positions,
            "ranks": comm.size,
        }


def heard_on_every_rank(comm: Any, potential: dict[str, Any]) -> dict[str, Any]:
    """Whether each rank hears that a reference cannot be opened."""
    from kernels.evaluations import PotentialError
    from kernels.references import open_reference

    try:
        open_reference(comm, potential)
        heard = False
    except PotentialError:
        heard = True
    return {"heard": comm.allgather(heard)}


def lost_atom(comm: Any, potential: dict[str, Any]) -> None:
    """Throw an atom out of the box."""
    from kernels.references import open_reference

    positions = 2.5 * np.array([[x, y, 0.0] for x in range(3) for y in range(3)])
    with open_reference(comm, potential) as reference:
        system = reference.cylinder(positions, 2.5)
        system.forces(positions)
        positions[0, 0] += 100.0
        system.forces(positions)


def _main(kernel: str, answer: str, arguments: str) -> None:
    from mpi4py import MPI

    module, name = kernel.split(":")
    found = getattr(importlib.import_module(module), name)(MPI.COMM_WORLD, **json.loads(arguments))
    if MPI.COMM_WORLD.rank == 0:
        np.savez(answer, **found)


if __name__ == "__main__":
    _main(*sys.argv[1:])
