"""Force evaluations of a fit's relaxation against the radius of its cylinder.

    python benchmarks/radius.py [--quick] [--write] [--folder DIR]

Fe screw, Mendelev's EAM as the reference (its Hessian is cheap at any radius), linear ACE of order 3, the same fits at
every radius: those of the widest axis of weights that the reference's core survives. With the reference's Hessian, and
with the neighbour Laplacian that takes its place where the factor no longer fits. To 1e-6 eV/Å.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

import measuring
import numpy as np
from chain import Chain
from fit_on_cylinder import FitOnCylinder
from reference import POTENTIALS

from kernels.factorisation import factor_of
from kernels.laplacian import NeighbourLaplacian
from kernels.relaxation import relax

TOLERANCE = 1e-6
WEIGHTINGS = [(e, 1.0, v) for e in (0.1, 1.0, 10.0) for v in (0.0, 1.0, 10.0)]
TRAINED_AT, COUNT = 20.0, 16


def measured(chain: Chain, degree: int, radius: float, fits: np.ndarray) -> dict[str, Any]:
    """Count the evaluations of every fit at one radius."""
    equilibrium = chain.equilibrium(radius)
    factor, laplacian = factor_of(equilibrium), NeighbourLaplacian.of(np.load(equilibrium), chain.material)
    counts: dict[str, list[int]] = {"hessian": [], "laplacian": []}
    unconverged = 0
    for coefficients in fits:
        fit = FitOnCylinder(chain.basis(degree), coefficients, equilibrium)
        for name, solve in (("hessian", factor.solve), ("laplacian", laplacian.solve)):
            found = relax(fit.forces, solve, fit.start, tolerance=TOLERANCE, product=fit.product)
            counts[name].append(found.evaluations)
            unconverged += not found.converged
    return {
        "degree": degree,
        "radius": radius,
        "free_atoms": len(fit.free),
        **{name: statistics.mean(found) for name, found in counts.items()},
        **{f"{name}_range": [min(found), max(found)] for name, found in counts.items()},
        "unconverged": unconverged,
    }


def slope(found: list[dict[str, Any]], name: str) -> float:
    """Give d log(evaluations) / d log(radius) by least squares."""
    radii, counts = (np.log([each[key] for each in found]) for key in ("radius", name))
    return float(np.polyfit(radii, counts, 1)[0])


def main() -> None:
    """Run the benchmark."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--quick", action="store_true", help="small cylinders, one basis")
    arguments.add_argument("--write", action="store_true", help="keep the figures in benchmarks/results")
    arguments.add_argument(
        "--folder", type=Path, default=Path("benchmarks/.artefacts"), help="of what can be kept"
    )
    options = arguments.parse_args()
    measuring.on_processors(1)
    chain = Chain(options.folder, POTENTIALS["Fe EAM"][1])
    radii, degrees = ([20.0, 30.0], [6]) if options.quick else ([20.0, 40.0, 80.0, 113.0, 160.0], [6, 8])
    results, slopes = [], {}
    for degree in degrees:
        fits = np.load(chain.fits(degree, TRAINED_AT, COUNT, WEIGHTINGS))["coefficients"]
        found = [measured(chain, degree, radius, fits) for radius in radii]
        slopes[degree] = {name: slope(found, name) for name in ("hessian", "laplacian")}
        results += found
    rows = [
        [
            each["degree"],
            f"{each['radius']:g}",
            each["free_atoms"],
            *(
                f"{each[name]:.1f}, {each[name + '_range'][0]}–{each[name + '_range'][1]}"
                for name in ("hessian", "laplacian")
            ),
            each["unconverged"],
        ]
        for each in results
    ]
    heads = [
        "degree",
        "R (Å)",
        "free atoms",
        "with the Hessian: mean, range",
        "with the Laplacian",
        "unconverged",
    ]
    told = "; ".join(
        f"degree {degree}: {found['hessian']:+.3f} with the Hessian, {found['laplacian']:+.3f} with the Laplacian"
        for degree, found in slopes.items()
    )
    text = "\n\n".join(
        [
            "# Force evaluations of a relaxation against the radius",
            measuring.table(heads, rows),
            f"Log–log slopes (wanted: below 0.05). {told}.",
        ]
    )
    print(text)
    if options.write:
        measuring.write("radius", text, {"cases": results, "slopes": slopes})


if __name__ == "__main__":
    main()
