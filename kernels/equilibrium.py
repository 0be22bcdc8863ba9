"""The reference equilibrium of a clamped cylinder: relaxed, its Hessian's inertia checked, its energy measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.course import Solve
from kernels.cylinders import ClampedCylinder, clamped_cylinder
from kernels.evaluations import Floats
from kernels.factorisation import HessianFactor
from kernels.hessian import assembled_hessian, cylinder_hessian
from kernels.inertia import LowestMode, lowest_mode_of
from kernels.inputs import load_arrays
from kernels.reference_cylinder import MOST_DEPARTURES, ReferenceCylinder, Relaxed
from kernels.references import open_reference

# The predictor has the core's symmetry, and so would its relaxation: a core that breaks it (W by Zhou's EAM) would
# end on a saddle. Sites this near to the line start off the predictor by this standard deviation, Å.
SHAKEN_RADIUS = 8.0
SHAKEN_BY = 0.02
# A core on a saddle is moved this far along its lowest mode (longest component), Å: well past rounding, short of
# another valley.
DEPARTURE = 0.1
# What left a saddle is relaxed to this at the least, eV/Å: the start may by luck have had none.
DEPARTED_FORCE = 1e-6
# Half the radius beyond which a comparison is begun from the equilibrium of a narrower cylinder, this wide at
# least, Å: narrower ones can have another core.
NARROW = 30.0
# A third as wide, so a ninth of the atoms; to this force, eV/Å, since the wider one's boundary is what is left.
NARROWER, WELL_BEGUN = 3.0, 1e-5


def rough_equilibrium(
    comm: Any,
    potential: Mapping[str, Any],
    material: Mapping[str, Any],
    dislocation: str,
    simulation_radius: float,
    cutoff: float,
    force_tolerance: float = 1e-6,
) -> dict[str, Any]:
    """Relax a dislocation from its elastic predictor, near enough for its Hessian to be the equilibrium's.

    The start is shaken a little near the line, the same way for every radius (see `SHAKEN_BY`). Where it ends
    forces vanish; whether it is a minimum, `polish_equilibrium` finds out.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        LAMMPS shares the atoms over its ranks.
    potential, material : mapping
        See `kernels.references.open_reference` and `kernels.materials.bulk_properties`.
    dislocation : str
        A name that `kernels.cylinders.clamped_cylinder` knows.
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
        If the tolerance is not met, or atoms met.
    """
    cylinder = _clamped(material, dislocation, simulation_radius, cutoff)
    with open_reference(comm, potential) as reference:
        atoms = ReferenceCylinder(reference, cylinder.arrays(), material)
        found = atoms.descended(_shake(cylinder), force_tolerance)
    return cylinder.arrays() | _ending(found, found.evaluations)


def polish_equilibrium(
    comm: Any,
    potential: Mapping[str, Any],
    material: Mapping[str, Any],
    rough_path: str,
    hessian_paths: list[str],
    force_tolerance: float = 1e-8,
) -> dict[str, Any]:
    """Finish a relaxation by chord Newton with its Hessian, leave a saddle, and measure the result.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        LAMMPS shares the atoms over its ranks.
    potential, material : mapping
        See `rough_equilibrium`.
    rough_path : str
        Artefact of `rough_equilibrium`.
    hessian_paths : list of str
        Artefacts of `kernels.hessian.hessian_columns` there, every part once; all empty where the cylinder is too
        large for a Hessian.
    force_tolerance : float
        Largest force component on a free atom, eV/Å.

    Returns
    -------
    dict
        The entries of `rough_equilibrium`, its corrector relaxed further, its evaluations added to;
        ``hessian_data``, ``hessian_indices``, ``hessian_indptr``, the symmetric Hessian on the free degrees of
        freedom 3·(free site) + xyz in compressed columns, eV/Å², as it is at the corrector (absent where the cylinder
        is too large); ``lowest_eigenvalue`` of it, eV/Å² (NaN there);
        ``site_energy_difference`` (n,), V(D(u0+ū)) − V(Du0) of each site, and ``energy``, their sum, eV.

    Raises
    ------
    EquilibriumError
        If the core stands on a saddle again and again, or the tolerance is not met.
    PotentialError
        If the reference fails.

    Notes
    -----
    theory.md, "Geometry" and "Relaxing with the reference's Hessian".
    """
    rough = load_arrays(rough_path)
    hessian = assembled_hessian(hessian_paths, 3 * int(rough["free"].sum())) if comm.rank == 0 else None
    with open_reference(comm, potential) as reference:
        atoms = ReferenceCylinder(reference, rough, material)
        if comm.bcast(hessian is None):
            found, described = atoms.settled(rough["corrector"], force_tolerance), _no_hessian()
            spent = found.evaluations
        else:
            settled = _settled(comm, potential, atoms, rough, hessian)
            found = atoms.polished(settled.corrector, force_tolerance, settled.solve)
            described, spent = settled.described(), settled.evaluations + found.evaluations
        measured = _energies(atoms, found.corrector)
    evaluations = int(rough["force_evaluations"]) + spent
    return dict(rough) | _ending(found, evaluations) | described | measured


def comparison_equilibrium(
    comm: Any,
    potential: Mapping[str, Any],
    material: Mapping[str, Any],
    dislocation: str,
    simulation_radius: float,
    cutoff: float,
    force_tolerance: float = 1e-6,
    start_path: str | None = None,
) -> dict[str, Any]:
    """Relax a dislocation in a cylinder much wider than any simulated one, without its Hessian.

    Wide cylinders are begun from the equilibrium of a narrower one, which leaves its boundary's forces to smooth
    out: a few evaluations for each of the wide cylinder's.

    Parameters
    ----------
    comm, potential, material, dislocation, simulation_radius, cutoff
        As in `rough_equilibrium`.
    force_tolerance : float
        Largest force component on a free atom, eV/Å. At 1e-6 the corrector of an iron screw of 90 Å was within
        7e-6 Å (in ‖Du‖) and its energy within 2e-12 eV of the limit, a thousandth and less of the truncation errors
        of cylinders a third as wide; at 1e-5 it was 7e-5 Å, and that grows with the radius.
    start_path : str, optional
        Artefact of `polish_equilibrium` (or of `rough_equilibrium`) of the same dislocation in a narrower cylinder:
        begin there. So the comparison has the core of what it is compared with, which is known to be a minimum, and
        costs least. Without it begin from the predictor, in a narrower cylinder, where the core is also looked at for a
        mode that leads further down.

    Returns
    -------
    dict
        The entries of `rough_equilibrium`, and ``site_energy_difference`` and ``energy`` as `polish_equilibrium`
        gives them.

    Raises
    ------
    GeometryError, PotentialError
        If the cylinder cannot be built or the reference fails.
    EquilibriumError
        If the tolerance is not met, or atoms met.
    ValueError
        If the start is not of the same dislocation and material.

    Notes
    -----
    theory.md, "Rates in the domain radius".
    """
    shared = (comm, potential, material, dislocation)
    cylinder = _clamped(material, dislocation, simulation_radius, cutoff)
    start: Floats | None = None
    if start_path is not None:
        start = _extended(load_arrays(start_path), cylinder)
    elif simulation_radius >= 2 * NARROW:
        narrower = max(simulation_radius / NARROWER, NARROW)
        start = _extended(comparison_equilibrium(*shared, narrower, cutoff, WELL_BEGUN), cylinder)
    with open_reference(comm, potential) as reference:
        atoms = ReferenceCylinder(reference, cylinder.arrays(), material)
        if start is None:
            found = atoms.settled(_shake(cylinder), force_tolerance)
        else:
            found = atoms.descended(start, force_tolerance)
        measured = _energies(atoms, found.corrector)
    return cylinder.arrays() | _ending(found, found.evaluations) | measured


def shell_width(material: Mapping[str, Any], simulation_radius: float, cutoff: float) -> float:
    """Width of a fixed shell that makes every force on a free atom exact, Å.

    Twice the cutoff in the *displaced* crystal, strained near the shell by about a lattice constant / (2π radius).
    """
    strain = float(material["lattice_constant"]) / (2 * np.pi * simulation_radius)
    return 2 * cutoff * (1 + strain)


class _Settled(NamedTuple):
    """A stable core: where it is, its Hessian (on rank 0), how to solve with it, and the evaluations it took."""

    corrector: Floats
    hessian: Any
    solve: Solve
    lowest_eigenvalue: float
    evaluations: int

    def described(self) -> dict[str, Any]:
        parts = () if self.hessian is None else ("data", "indices", "indptr")
        arrays = {f"hessian_{part}": getattr(self.hessian, part) for part in parts}
        return arrays | {"lowest_eigenvalue": np.array(self.lowest_eigenvalue)}


def _settled(
    comm: Any,
    potential: Mapping[str, Any],
    atoms: ReferenceCylinder,
    rough: Mapping[str, NDArray[Any]],
    hessian: Any,
) -> _Settled:
    """Leave saddles along their lowest modes until the core stands in a minimum."""
    corrector, evaluations = rough["corrector"], 0
    for _ in range(1 + MOST_DEPARTURES):
        # on one rank alone: k copies of a large factor would not fit where one does
        factor = HessianFactor(hessian) if comm.rank == 0 else None
        mode: LowestMode = comm.bcast(lowest_mode_of(factor) if factor else None)
        if mode.eigenvalue > 0.0:
            solve = partial(_solved_on_first, comm, factor)
            return _Settled(corrector, hessian, solve, mode.eigenvalue, evaluations)
        aside = corrector.copy()
        aside[rough["free"]] += DEPARTURE * mode.direction.reshape(-1, 3)
        found = atoms.descended(aside, max(float(rough["residual_force"]), DEPARTED_FORCE))
        corrector, evaluations = found.corrector, evaluations + found.evaluations
        hessian = cylinder_hessian(comm, potential, dict(rough) | {"corrector": corrector})
    raise atoms.on_a_saddle(f"{mode.eigenvalue:.2e} eV/Å²")


def _solved_on_first(comm: Any, factor: HessianFactor | None, forces: Floats) -> Floats:
    """Solve on the rank that has the factor."""
    solved: Floats = comm.bcast(factor.solve(forces) if factor else None)
    return solved


def _clamped(
    material: Mapping[str, Any], dislocation: str, simulation_radius: float, cutoff: float
) -> ClampedCylinder:
    reach = max(cutoff, float(material["cutoff"]))
    return clamped_cylinder(
        dislocation, material, simulation_radius, shell_width(material, simulation_radius, reach)
    )


def _shake(cylinder: ClampedCylinder) -> Floats:
    """Small displacements of the free sites near the line, the same for every radius."""
    near = cylinder.free & (np.hypot(cylinder.sites[:, 0], cylinder.sites[:, 1]) < SHAKEN_RADIUS)
    displacements = cylinder.opening.copy()
    displacements[near] += np.random.default_rng(0).normal(0.0, SHAKEN_BY, (int(near.sum()), 3))
    return displacements


def _extended(narrow: Mapping[str, NDArray[Any]], wide: ClampedCylinder) -> Floats:
    """Extend the corrector of a narrower cylinder by zero: its sites are the first of the wider one's."""
    count = len(narrow["sites"])
    if count > len(wide.sites) or not np.allclose(narrow["sites"], wide.sites[:count], rtol=0, atol=1e-6):
        raise ValueError(
            "the start is no narrower cylinder of the same dislocation and material; give one's equilibrium, or none"
        )
    corrector = np.zeros_like(wide.sites)
    corrector[:count] = narrow["corrector"]
    return corrector


def _ending(found: Relaxed, evaluations: int) -> dict[str, Any]:
    return {
        "corrector": found.corrector,
        "residual_force": np.array(found.residual),
        "force_evaluations": np.array(evaluations),
    }


def _no_hessian() -> dict[str, Any]:
    return {"lowest_eigenvalue": np.array(np.nan)}


def _energies(atoms: ReferenceCylinder, corrector: Floats) -> dict[str, Any]:
    differences = atoms.site_energy_difference(corrector)
    return {"site_energy_difference": differences, "energy": np.array(math.fsum(differences))}
