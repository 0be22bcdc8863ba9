"""One point of a study: relax a fitted potential from the reference equilibrium and compare the two."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.ace import SharedForces, basis_of
from kernels.errors import difference_from, energy_difference, strain_norm, strain_profile
from kernels.inputs import load_arrays
from kernels.neighbourhoods import collapsed_pair
from kernels.other_core import other_core
from kernels.own_lattice import OwnLatticeError, SimulatedCylinder
from kernels.preconditioners import has_hessian, preconditioner_of
from kernels.settling import Settling, settle

Floats = NDArray[np.float64]


class LedForces:
    """Forces of one potential with rank 0 in the lead: it decides what is evaluated, all ranks evaluate.

    Ranks that each ran the optimiser would have to agree to the last bit on when to stop; one rank deciding
    needs no such luck.

    Parameters
    ----------
    shared : SharedForces
        Holds the communicator and this rank's sites.
    coefficients : (L,)
        The fit, without E0.
    placed : (n, 3)
        ℓ + u0 of every site, Å.
    free : (m,) int
        Sites that move.
    """

    def __init__(
        self, shared: SharedForces, coefficients: Floats, placed: Floats, free: NDArray[Any]
    ) -> None:
        self._shared, self._coefficients, self._placed, self._free = shared, coefficients, placed, free

    def _positions(self, corrector: Floats) -> Floats:
        positions = self._placed.copy()
        positions[self._free] += corrector
        return positions

    def _evaluate(self, what: str, corrector: Floats, direction: Floats | None) -> Floats:
        positions = self._positions(corrector)
        if what == "forces":
            return self._shared.forces(self._coefficients, positions)
        if direction is None:
            return self._shared.site_energies(self._coefficients, positions)
        return self._shared.hessian_product(self._coefficients, positions, direction)

    def _ordered(self, what: str, corrector: Floats, direction: Floats | None = None) -> Floats:
        self._shared.comm.bcast((what, corrector, direction), root=0)
        return self._evaluate(what, corrector, direction)

    def forces(self, corrector: Floats) -> Floats:
        """(m, 3) correctors, Å, to forces on the free sites, eV/Å."""
        return self._ordered("forces", corrector)

    def product(self, corrector: Floats, direction: Floats) -> Floats:
        """Give the potential's Hessian at a corrector times a direction, eV/Å."""
        return self._ordered("product", corrector, direction)

    def site_energies(self, corrector: Floats) -> Floats:
        """Energies of every site that a free one can reach, eV."""
        return self._ordered("energies", corrector)

    def follow(self) -> None:
        """Evaluate what rank 0 asks for until it releases this rank."""
        while (order := self._shared.comm.bcast(None, root=0)) is not None:
            self._evaluate(*order)

    def release(self) -> None:
        """Let the other ranks go."""
        self._shared.comm.bcast(None, root=0)


def relax_point(
    comm: Any,
    *,
    basis: Mapping[str, Any],
    material: Mapping[str, Any],
    dislocation: str,
    equilibrium: str,
    fit: str,
    weighting: int,
    tolerance: float,
    most_evaluations: int,
    radial_edges: list[float],
    response: str | None = None,
    keep_corrector: bool = False,
    elastic: str | None = None,
) -> dict[str, Any]:
    """Relax one fit in the clamped cylinder to a minimum and measure its errors (theory.md, "Geometry").

    Parameters
    ----------
    comm : mpi4py communicator
        Shares the sites.
    basis, material : mapping
        ACE basis and reference material as plain data.
    dislocation : str
        Kind of dislocation.
    equilibrium, fit : str
        Paths of the reference equilibrium and of the block's fits.
    weighting : int
        Which of the block's fits.
    tolerance : float
        Largest force component on the free atoms at the end, eV/Å.
    most_evaluations : int
        Force evaluations allowed to each of the two methods.
    radial_edges : list of float
        Bin edges of the strain-error profile, Å.
    response : str, optional
        Path of `kernels.response.response_map` of the same basis and equilibrium: it knows the forces at the start,
        which are evaluated otherwise.
    keep_corrector : bool
        Whether to give the core too, for measures of it.
    elastic : str, optional
        Path of `kernels.elasticity.elastic_rows` of the basis. Where it is given the fit is relaxed in its own lattice,
        clamped to its own elastic far field, and core correctors are compared: there are no errors of energies then,
        which would be differences to two predictors. Otherwise lattice and predictor are the reference's.

    Returns
    -------
    dict
        ``status`` (relaxed, unconverged or other_minimum), ``message`` and the point's values by their names in the
        store. None of the errors is given where the relaxation did not converge. ``relative_stiffness`` is that of
        the point nearest to the reference's core; where it is negative, that was a saddle with the geometry error
        ``saddle_geometry_error``, and the errors are those of the minimum below it. Where the equilibrium has no
        Hessian to compare with, there is no relative stiffness.
        Where it is to be kept and the relaxation converged, ``corrector`` (m, 3): where the free atoms ended, beyond
        the predictor, Å.
    """
    started = time.perf_counter()
    state = load_arrays(equilibrium)
    coefficients = np.ascontiguousarray(load_arrays(fit)["coefficients"][weighting])
    try:
        # on every rank alike, and so is its failure
        simulated = _simulated(state, material, dislocation, elastic, coefficients, basis)
    except OwnLatticeError as error:
        return _without_a_crystal(error, started) if comm.rank == 0 else {}
    begun = state["corrector"][state["free"]]
    if elastic is None:
        shared = SharedForces.of(comm, basis_of(basis), equilibrium)
    else:
        shared = SharedForces(
            comm, basis_of(basis), simulated.displaced(begun), simulated.period, simulated.free
        )
    led = LedForces(shared, coefficients, simulated.placed, np.flatnonzero(simulated.free))
    if comm.rank != 0:
        led.follow()
        return {}
    edges = np.asarray(radial_edges)
    try:
        found = settle(
            led.forces,
            led.product,
            preconditioner_of(equilibrium, material),
            begun,
            tolerance=tolerance,
            most_evaluations=most_evaluations,
            start_force=None if response is None else _known_force(response, coefficients),
        )
        values: dict[str, Any] = {
            "newton_steps": found.steps,
            "force_evaluations": found.evaluations,
            "residual_force": found.last.residual,
        }
        if found.stiffness is not None and has_hessian(equilibrium):
            values["relative_stiffness"] = found.stiffness
        if found.saddle is not None:
            values["saddle_geometry_error"] = strain_norm(
                state["bonds"], difference_from(state, found.saddle)
            )
        if not found.settled:
            status, message = "unconverged", _ending(found)
        elif collapsed := _collapsed(simulated, found.last.displacement):
            status, message = "unconverged", collapsed
        else:
            values |= _geometry_errors(state, found.last.displacement, edges)
            if elastic is None:
                values |= _energy_errors(state, led, found.last.displacement)
            message = other_core(equilibrium, material, dislocation, found.last.displacement, simulated)
            status = "other_minimum" if message else "relaxed"
            if keep_corrector:
                values["corrector"] = found.last.displacement
    finally:
        led.release()
    return {"status": status, "message": message, **values, "wall_time": time.perf_counter() - started}


def _simulated(
    state: Mapping[str, NDArray[Any]],
    material: Mapping[str, Any],
    dislocation: str,
    elastic: str | None,
    coefficients: Floats,
    basis: Mapping[str, Any],
) -> SimulatedCylinder:
    """Give the cylinder in which a fit is relaxed: in its own lattice where the rows of its crystal are given."""
    if elastic is None:
        return SimulatedCylinder.of_reference(state, material)
    rows = load_arrays(elastic)
    return SimulatedCylinder.of_potential(
        state, material, dislocation, rows, coefficients, float(basis["cutoff"])
    )


def _without_a_crystal(error: OwnLatticeError, started: float) -> dict[str, Any]:
    """Say that there is nothing to relax."""
    return {"status": "unconverged", "message": str(error), "wall_time": time.perf_counter() - started}


def _known_force(response: str, coefficients: Floats) -> Floats:
    """Take the forces of a fit on the free sites of the reference equilibrium from the design rows there, eV/Å."""
    return np.asarray(load_arrays(response)["force_rows"] @ coefficients, dtype=float).reshape(-1, 3)


def _ending(found: Settling) -> str:
    return (
        f"the relaxation ended unconverged ({found.ending}) at {found.last.residual:.2e} eV/Å after "
        f"{found.evaluations} evaluations"
    )


def _collapsed(simulated: SimulatedCylinder, corrector: Floats) -> str:
    """Say which atoms fell into each other: a poor fit may have a hole at short range, and a minimum in it."""
    pair = collapsed_pair(simulated.displaced(corrector), simulated.period, simulated.material)
    if pair is None:
        return ""
    first, second, distance = pair
    return (
        f"the potential let atoms {first} and {second} come as close as {distance:.2f} Å, below half a bond"
    )


def _geometry_errors(state: Mapping[str, NDArray[Any]], corrector: Floats, edges: Floats) -> dict[str, Any]:
    """Geometry error of a relaxed corrector against the reference's."""
    difference = difference_from(state, corrector)
    return {
        "geometry_error": strain_norm(state["bonds"], difference),
        "strain_error_profile": strain_profile(state["bonds"], difference, state["sites"], edges).tolist(),
    }


def _energy_errors(state: Mapping[str, NDArray[Any]], led: LedForces, corrector: Floats) -> dict[str, Any]:
    """Energy error of a relaxed corrector, both energies being differences to one predictor."""
    undisplaced = np.zeros_like(corrector)
    energy = energy_difference(led.site_energies(corrector), led.site_energies(undisplaced))
    signed = energy - float(state["energy"])
    return {"energy_difference": signed, "energy_error": abs(signed)}
