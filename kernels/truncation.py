"""What the clamped boundary does to the reference's own core: a narrow cylinder's against a much wider one's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.cylinders import clamped_cylinder
from kernels.equilibrium import shell_width
from kernels.errors import energy_difference, strain_norm
from kernels.inputs import load_arrays
from kernels.other_core import other_core
from kernels.reference_cylinder import ReferenceCylinder
from kernels.references import open_reference

Floats = NDArray[np.float64]
State = Mapping[str, NDArray[Any]]

# The wide cylinder's core has the freedom of the narrow one's and more, so in the same minimum its energy is lower;
# both are known to this, eV (without energies per site, by the work of the forces).
ENERGY_RESOLUTION = 1e-6
# Sites of the two cylinders are the same where they agree to this, Å.
SAME_SITE = 1e-6


def truncation_errors(
    comm: Any,
    *,
    potential: Mapping[str, Any],
    material: Mapping[str, Any],
    dislocation: str,
    simulation_radius: float,
    comparison: str,
    force_tolerance: float,
) -> dict[str, Any]:
    """Relax the reference's core in a narrow clamped cylinder, and compare it with its core in a much wider one.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        LAMMPS shares the atoms over its ranks; rank 0 compares.
    potential, material : mapping
        See `kernels.references.open_reference` and `kernels.materials.bulk_properties`.
    dislocation : str
        A name that `kernels.cylinders.clamped_cylinder` knows.
    simulation_radius : float
        R of the narrow cylinder, Å.
    comparison : str
        Artefact of `kernels.equilibrium.comparison_equilibrium` of the same dislocation and material, much wider: ū.
    force_tolerance : float
        Largest force component on a free atom of the narrow cylinder, eV/Å: as that of the wide one.

    Returns
    -------
    dict
        As `compared` gives it.

    Raises
    ------
    GeometryError, PotentialError, EquilibriumError
        If the cylinder cannot be built, the reference fails, or the tolerance is not met.
    ValueError
        If the narrow cylinder is no part of the wide one.
    """
    wide = load_arrays(comparison)
    width = shell_width(material, simulation_radius, float(material["cutoff"]))
    cylinder = clamped_cylinder(dislocation, material, simulation_radius, width)
    count = len(cylinder.sites)
    if count > len(wide["sites"]) or not np.allclose(
        cylinder.sites, wide["sites"][:count], rtol=0.0, atol=SAME_SITE
    ):
        raise ValueError(
            f"the {dislocation} of {simulation_radius} Å is no part of {comparison}; compare with a wider cylinder of "
            "the same dislocation and material"
        )
    with open_reference(comm, potential) as reference:
        atoms = ReferenceCylinder(reference, cylinder.arrays(), material)
        # from the wide core, so that it is the same one wherever the narrow cylinder can hold it
        start = np.where(cylinder.free[:, None], wide["corrector"][:count], 0.0)
        corrector = atoms.descended(start, force_tolerance).corrector
        energies = atoms.site_energy_difference(corrector)
    return compared(comparison, material, dislocation, corrector, energies) if comm.rank == 0 else {}


def compared(
    comparison: str, material: Mapping[str, Any], dislocation: str, corrector: Floats, energies: Floats
) -> dict[str, Any]:
    """Measure what differs between a core in a narrow cylinder, ū_R, and in a wide one, ū.

    Parameters
    ----------
    comparison : str
        Artefact of `kernels.equilibrium.comparison_equilibrium`: the wide cylinder.
    material : mapping
        Reference material as plain data.
    dislocation : str
        Kind of dislocation.
    corrector : (n, 3) ndarray
        Of the narrow cylinder, whose sites are the first of the wide one's, Å.
    energies : (n,) ndarray
        V(D(u0+ū_R)) − V(Du0) of its sites, eV.

    Returns
    -------
    dict
        ``status`` and ``message``, and where the status is relaxed ``truncation_geometry_error``, ‖D(ū − ū_R)‖ in Å,
        and ``truncation_energy_error``, |E(ū) − E(ū_R)| in eV, both per line period. Where it is other_minimum, the
        two are not the same core: neither is given, and the message says why.

    Notes
    -----
    theory.md, "Rates in the domain radius": outside its domain ū_R is the predictor, so its corrector is zero there;
    the norm goes over every bond of the wide cylinder, and the energies are summed difference by difference.
    """
    wide = load_arrays(comparison)
    extended = _extended(corrector, wide["corrector"])
    difference = extended - wide["corrector"]
    excess = energy_difference(
        _extended(energies, wide["site_energy_difference"]), wide["site_energy_difference"]
    )
    reason = other_core(comparison, material, dislocation, extended[wide["free"]]) or _lower_energy(excess)
    if reason:
        return {"status": "other_minimum", "message": reason}
    return {
        "status": "relaxed",
        "message": "",
        "truncation_geometry_error": strain_norm(wide["bonds"], difference),
        "truncation_energy_error": abs(excess),
    }


def _extended(narrow: Floats, wide: Floats) -> Floats:
    """Extend what is known at the first sites by zero to all of them."""
    extended = np.zeros_like(wide)
    extended[: len(narrow)] = narrow
    return extended


def _lower_energy(excess: float) -> str:
    """Say by how much the narrow cylinder's energy is lower, which one minimum does not allow."""
    if excess >= -ENERGY_RESOLUTION:
        return ""
    return (
        f"the narrow cylinder's energy is {-excess:.2e} eV below the wide one's: they are in different minima"
    )
