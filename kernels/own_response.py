"""Linear response of the reference to potentials that each have a lattice and a predictor of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.ace import basis_of
from kernels.dislocated import DislocatedCrystal
from kernels.inputs import load_arrays
from kernels.own_lattice import parameters_of, with_parameter
from kernels.preconditioners import has_hessian
from kernels.references import open_reference
from kernels.response import EVERYWHERE, strain_factors, triangle
from kernels.rows import cylinder_rows

Floats = NDArray[np.float64]
Forces = Callable[[Floats, float], Floats]

# Of central differences by a parameter, relative to its unit: of the predictor, which is known to rounding, and of the
# forces as the atoms move with it.
STEP, FORCE_STEP = 1e-4, 1e-4


def own_response_map(
    comm: Any,
    *,
    potential: Mapping[str, Any],
    basis: Mapping[str, Any],
    material: Mapping[str, Any],
    dislocation: str,
    equilibrium: str,
    radial_edges: Sequence[float] = EVERYWHERE,
) -> dict[str, Any]:
    """Make all that the geometry estimates of every fit at one equilibrium need, each in its own lattice.

    Parameters
    ----------
    comm : mpi4py communicator
        Shares the design rows of the sites, and the atoms under LAMMPS.
    potential, material : mapping
        See `kernels.references.open_reference` and `kernels.materials.bulk_properties`.
    basis : mapping
        ACE basis: element, order, degree, cutoff (Å).
    dislocation : str
        A name that `kernels.cylinders.clamped_cylinder` knows.
    equilibrium : str
        Path of an equilibrium artefact.
    radial_edges : sequence of float
        Edges of B bins of distance from the line, Å.

    Returns
    -------
    dict
        ``geometry_factor`` (L + P, L + P) and ``profile_factors`` (B, L + P, L + P) as
        `kernels.response.response_map` gives them, of a fit's L coefficients and behind them the P parameters of its
        crystal (`kernels.own_lattice.parameters_of`). NaN where the equilibrium has no Hessian. Empty on ranks other
        than 0.

    Notes
    -----
    In its own lattice the fit's atoms begin at ȳ + w, ȳ the reference equilibrium and w what lattice and predictor
    differ by, on the clamped sites too. To first order its corrector then differs by
    δu = H⁻¹(Φ(ū) c − H w), and w is linear in the parameters. theory.md, "The linear-response estimate".
    """
    state, functions = load_arrays(equilibrium), basis_of(basis)
    force_rows, _ = cylinder_rows(comm, functions, state)
    size = functions.length + len(parameters_of(material))
    edges = np.asarray(radial_edges, dtype=float)
    if not has_hessian(equilibrium):
        unknown = np.full((len(edges), size, size), np.nan)
        return {"geometry_factor": unknown[0], "profile_factors": unknown[:-1]} if comm.rank == 0 else {}
    with open_reference(comm, potential) as reference:

        def forces(positions: Floats, period: float) -> Floats:
            evaluated = reference.cylinder(positions, period).forces(positions)
            return np.asarray(evaluated[state["free"]], dtype=float)

        pulls = pulled(state, material, dislocation, forces)
    if comm.rank != 0:
        return {}
    factors, _ = strain_factors(state, equilibrium, np.hstack([force_rows, pulls]), edges)
    return {"geometry_factor": triangle(factors.reshape(-1, size)), "profile_factors": factors[:-1]}


def pulled(
    state: Mapping[str, NDArray[Any]], material: Mapping[str, Any], dislocation: str, forces: Forces
) -> Floats:
    """Give −H ∂w/∂p: how the reference's atoms are pulled as another lattice and predictor move them.

    Parameters
    ----------
    state : mapping
        An equilibrium artefact of n sites, m of them free.
    material : mapping
        The reference's.
    dislocation : str
        Kind of dislocation.
    forces : callable
        (n, 3) positions and the period along the line, Å, to the reference's forces on the free atoms, (m, 3), eV/Å.

    Returns
    -------
    (3 m, P) ndarray
        By the parameters of `kernels.own_lattice.parameters_of`, eV/Å.
    """
    relaxed = state["sites"] + state["predictor"] + state["corrector"]

    def at(name: str, direction: Floats, step: float) -> Floats:
        stretch = with_parameter(material, name, step)["lattice_constant"] / material["lattice_constant"]
        # the images along the line move as well
        return forces(relaxed + step * direction, stretch * float(state["period"]))

    columns = []
    for name in parameters_of(material):
        direction = _moved(state, material, dislocation, name)
        ahead, behind = (at(name, direction, step) for step in (FORCE_STEP, -FORCE_STEP))
        columns.append((ahead - behind).ravel() / (2.0 * FORCE_STEP))
    return np.stack(columns, axis=1)


def _moved(
    state: Mapping[str, NDArray[Any]], material: Mapping[str, Any], dislocation: str, name: str
) -> Floats:
    """Differentiate ℓ + u0 of every site by a parameter, Å."""
    lattice = state["sites"] / float(material["lattice_constant"])

    def placed(step: float) -> Floats:
        changed = with_parameter(material, name, step)
        sites = float(changed["lattice_constant"]) * lattice
        return np.asarray(sites + DislocatedCrystal.of(dislocation, changed).displacement(sites))

    return (placed(STEP) - placed(-STEP)) / (2.0 * STEP)


def own_estimates(response: Mapping[str, Any], coefficients: Floats, parameters: Floats) -> dict[str, Floats]:
    """Geometry errors of fits in their own lattices, to first order in their misfit.

    Parameters
    ----------
    response : mapping
        What `own_response_map` returned.
    coefficients : (W, L)
        Fits, without E0.
    parameters : (W, P)
        Of their crystals, by `kernels.own_lattice.fitted_parameters`.

    Returns
    -------
    dict
        ``geometry_estimate`` (W,) and ``strain_error_profile_estimate`` (W, B), Å. NaN where a fit has no crystal.
    """
    both = np.hstack([coefficients, parameters])
    shares = [np.linalg.norm(both @ upper.T, axis=1) for upper in response["profile_factors"]]
    return {
        "geometry_estimate": np.linalg.norm(both @ response["geometry_factor"].T, axis=1),
        "strain_error_profile_estimate": np.stack(shares, axis=1),
    }
