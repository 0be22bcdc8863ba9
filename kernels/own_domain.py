"""Training clusters relaxed in a domain of their own, as someone does whose reference affords no larger one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kernels.cylinders import clamped_cylinder
from kernels.inputs import load_arrays
from kernels.training import cluster_reach
from kernels.truncation import compared


class OtherCoreError(RuntimeError):
    """A training domain whose own core is not the core of the simulations."""


def own_core(
    comm: Any,
    *,
    material: Mapping[str, Any],
    dislocation: str,
    own: str,
    simulated: str,
    domain_radius: float,
    cutoff: float,
    perturbation: float,
) -> dict[str, Any]:
    """Check the core that a training domain relaxes to, and surround it with the predictor, wide enough for clusters.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        Rank 0 does it all.
    material : mapping
        See `kernels.materials.bulk_properties`.
    dislocation : str
        A name that `kernels.cylinders.clamped_cylinder` knows.
    own : str
        Artefact of `kernels.equilibrium.polish_equilibrium` in the cylinder of simulation radius R_t: clamped to the
        predictor from there on.
    simulated : str
        That artefact of the same dislocation in the largest cylinder that is simulated, ū.
    domain_radius, cutoff, perturbation : float
        Of the clusters to be made, as in `kernels.training.core_set`, Å.

    Returns
    -------
    dict
        What `kernels.training.core_set` takes as an equilibrium: the arrays of `kernels.cylinders.ClampedCylinder`,
        free within R_t, and ``corrector`` (n, 3), Å; and ``training_truncation_error``, ‖D(ū − ū_own)‖ per line
        period, Å. Empty on ranks other than 0.

    Raises
    ------
    OtherCoreError
        If the two are not the same core, judged as truncation errors are.
    GeometryError
        If the cylinder cannot be built.
    ValueError
        If they are not of the same dislocation and material.

    Notes
    -----
    theory.md, "Training data".
    """
    if comm.rank != 0:
        return {}
    relaxed, wide = load_arrays(own), load_arrays(simulated)
    # what both have: beyond it the corrector is zero, and so are the energies' differences
    shared = min(len(relaxed["sites"]), len(wide["sites"]))
    if not np.allclose(relaxed["sites"][:shared], wide["sites"][:shared], rtol=0.0, atol=1e-6):
        raise ValueError(f"{own} and {simulated} are not of the same dislocation and material")
    found = compared(
        simulated,
        material,
        dislocation,
        relaxed["corrector"][:shared],
        relaxed["site_energy_difference"][:shared],
    )
    if found["status"] != "relaxed":
        raise OtherCoreError(
            f"the {dislocation} relaxed in a training domain of {domain_radius} Å is another core than the one that is "
            f"simulated ({found['message']}); enlarge domain_radius, or train with training.core.source: large"
        )
    reach = cluster_reach(relaxed, material, domain_radius, cutoff, perturbation)
    cylinder = clamped_cylinder(dislocation, material, domain_radius, 2 * reach)
    corrector = np.zeros_like(cylinder.sites)
    corrector[cylinder.free] = relaxed["corrector"][relaxed["free"]]
    return cylinder.arrays() | {
        "corrector": corrector,
        "training_truncation_error": np.array(found["truncation_geometry_error"]),
    }
