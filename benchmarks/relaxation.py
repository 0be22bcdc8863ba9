"""Relaxing fits from the reference equilibrium: ours against ASE's optimisers, and what the Hessian behind it costs.

    python benchmarks/relaxation.py [--quick] [--write] [--folder DIR]

W screw, SNAP as the reference, linear ACE of order 3, 20 weightings of energies and virials against forces. Ours is the
relaxation to the point without forces that continues the reference's core, to a largest force component of 1e-6 eV/Å;
what checking its stability and leaving saddles takes stands beside it. ASE's optimisers begin at the same point and end
at the same tolerance, with ace-jax's ordinary calculator and with our own forces. One processor.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import measuring
import numpy as np
import screw
from ase import Atoms
from ase.optimize import FIRE, LBFGS
from ase.optimize.bfgslinesearch import BFGSLineSearch
from ase.optimize.precon import Exp, PreconLBFGS
from chain import Chain
from fit_on_cylinder import FitOnCylinder

from kernels.factorisation import HessianFactor, factor_of
from kernels.laplacian import NeighbourLaplacian
from kernels.relaxation import relax
from kernels.settling import settle

TOLERANCE = 1e-6
# Energies and virials; forces weigh 1.
WEIGHTINGS = [(e, 1.0, v) for e in (0.0, 0.1, 1.0, 10.0) for v in (0.0, 0.1, 1.0, 10.0, 100.0)]
PEER_STEPS = 400
HOPELESS = 4.0
# A peer is given so long, s: the best takes seconds, a dense Hessian of 2,600 unknowns minutes.
PATIENCE = 60.0
PEERS: dict[str, Callable[[Atoms], Any]] = {
    "LBFGS": lambda atoms: LBFGS(atoms, logfile=None),
    "FIRE": lambda atoms: FIRE(atoms, logfile=None),
    "BFGSLineSearch": lambda atoms: BFGSLineSearch(atoms, logfile=None),
    "PreconLBFGS": lambda atoms: PreconLBFGS(atoms, precon=Exp(A=3), logfile=None, use_armijo=True),
    "PreconLBFGS without line search": lambda atoms: PreconLBFGS(
        atoms, precon=Exp(A=3), logfile=None, use_armijo=False
    ),
}


def counted(chain: Chain, degree: int, radius: float, fits: np.ndarray) -> dict[str, Any]:
    """Count evaluations over the weightings."""
    equilibrium, response = chain.equilibrium(radius), np.load(chain.response(degree, radius))["force_rows"]
    factor = factor_of(equilibrium)
    laplacian = NeighbourLaplacian.of(np.load(equilibrium), chain.material)
    first: list[int] = []
    unknown: list[int] = []
    by_laplacian: list[int] = []
    settled: list[int] = []
    saddles = unconverged = unsettled = 0
    for coefficients in fits:
        fit = FitOnCylinder(chain.basis(degree), coefficients, equilibrium)
        force = (response @ coefficients).reshape(-1, 3)
        found = settle(
            fit.forces,
            fit.product,
            factor,
            fit.start,
            tolerance=TOLERANCE,
            most_evaluations=200,
            start_force=force,
        )
        first.append(found.first.evaluations)
        settled.append(found.evaluations)
        unconverged += not found.first.converged
        unsettled += not found.settled
        saddles += found.saddle is not None
        for counts, solve in ((unknown, factor.solve), (by_laplacian, laplacian.solve)):
            counts.append(
                relax(fit.forces, solve, fit.start, tolerance=TOLERANCE, product=fit.product).evaluations
            )
    return {
        "degree": degree,
        "functions": int(fits.shape[1]),
        "median": statistics.median(first),
        "range": [min(first), max(first)],
        "median_without_response": statistics.median(unknown),
        "median_laplacian": statistics.median(by_laplacian),
        "unconverged": unconverged,
        "saddles": saddles,
        "unsettled": unsettled,
        "median_settled": statistics.median(settled),
    }


def optimised(fit: FitOnCylinder, peer: str, calculator: Any) -> tuple[str, int]:
    """Run one of ASE's optimisers to our tolerance; how it ended, and evaluations."""
    calculator.reset()
    calculator.evaluations = 0
    atoms = fit.atoms(calculator)
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for _ in PEERS[peer](atoms).irun(fmax=0.0, steps=PEER_STEPS):
                if np.abs(atoms.get_forces()).max() <= TOLERANCE:
                    return "converged", calculator.evaluations
                if time.perf_counter() - started > PATIENCE:
                    return f"given up after {PATIENCE:g} s", calculator.evaluations
        except Exception as error:  # noqa: BLE001 - an optimiser that gives up is a result
            return f"{type(error).__name__}: {str(error)[:50]}", calculator.evaluations
    return "out of steps", calculator.evaluations


def timed(chain: Chain, degree: int, radius: float, coefficients: np.ndarray, repeats: int) -> dict[str, Any]:
    """Wall times of one fit's relaxation by every method, in turns."""
    equilibrium = chain.equilibrium(radius)
    rows, factor = np.load(chain.response(degree, radius))["force_rows"], factor_of(equilibrium)
    laplacian = NeighbourLaplacian.of(np.load(equilibrium), chain.material)
    fit = FitOnCylinder(chain.basis(degree), coefficients, equilibrium)
    endings: dict[str, tuple[str, int]] = {}

    def own(name: str, solve: Callable[[np.ndarray], np.ndarray], *, known: bool) -> None:
        force = (rows @ coefficients).reshape(-1, 3) if known else None
        found = relax(
            fit.forces, solve, fit.start, tolerance=TOLERANCE, product=fit.product, start_force=force
        )
        endings[name] = found.outcome, found.evaluations

    def peer(name: str, optimiser: str, calculator: Any) -> None:
        endings[name] = optimised(fit, optimiser, calculator)

    calls: dict[str, Callable[[], None]] = {
        "ours": lambda: own("ours", factor.solve, known=True),
        "ours, Laplacian": lambda: own("ours, Laplacian", laplacian.solve, known=False),
    }
    # one calculator for all turns: what it compiles is not counted
    for kind, calculator in (("ace-jax", fit.ordinary_calculator()), ("own forces", fit.own_calculator())):
        for optimiser in PEERS:
            name = f"{optimiser}, {kind}"
            calls[name] = partial(peer, name, optimiser, calculator)
    once = {name: _seconds(call) for name, call in calls.items()}
    # what took so much longer in one turn is not the best of its kind, and is not run again
    medians = once | measuring.interleaved(_contenders(calls, once, endings), repeats)
    return {
        name: {"seconds": medians[name], "outcome": endings[name][0], "evaluations": endings[name][1]}
        for name in calls
    }


def _seconds(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _contenders(
    calls: dict[str, Callable[[], None]], once: dict[str, float], endings: dict[str, tuple[str, int]]
) -> dict[str, Callable[[], None]]:
    """Leave out what took more than `HOPELESS` times the best of its kind that converged."""
    kept = {}
    for name, call in calls.items():
        kind = [other for other in calls if other.partition(", ")[2] == name.partition(", ")[2]]
        able = [once[other] for other in kind if endings[other][0] == "converged"]
        if once[name] <= HOPELESS * min(able, default=np.inf):
            kept[name] = call
    return kept


def best_of(times: dict[str, Any], kind: str) -> tuple[str, float]:
    """Quickest of the peers that converged."""
    able = {
        name: found["seconds"]
        for name, found in times.items()
        if name.endswith(kind) and found["outcome"] == "converged"
    }
    best = min(able, key=lambda name: able[name])
    return best, able[best]


def factorising(chain: Chain, radius: float) -> float:
    """Median time to factorise the Hessian, once for each rank that relaxes, in seconds."""
    matrix = factor_of(chain.equilibrium(radius)).matrix
    return measuring.median_of(lambda: HessianFactor(matrix))


def report(
    chain: Chain, radius: float, counts: list[dict[str, Any]], times: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Text and figures."""
    ours, laplacian = times["ours"]["seconds"], times["ours, Laplacian"]["seconds"]
    hessian, factor = chain.seconds(chain.hessian(radius)), factorising(chain, radius)
    ordinary, own = best_of(times, "ace-jax"), best_of(times, "own forces")
    figures = {
        "radius": radius,
        "free_atoms": len(np.load(chain.equilibrium(radius))["hessian_indptr"]) // 3,
        "hessian_s": hessian,
        "factor_s": factor,
        "ratio_ordinary": ordinary[1] / ours,
        "ratio_own_forces": own[1] / ours,
        "break_even_own_forces": (hessian + factor) / max(own[1] - ours, 1e-12),
        "break_even_laplacian": (hessian + factor) / max(laplacian - ours, 1e-12),
    }
    heads = ["degree", "functions", "evaluations: median, range", "start evaluated", "Laplacian"]
    heads += ["unconverged", "saddles", "with checks and descents", "not settled"]
    rows = [
        [
            each["degree"],
            each["functions"],
            f"{each['median']:g}, {each['range'][0]}–{each['range'][1]}",
            f"{each['median_without_response']:g}",
            f"{each['median_laplacian']:g}",
            each["unconverged"],
            each["saddles"],
            f"{each['median_settled']:g}",
            each["unsettled"],
        ]
        for each in counts
    ]
    times_rows = [
        [
            name,
            found["evaluations"],
            found["outcome"],
            f"{1e3 * found['seconds']:.0f}",
            f"{found['seconds'] / ours:.1f}",
        ]
        for name, found in times.items()
    ]
    text = "\n\n".join(
        [
            "# Relaxations of fits from the reference equilibrium",
            (
                f"W screw, SNAP, R = {radius:g} Å, {figures['free_atoms']} free atoms; {len(WEIGHTINGS)} weightings; "
                "to 1e-6 eV/Å."
            ),
            measuring.table(heads, rows),
            (
                f"Wall times of one fit of degree {counts[-1]['degree']}: medians, one run where it was more than "
                f"{HOPELESS:g} times the best of its kind:"
            ),
            measuring.table(["method", "evaluations", "ended", "ms", "over ours"], times_rows),
            (
                f"Against the best with ace-jax's ordinary calculator ({ordinary[0]}): "
                f"{figures['ratio_ordinary']:.0f} times (wanted: 50); with our own forces ({own[0]}): "
                f"{figures['ratio_own_forces']:.1f} times (wanted: 5). "
                f"The Hessian took {hessian:.1f} s and its factor {factor:.2f} s: paid back after "
                f"{figures['break_even_own_forces']:.0f} relaxations against that one, and after "
                f"{figures['break_even_laplacian']:.0f} against our own with the Laplacian."
            ),
        ]
    )
    return text, figures


def main() -> None:
    """Run the benchmark."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--quick", action="store_true", help="small cylinder and bases, one repetition")
    arguments.add_argument("--write", action="store_true", help="keep the figures in benchmarks/results")
    arguments.add_argument(
        "--folder", type=Path, default=Path("benchmarks/.artefacts"), help="of what can be kept"
    )
    options = arguments.parse_args()
    measuring.on_processors(1)
    chain = Chain(options.folder, screw.POTENTIAL)
    radius, degrees, count, repeats = (15.0, [6], 8, 1) if options.quick else (40.0, [6, 8, 12], 24, 5)
    counts, started = [], time.perf_counter()
    for degree in degrees:
        fits = np.load(chain.fits(degree, radius, count, WEIGHTINGS))["coefficients"]
        counts.append(counted(chain, degree, radius, fits))
    middle = fits[WEIGHTINGS.index((1.0, 1.0, 1.0))]
    text, figures = report(chain, radius, counts, timed(chain, degrees[-1], radius, middle, repeats))
    print(text)
    print(f"{time.perf_counter() - started:.0f} s")
    if options.write:
        measuring.write("relaxation", text, {"counts": counts, **figures})


if __name__ == "__main__":
    main()
