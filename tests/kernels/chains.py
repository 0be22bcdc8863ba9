"""A whole study of one dislocation at the smallest size: equilibrium, training sets, fits, response, a point."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from kernels.assembly import factors
from kernels.blocks import estimate_block
from kernels.elasticity import elastic_rows
from kernels.equilibrium import polish_equilibrium, rough_equilibrium
from kernels.fitting import fit_block
from kernels.hessian import hessian_columns
from kernels.materials import bulk_properties
from kernels.points import relax_point
from kernels.response import response_map
from kernels.training import bulk_set, core_set
from tests.kernels.iron import stored

COMM = MPI.COMM_SELF


@dataclass(frozen=True)
class Chain:
    material: dict[str, Any]
    equilibrium: dict[str, Any]
    core: dict[str, Any]
    fits: dict[str, Any]
    estimates: dict[str, Any]
    point: dict[str, Any]


def made(
    folder: Path, potential: dict[str, Any], structure: str, kind: str, radius: float, basis: dict[str, Any]
) -> Chain:
    material = bulk_properties(COMM, potential, structure)
    cutoff = float(basis["cutoff"])
    rough = stored(folder, "rough", rough_equilibrium(COMM, potential, material, kind, radius, cutoff=cutoff))
    hessian = stored(folder, "hessian", hessian_columns(COMM, potential, rough, 0, 1))
    state = polish_equilibrium(COMM, potential, material, rough, [hessian])
    equilibrium = stored(folder, "equilibrium", state)
    core = core_set(COMM, potential, material, equilibrium, 4.0, cutoff, 0.03, [0, 0, 0], 0, 6)
    bulk = bulk_set(COMM, potential, material, [2, 2, 2], 0.01, 0.03, [0, 0, 1], 0, 6)
    trained = factors(COMM, basis=basis, core=stored(folder, "core", core), bulk=stored(folder, "bulk", bulk))
    fits = fit_block(
        COMM,
        basis=basis,
        material=material,
        dislocation=kind,
        factors=(trained_path := stored(folder, "factors", trained)),
        held_out=trained_path,
        elastic=stored(
            folder, "elastic", elastic_rows(COMM, basis=basis, material=material, structure=structure)
        ),
        weightings=[[1.0, 1.0, 1.0]],
        regularisation=1e-6,
    )
    fit = stored(folder, "fit", fits)
    response = stored(folder, "response", response_map(COMM, basis=basis, equilibrium=equilibrium))
    estimates = estimate_block(COMM, fit=fit, response=response)
    point = relax_point(
        COMM,
        basis=basis,
        material=material,
        dislocation=kind,
        equilibrium=equilibrium,
        fit=fit,
        weighting=0,
        tolerance=1e-6,
        most_evaluations=200,
        radial_edges=[0.0, 5.0, 1e4],
    )
    return Chain(
        material, state, core, {name: np.asarray(value) for name, value in fits.items()}, estimates, point
    )
