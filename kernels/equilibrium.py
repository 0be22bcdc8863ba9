"""The reference equilibrium of a clamped cylinder: roughly, then to the last digits with its Hessian."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from kernels.cylinders import ClampedCylinder, clamped_cylinder
from kernels.evaluations import Flags, Floats, System
from kernels.factorisation import HessianFactor
from kernels.hessian import assembled_hessian
from kernels.inputs import load_arrays
from kernels.pairs import pairs_within
from kernels.references import open_reference
from kernels.relaxation import anderson_chord

MOST_EVALUATIONS = 5000
# Atoms this much beyond the cutoff of every atom that moves cannot come to feel one, Å: a relaxing core moves its
# atoms by tenths of it, and so does the strain around it.
RELAXATION_MARGIN = 1.0
# The predictor has the core's symmetry, and so would its relaxation: a core that breaks it (W by Zhou's EAM) would
# end on a saddle. Sites this near to the line start off the predictor by this standard deviation, Å.
SHAKEN_RADIUS = 8.0
SHAKEN_BY = 0.02


class EquilibriumError(RuntimeError):
    """A reference relaxation that did not end in a stable equilibrium."""


def rough_equilibrium(
    comm: Any,
    potential: Mapping[str, Any],
    material: Mapping[str, Any],
    dislocation: str,
    simulation_radius: float,
    cutoff: float,
    force_tolerance: float = 3e-3,
) -> dict[str, Any]:
    """Relax a dislocation from its elastic predictor, near enough for a Hessian to finish.

    The start is shaken a little near the line, the same way for every radius (see `SHAKEN_BY`).

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        LAMMPS shares the atoms over its ranks.
    potential, material : mapping
        See `kernels.references.open_reference` and `kernels.materials.bulk_properties`.
    dislocation : str
        ``screw``.
    simulation_radius : float
        Sites nearer to the line relax, Å.
    cutoff : float
        Of the basis, Å. The larger of it and the reference's sets the width of the fixed shell.
    force_tolerance : float
        Largest force component on a free atom, eV/Å.

    Returns
    -------
    dict
        The arrays of `kernels.cylinders.ClampedCylinder`, and ``corrector`` (n, 3), Å, zero on the fixed
        shell; ``residual_force``, eV/Å; ``force_evaluations``.

    Raises
    ------
    GeometryError, PotentialError
        If the cylinder cannot be built or the reference fails.
    EquilibriumError
        If the tolerance is not met.
    """
    reach = max(cutoff, float(material["cutoff"]))
    cylinder = clamped_cylinder(
        dislocation, material, simulation_radius, shell_width(material, simulation_radius, reach)
    )
    predicted = cylinder.sites + cylinder.predictor
    start = predicted + _shake(cylinder)
    with open_reference(comm, potential) as reference:
        distant = _beyond_reach(cylinder, predicted, reference.cutoff + RELAXATION_MARGIN)
        system = reference.cylinder(start, float(cylinder.period), distant)
        found = system.minimise(start, cylinder.free, force_tolerance, MOST_EVALUATIONS)
    if not found.converged:
        raise EquilibriumError(
            f"the {dislocation} of radius {simulation_radius} Å still has a force of "
            f"{found.residual_force:.1e} eV/Å after {found.force_evaluations} evaluations; try another "
            "simulation radius or a smoother potential"
        )
    return cylinder.arrays() | {
        "corrector": np.where(cylinder.free[:, None], found.positions - predicted, 0.0),
        "residual_force": np.array(found.residual_force),
        "force_evaluations": np.array(found.force_evaluations),
    }


def polish_equilibrium(
    comm: Any,
    potential: Mapping[str, Any],
    material: Mapping[str, Any],
    rough_path: str,
    hessian_paths: list[str],
    force_tolerance: float = 1e-8,
) -> dict[str, Any]:
    """Finish a relaxation by chord Newton with the Hessian at the rough equilibrium, and measure the result.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        LAMMPS shares the atoms over its ranks.
    potential, material : mapping
        See `rough_equilibrium`.
    rough_path : str
        Artefact of `rough_equilibrium`.
    hessian_paths : list of str
        Artefacts of `kernels.hessian.hessian_columns` at that equilibrium, every part once.
    force_tolerance : float
        Largest force component on a free atom, eV/Å.

    Returns
    -------
    dict
        The rough equilibrium's arrays with the final ``corrector``, ``residual_force`` and
        ``force_evaluations`` (of both relaxations); ``hessian_data``, ``hessian_indices``, ``hessian_indptr``,
        the symmetrised Hessian over (free site, xyz) by columns, eV/Å²; ``lowest_eigenvalue``, eV/Å²;
        ``site_energy_difference`` (n,), V(D(u0+ū)) − V(Du0) of each site, and ``energy``, their sum, eV.

    Raises
    ------
    EquilibriumError
        If the Hessian is not positive definite (a saddle), or the iteration leaves the basin or stalls.
    PotentialError
        If the reference fails.

    Notes
    -----
    theory.md, "Geometry" and "Relaxing with the reference's Hessian".
    """
    rough = load_arrays(rough_path)
    free = rough["free"]
    predicted = rough["sites"] + rough["predictor"]
    hessian = assembled_hessian(hessian_paths, 3 * int(free.sum()))
    factor = HessianFactor(hessian)
    lowest = _lowest_eigenvalue(material, hessian, factor)
    with open_reference(comm, potential) as reference:
        system = reference.cylinder(predicted, float(rough["period"]))
        corrector, residual, evaluations = _newton(
            system, predicted, rough["corrector"], free, factor, force_tolerance
        )
        relaxed = system.evaluate(predicted + corrector).site_energies
        # site by site: the difference of two totals would lose the digits that a rate fit needs
        differences = relaxed - system.evaluate(predicted).site_energies
    return dict(rough) | {
        "corrector": corrector,
        "residual_force": np.array(residual),
        "force_evaluations": rough["force_evaluations"] + evaluations,
        "hessian_data": hessian.data,
        "hessian_indices": hessian.indices,
        "hessian_indptr": hessian.indptr,
        "lowest_eigenvalue": np.array(lowest),
        "site_energy_difference": differences,
        "energy": np.array(math.fsum(differences)),
    }


def shell_width(material: Mapping[str, Any], simulation_radius: float, cutoff: float) -> float:
    """Width of a fixed shell that makes every force on a free atom exact, Å.

    Twice the cutoff in the *displaced* crystal, strained near the shell by about a lattice constant / (2π radius).
    """
    strain = float(material["lattice_constant"]) / (2 * np.pi * simulation_radius)
    return 2 * cutoff * (1 + strain)


def _shake(cylinder: ClampedCylinder) -> Floats:
    """Small displacements of the free sites near the line, the same for every radius."""
    near = cylinder.free & (np.hypot(cylinder.sites[:, 0], cylinder.sites[:, 1]) < SHAKEN_RADIUS)
    displacements = np.zeros_like(cylinder.sites)
    displacements[near] = np.random.default_rng(0).normal(0.0, SHAKEN_BY, (int(near.sum()), 3))
    return displacements


def _beyond_reach(cylinder: ClampedCylinder, positions: Floats, reach: float) -> Flags:
    """Sites that no free site comes near."""
    pairs = pairs_within(positions, float(cylinder.period), reach)
    distant = ~cylinder.free
    distant[pairs.first[cylinder.free[pairs.second]]] = False
    return distant


def _newton(
    system: System, predicted: Floats, start: Floats, free: Flags, factor: HessianFactor, tolerance: float
) -> tuple[Floats, float, int]:
    """Corrector at the equilibrium, the largest force left, and the force evaluations used."""

    def forces(unknowns: Floats) -> Floats:
        positions = predicted.copy()
        positions[free] += unknowns
        return system.forces(positions)[free]

    course = anderson_chord(forces, factor.solve, start[free], tolerance=tolerance)
    if not course.converged:
        raise EquilibriumError(
            f"the reference relaxation {course.outcome} at a force of {course.residual:.1e} eV/Å (wanted: "
            f"{tolerance:.0e}); lower the rough equilibrium's force_tolerance, or choose another radius"
        )
    corrector = np.zeros_like(start)
    corrector[free] = course.displacement
    return corrector, course.residual, course.evaluations


def _lowest_eigenvalue(material: Mapping[str, Any], hessian: Any, factor: HessianFactor) -> float:
    """Check the inertia and return the lowest eigenvalue, eV/Å²."""
    negative = factor.negative_pivots
    inverse = LinearOperator(hessian.shape, matvec=factor.solve, dtype=float)
    start = np.random.default_rng(0).normal(size=hessian.shape[0])
    if negative == 0:
        nearest_zero = eigsh(hessian, k=1, sigma=0.0, OPinv=inverse, v0=start, return_eigenvectors=False)
        return float(nearest_zero[0])
    lowest = float(eigsh(hessian, k=1, which="SA", v0=start, return_eigenvectors=False)[0])
    if lowest <= 0.0:
        raise EquilibriumError(
            f"the reference relaxation of {material['element']} ended on a saddle: {negative or 1} negative "
            f"eigenvalues of its Hessian, the lowest {lowest:.2e} eV/Å²; choose another simulation "
            "radius, so that the core settles in a minimum"
        )
    return lowest
