"""An equilibrium of iron with fits to it, and one whose reference is such a fit.

With a linear ACE as its own reference everything is known: the unperturbed fit has no error at all, and the
linear-response estimates of perturbed ones must become exact as the perturbation shrinks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI
from scipy.sparse import csc_matrix

from kernels.ace import SharedForces, basis_of
from kernels.assembly import factors
from kernels.elasticity import elastic_rows
from kernels.errors import energy_difference
from kernels.fitting import fit_block
from kernels.relaxation import relax
from kernels.response import response_map
from kernels.training import bulk_set, core_set
from tests.kernels.iron import IRON, relaxed_iron, stored

COMM = MPI.COMM_SELF
BASIS = {"element": "Fe", "order": 2, "degree": 6, "cutoff": 4.5}
RADIUS = 10.0
EDGES = [0.0, 5.0, 1e4]
EPSILONS = (2e-3, 1e-3, 5e-4, 0.0)


@dataclass(frozen=True)
class Study:
    """A reference equilibrium of iron, and fits to it."""

    material: dict[str, Any]
    equilibrium: str
    fit: str
    coefficients: np.ndarray


def study_of_iron(folder: Path) -> Study:
    """Relax iron and fit it."""
    relaxed = relaxed_iron(folder, RADIUS)
    cut = {"domain_radius": 6.0, "cutoff": 4.5, "perturbation": 0.05}
    sets = {}
    for name, stream in (("train", 0), ("held", 9)):
        core = core_set(
            COMM, IRON, relaxed.material, relaxed.equilibrium, seed=[0, stream, 0], first=0, last=4, **cut
        )
        bulk = bulk_set(COMM, IRON, relaxed.material, [2, 2, 2], 0.01, 0.05, [0, stream, 1], 0, 4)
        sets[name] = stored(
            folder,
            f"factors-{name}",
            factors(
                COMM,
                basis=BASIS,
                core=stored(folder, f"core-{name}", core),
                bulk=stored(folder, f"bulk-{name}", bulk),
            ),
        )
    rows = elastic_rows(COMM, basis=BASIS, material=relaxed.material, structure="bcc")
    fits = fit_block(
        COMM,
        basis=BASIS,
        material=relaxed.material,
        dislocation="screw",
        factors=sets["train"],
        held_out=sets["held"],
        elastic=stored(folder, "elastic", rows),
        weightings=[[1.0, 1.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]],
        regularisation=1e-6,
    )
    return Study(relaxed.material, relaxed.equilibrium, stored(folder, "fit", fits), fits["coefficients"])


@dataclass(frozen=True)
class OwnReference:
    """An equilibrium whose reference is a fit, and small perturbations of that fit."""

    equilibrium: str
    fit: str
    response: str


def own_reference_of(iron: Study, folder: Path, epsilons: tuple[float, ...] = EPSILONS) -> OwnReference:
    """Make the first fit its own reference, and perturb it."""
    with np.load(iron.equilibrium) as file:
        state = dict(file)
    free, placed = np.flatnonzero(state["free"]), state["sites"] + state["predictor"]
    fitted = np.ascontiguousarray(iron.coefficients[0])
    # the kernel's table is good to about 1e-10 eV/Å, not to the tolerance below
    shared = SharedForces(
        COMM, basis_of(BASIS), placed + state["corrector"], float(state["period"]), state["free"], exact=True
    )

    def positions(corrector: np.ndarray) -> np.ndarray:
        moved = placed.copy()
        moved[free] += corrector
        return moved

    def hessian(corrector: np.ndarray) -> np.ndarray:
        directions = np.eye(3 * len(free)).reshape(-1, len(free), 3)
        at = positions(corrector)
        return np.stack([shared.hessian_product(fitted, at, d).ravel() for d in directions], axis=1)

    first = hessian(state["corrector"][free])
    found = relax(
        lambda u: shared.forces(fitted, positions(u)),
        lambda f: np.linalg.solve(first, f.ravel()).reshape(f.shape),
        state["corrector"][free],
        tolerance=1e-11,
    )
    assert found.converged
    matrix = hessian(found.displacement)
    sparse = csc_matrix(0.5 * (matrix + matrix.T))
    corrector = np.zeros_like(placed)
    corrector[free] = found.displacement
    at_rest, before = (
        shared.site_energies(fitted, positions(u)) for u in (found.displacement, 0.0 * found.displacement)
    )
    state |= {
        "corrector": corrector,
        "hessian_data": sparse.data,
        "hessian_indices": sparse.indices,
        "hessian_indptr": sparse.indptr,
        "energy": np.array(energy_difference(at_rest, before)),
    }
    equilibrium = stored(folder, "equilibrium", state)
    change = np.random.default_rng(0).standard_normal(len(fitted)) * np.abs(fitted)
    coefficients = np.stack([fitted + epsilon * change for epsilon in epsilons])
    fits = {"coefficients": coefficients, "e0": np.zeros(len(epsilons))}
    fit = stored(folder, "fit", {**fits, "excluded": np.zeros(len(epsilons), bool)})
    response = stored(
        folder, "response", response_map(COMM, basis=BASIS, equilibrium=equilibrium, radial_edges=EDGES)
    )
    return OwnReference(equilibrium, fit, response)
