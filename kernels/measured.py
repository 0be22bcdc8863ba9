"""The user's own measures of a relaxed core: functions of the configurations and of the fitted potential."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from kernels.ace import SharedForces, basis_of
from kernels.declarations import MeasureError, declared_by, function_named
from kernels.inputs import load_arrays

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Configuration:
    """A dislocation core twice: relaxed by the reference, and from there by a fitted potential.

    The cylinder is periodic along z alone. Atoms that are not free stand where the predictor puts them, in both.

    Attributes
    ----------
    element : str
        Chemical symbol.
    dislocation : str
        As the study names it.
    sites : (n, 3)
        Of the perfect crystal, Å.
    reference : (n, 3)
        Positions in the reference equilibrium, Å.
    relaxed : (n, 3)
        Positions in the fit's equilibrium, Å.
    free : (n,) bool
        Atoms that move.
    bonds : (b, 2) int
        Pairs of atoms, first and second neighbours: those over which the geometry error is summed.
    burgers : (3,)
        Burgers vector, Å.
    period : float
        Repeat along z, Å.
    """

    element: str
    dislocation: str
    sites: Floats
    reference: Floats
    relaxed: Floats
    free: NDArray[np.bool_]
    bonds: NDArray[np.int64]
    burgers: Floats
    period: float

    def atoms(self, positions: Floats | None = None) -> Atoms:
        """Give the cylinder to ASE, periodic along z.

        Parameters
        ----------
        positions : (n, 3), optional
            Å; by default the relaxed ones.
        """
        cell = np.diag([0.0, 0.0, self.period])
        chosen = self.relaxed if positions is None else positions
        return Atoms(
            f"{self.element}{len(self.sites)}", positions=chosen, cell=cell, pbc=(False, False, True)
        )


class FittedPotential:
    """A fit, evaluated by all ranks together in the cylinder, or by each alone anywhere.

    Attributes
    ----------
    element : str
        Chemical symbol.
    cutoff : float
        Å.
    coefficients : (L,)
        eV, without E0.
    e0 : float
        Energy of every atom besides, relative to the reference's perfect crystal, eV; 0 where it was not observed.
    """

    def __init__(
        self, shared: SharedForces, basis: Mapping[str, Any], coefficients: Floats, e0: float
    ) -> None:
        self._shared, self._basis = shared, basis
        self.element, self.cutoff = str(basis["element"]), float(basis["cutoff"])
        self.coefficients, self.e0 = coefficients, e0

    def energy(self, positions: Floats) -> float:
        """Sum the energies of the atoms that a free one can reach, eV; only differences of it have a meaning.

        Every rank calls this with the same (n, 3) positions of the cylinder, Å, and has the same answer.
        """
        return float(np.sum(self._shared.site_energies(self.coefficients, positions)))

    def forces(self, positions: Floats) -> Floats:
        """Evaluate the forces on the free atoms, (m, 3), eV/Å, in their order; called as `energy`."""
        return self._shared.forces(self.coefficients, positions)

    def calculator(self) -> Any:
        """Make an ASE calculator of the fit, for structures of any kind; it takes seconds, and uses this rank alone.

        Energies are relative to the reference's perfect crystal.
        """
        # built only where it is asked for: ace-jax's model of a fit takes seconds
        from ace_jax import ACECalculator

        from kernels.exported import fitted_basis

        return ACECalculator(*fitted_basis(self._basis, self.coefficients, self.e0).eval_pair())


def measure(
    comm: Any,
    *,
    basis: Mapping[str, Any],
    dislocation: str,
    equilibrium: str,
    fit: str,
    weighting: int,
    corrector: Floats,
    function: str,
    options: Mapping[str, Any],
) -> dict[str, float]:
    """Call a user's function on a relaxed core.

    Parameters
    ----------
    comm : mpi4py communicator
        Every rank calls the function; what it returns on rank 0 counts.
    basis : mapping
        ACE basis as plain data.
    dislocation : str
        Kind of dislocation.
    equilibrium, fit : str
        Paths of the reference equilibrium and of the block's fits.
    weighting : int
        Which of the block's fits.
    corrector : (m, 3)
        Displacement of the free atoms beyond the predictor where the relaxation ended, Å.
    function : str
        ``"package.module:function"``, called as ``function(comm, configuration, potential, **options)`` with a
        `Configuration` and a `FittedPotential`.
    options : mapping
        Its further arguments.

    Returns
    -------
    dict
        A number for each name that the function declares. Empty on ranks other than 0.

    Raises
    ------
    MeasureError
        If the function returns other names, or something that is no number.
    """
    state, fits = load_arrays(equilibrium), load_arrays(fit)
    free = np.asarray(state["free"], dtype=bool)
    placed = state["sites"] + state["predictor"]
    relaxed = placed.copy()
    relaxed[free] += np.asarray(corrector, dtype=float)
    configuration = Configuration(
        element=str(basis["element"]),
        dislocation=dislocation,
        # copies: what a function changes is its own, and the artefact stays as it is for the next
        sites=state["sites"].copy(),
        reference=placed + state["corrector"],
        relaxed=relaxed,
        free=free.copy(),
        bonds=state["bonds"].copy(),
        burgers=state["burgers"].copy(),
        period=float(state["period"]),
    )
    e0 = float(fits["e0"][weighting])
    potential = FittedPotential(
        SharedForces.of(comm, basis_of(basis), equilibrium),
        basis,
        np.ascontiguousarray(fits["coefficients"][weighting]),
        e0 if np.isfinite(e0) else 0.0,
    )
    found = function_named(function)(comm, configuration, potential, **options)
    if comm.rank != 0:
        return {}
    return _numbers(function, found, [name for name, _, _ in declared_by(function)])


def _numbers(function: str, found: Any, names: Sequence[str]) -> dict[str, float]:
    if not isinstance(found, Mapping) or set(found) != set(names):
        returned = ", ".join(map(str, found)) if isinstance(found, Mapping) else f"a {type(found).__name__}"
        raise MeasureError(f"{function} returned {returned}; it declares {', '.join(names)}")
    try:
        return {name: float(found[name]) for name in names}
    except (TypeError, ValueError) as error:
        raise MeasureError(f"{function} returned something that is no number: {error}") from error
