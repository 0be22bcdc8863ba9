"""A fit relaxed in a cylinder of a hundred thousand atoms, without a Hessian: memory, evaluations and time.

    python benchmarks/hundred_thousand.py [--quick] [--write] [--folder DIR]

W screw, R = 420 Å, Finnis–Sinclair as the reference, linear ACE of order 3 and degree 8. The reference's equilibrium
is LAMMPS's, begun from that of 60 Å extended by zero; the fit's relaxation begins there, as in a study: `relax_point`,
with the neighbour Laplacian, to 1e-6 eV/Å, and the end is checked to be a minimum. It runs in a process of its own,
whose memory is told.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import measuring
import numpy as np
from chain import COMM, DISLOCATION, Chain
from reference import POTENTIALS

from kernels.points import relax_point

TOLERANCE, MOST_EVALUATIONS = 1e-6, 400
TRAINED_AT, COUNT, WEIGHTING = 60.0, 16, (1.0, 1.0, 1.0)
DEGREE, RADIUS, QUICK_RADIUS = 8, 420.0, 100.0


def prepared(chain: Chain, radius: float) -> tuple[str, str]:
    """Paths of the wide equilibrium and of the fit."""
    return chain.wide_equilibrium(radius, TRAINED_AT), chain.fits(DEGREE, TRAINED_AT, COUNT, [WEIGHTING])


def relaxed(chain: Chain, radius: float) -> dict[str, Any]:
    """Relax the fit, and measure this process."""
    equilibrium, fit = prepared(chain, radius)
    before, started = _peak(), time.perf_counter()
    point = relax_point(
        COMM,
        basis=chain.basis(DEGREE),
        material=chain.material,
        dislocation=DISLOCATION,
        equilibrium=equilibrium,
        fit=fit,
        weighting=0,
        tolerance=TOLERANCE,
        most_evaluations=MOST_EVALUATIONS,
        radial_edges=[0.0, 20.0, 1e4],
    )
    with np.load(equilibrium) as file:
        atoms, free = len(file["sites"]), int(file["free"].sum())
    return {
        "radius": radius,
        "atoms": atoms,
        "free_atoms": free,
        **{name: point[name] for name in ("status", "message", "force_evaluations", "residual_force")},
        "geometry_error": point.get("geometry_error"),
        "seconds": time.perf_counter() - started,
        "peak_GiB": _peak(),
        "peak_before_GiB": before,
        "reference_s": chain.seconds(equilibrium),
    }


def _peak() -> float:
    """Largest memory of this process so far, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def staged(stage: str, radius: float, folder: Path) -> str:
    """Run a stage in a process of its own; what it printed."""
    command = [sys.executable, __file__, "--stage", stage, "--radius", str(radius), "--folder", str(folder)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    """Run the benchmark."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--quick", action="store_true", help=f"a cylinder of {QUICK_RADIUS:g} Å")
    arguments.add_argument("--write", action="store_true", help="keep the figures in benchmarks/results")
    arguments.add_argument(
        "--folder", type=Path, default=Path("benchmarks/.artefacts"), help="of what can be kept"
    )
    arguments.add_argument("--radius", type=float, help="another radius, Å")
    arguments.add_argument("--stage", choices=["prepare", "relax"], help=argparse.SUPPRESS)
    options = arguments.parse_args()
    radius = options.radius or (QUICK_RADIUS if options.quick else RADIUS)
    if options.stage:
        measuring.on_processors(1)
        chain = Chain(options.folder, POTENTIALS["W FS"][1])
        print(json.dumps(prepared(chain, radius) if options.stage == "prepare" else relaxed(chain, radius)))
        return
    staged("prepare", radius, options.folder)
    found = json.loads(staged("relax", radius, options.folder).splitlines()[-1])
    rows = [[name, f"{value:.4g}" if isinstance(value, float) else value] for name, value in found.items()]
    text = "\n\n".join(
        [
            "# A relaxation without a Hessian",
            measuring.table(["", ""], rows),
            f"Peak memory {found['peak_GiB']:.2f} GiB (wanted: below 4 GB); one processor.",
        ]
    )
    print(text)
    if options.write:
        measuring.write("hundred_thousand", text, found)


if __name__ == "__main__":
    main()
