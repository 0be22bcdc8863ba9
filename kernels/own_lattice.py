"""The clamped cylinder in which a potential is relaxed: the reference's, or one of the potential's own lattice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from kernels.cylinders import ClampedCylinder, clamped_cylinder
from kernels.elastic_fields import GeometryError, is_stable
from kernels.elasticity import at_rest_of, internal_shift, material_of_fit, relaxed_moduli
from kernels.equilibrium import shell_width

Floats = NDArray[np.float64]

# Sites of two lattices are one where they agree to this once scaled, Å.
SAME_SITE = 1e-6


class OwnLatticeError(ValueError):
    """A potential that has no crystal of its own in which the dislocation could be simulated."""


@dataclass(frozen=True, eq=False)
class SimulatedCylinder:
    """Where a potential's atoms are before they relax, and which of them may.

    Attributes
    ----------
    sites, predictor : (n, 3) ndarray
        ℓ and u0, Å.
    free : (n,) ndarray of bool
        The sites that move stand in the order of the reference's.
    period : float
        Along the line, Å.
    burgers : (3,) ndarray
        Å.
    material : mapping
        Whose lattice and predictor they are: lattice_constant (Å), C11, C12, C44 (GPa) and so on.
    """

    sites: Floats
    predictor: Floats
    free: NDArray[np.bool_]
    period: float
    burgers: Floats
    material: Mapping[str, Any]

    @property
    def placed(self) -> Floats:
        """ℓ + u0 of every site, Å."""
        return self.sites + self.predictor

    def displacement(self, corrector: Floats) -> Floats:
        """u0 + u of every site, given (m, 3) correctors of the free ones, Å."""
        displacement = self.predictor.copy()
        displacement[np.flatnonzero(self.free)] += corrector
        return displacement

    def displaced(self, corrector: Floats) -> Floats:
        """Place every site, the free ones by (m, 3) correctors further, Å."""
        positions = self.placed
        positions[np.flatnonzero(self.free)] += corrector
        return positions

    @classmethod
    def of_reference(
        cls, state: Mapping[str, NDArray[Any]], material: Mapping[str, Any]
    ) -> SimulatedCylinder:
        """Give the cylinder of an equilibrium artefact."""
        return cls(
            state["sites"],
            state["predictor"],
            state["free"],
            float(state["period"]),
            state["burgers"],
            material,
        )

    @classmethod
    def of_potential(
        cls,
        state: Mapping[str, NDArray[Any]],
        material: Mapping[str, Any],
        dislocation: str,
        elastic: Mapping[str, Any],
        coefficients: Floats,
        cutoff: float,
    ) -> SimulatedCylinder:
        """Build the cylinder of the same sites in a fit's own lattice, clamped to its own elastic far field.

        Parameters
        ----------
        state : mapping
            The reference equilibrium's artefact.
        material : mapping
            The reference's, of `kernels.materials.bulk_properties`.
        dislocation : str
            A name that `kernels.cylinders.clamped_cylinder` knows.
        elastic : mapping
            `kernels.elasticity.elastic_rows` of the basis.
        coefficients : (L,)
            The fit, without E0.
        cutoff : float
            Of the basis, Å.

        Raises
        ------
        OwnLatticeError
            If the fit has no stable crystal within reach of the reference's, or its cylinder cannot be built.

        Notes
        -----
        theory.md, "Geometry" (``predictor: potential``).
        """
        own = material_of_fit(elastic, coefficients, material)
        if own is None:
            raise OwnLatticeError(
                "the potential has no stable crystal with a lattice constant within 20 % of the reference's, so no "
                "lattice and no predictor of its own; fit it to virials, or use simulation.predictor: reference"
            )
        scale = own["lattice_constant"] / float(material["lattice_constant"])
        radius = scale * _between(state)
        reach = max(cutoff, float(material["cutoff"]))
        try:
            cylinder = clamped_cylinder(dislocation, own, radius, shell_width(own, radius, reach))
            order = _in_order(scale * state["sites"][state["free"]], cylinder)
        except GeometryError as error:
            raise OwnLatticeError(f"in the potential's own lattice: {error}") from error
        return cls(
            cylinder.sites[order],
            cylinder.predictor[order],
            cylinder.free[order],
            float(cylinder.period),
            cylinder.burgers,
            own,
        )


def parameters_of(material: Mapping[str, Any]) -> tuple[str, ...]:
    """Name what determines a crystal's lattice and predictor, as the reference's material names it."""
    shift = ("internal_shift",) if "internal_shift" in material else ()
    return ("lattice_constant", "C11", "C12", "C44", *shift)


def with_parameter(material: Mapping[str, Any], name: str, step: float) -> dict[str, Any]:
    """Change one parameter of a material by so many of its units (`fitted_parameters`)."""
    return {**material, name: float(material[name]) + step * _unit(material, name)}


def fitted_parameters(
    elastic: Mapping[str, Any], coefficients: Floats, material: Mapping[str, Any]
) -> Floats:
    """Say by how much fits' crystals differ from the reference's.

    Parameters
    ----------
    elastic : mapping
        `kernels.elasticity.elastic_rows` of the basis.
    coefficients : (W, L)
        Fits, without E0.
    material : mapping
        The reference's.

    Returns
    -------
    (W, P) ndarray
        By `parameters_of`: lengths in units of the reference's lattice constant, elastic constants in units of its C44.
        NaN where a fit has no stable crystal within 20 % of the reference's.
    """
    lattice_constants, stiffnesses = at_rest_of(elastic, coefficients)
    moduli, internal = relaxed_moduli(stiffnesses[:, :4], stiffnesses[:, 4:]), stiffnesses[:, 4:]
    found = {"lattice_constant": lattice_constants, "internal_shift": internal_shift(internal)}
    found |= {name: moduli[:, place] for place, name in enumerate(("C11", "C12", "C44"))}
    differences = np.stack(
        [(found[name] - float(material[name])) / _unit(material, name) for name in parameters_of(material)],
        axis=1,
    )
    stable = is_stable(moduli[:, 0], moduli[:, 1], moduli[:, 2])
    return np.where(stable[:, None], differences, np.nan)


def _unit(material: Mapping[str, Any], name: str) -> float:
    return float(material["C44" if name.startswith("C") else "lattice_constant"])


def _between(state: Mapping[str, NDArray[Any]]) -> float:
    """Give a radius with no site near it that parts the free sites from the others, Å: scaling rounds."""
    away, free = np.hypot(state["sites"][:, 0], state["sites"][:, 1]), state["free"]
    return 0.5 * float(away[free].max() + away[~free].min())


def _in_order(wanted: Floats, cylinder: ClampedCylinder) -> NDArray[np.int64]:
    """Order the sites of a cylinder: its free ones as wanted, the others behind them."""
    free, clamped = np.flatnonzero(cylinder.free), np.flatnonzero(~cylinder.free)
    distance, nearest = cKDTree(cylinder.sites[free]).query(wanted)
    if len(free) != len(wanted) or len(np.unique(nearest)) != len(free) or not distance.max() < SAME_SITE:
        raise GeometryError("the cylinder is not one of the same sites as the reference's")
    return np.concatenate([free[nearest], clamped])
