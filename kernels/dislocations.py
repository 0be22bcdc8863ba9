"""Straight dislocations: their kinds, and the displacement that anisotropic elasticity gives them.

The line is z. Crystal orientation and the sextic problem come from matscipy.dislocation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from matscipy import dislocation as matscipy_dislocation
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# (kind, structure) to the matscipy class that knows its axes, Burgers vector and core position.
DISLOCATIONS = {("screw", "bcc"): "BCCScrew111Dislocation"}

# The self-consistent predictor is iterated until no component moves by more, Å: it then depends on the site
# alone, not on which other sites were iterated along with it.
PREDICTOR_TOLERANCE = 1e-13
PREDICTOR_ITERATIONS = 500
# Half the new and half the old iterate: near the core the plain iteration need not contract.
PREDICTOR_MIXING = 0.5
# At isotropy the sextic problem is defective: an anisotropy this near to 1 is moved off it by as much.
ISOTROPY_CLEARANCE = 1e-6


class GeometryError(ValueError):
    """A dislocation that cannot be built as asked."""


@dataclass(frozen=True)
class OrientedCell:
    """The crystal in a dislocation's axes: an orthogonal cell, in lattice constants.

    Attributes
    ----------
    positions : (n, 3) ndarray
        Atoms.
    edges : (3,) ndarray
        Lengths; the third is the period along the line.
    core : (3,) ndarray
        Where the line passes.
    """

    positions: Floats
    edges: Floats
    core: Floats


@dataclass(frozen=True)
class ElasticField:
    """Displacement of a straight dislocation in an anisotropic continuum, Stroh's solution.

    u(x) = Re Σ_α c_α log(m·x + p_α n·x) / (2πi), the line along z through the origin, cut along y = 0, x < 0.

    Attributes
    ----------
    along, across : (3,) ndarray
        m and n, in the frame of the cylinder.
    roots : (6,) ndarray
        p_α.
    amplitudes : (3, 6) ndarray
        c_α, Å.
    burgers : (3,) ndarray
        In the frame of the cylinder, Å.
    """

    along: Floats
    across: Floats
    roots: NDArray[np.complex128]
    amplitudes: NDArray[np.complex128]
    burgers: Floats

    def __call__(self, points: Floats) -> Floats:
        """Displacement at (m, 2) or (m, 3) points relative to the line, Å; (m, 3)."""
        plane = points[:, :2]
        arguments = (plane @ self.along[:2])[:, None] + (plane @ self.across[:2])[:, None] * self.roots
        return np.asarray((np.log(arguments) @ self.amplitudes.T / (2j * np.pi)).real)

    def self_consistent(self, points: Floats) -> Floats:
        """Displacement u with u = U(x + u), U this field; (m, 3), Å.

        Raises
        ------
        GeometryError
            If the iteration does not settle: a point is too near the line.
        """
        displacement = self(points)
        for _ in range(PREDICTOR_ITERATIONS):
            new = PREDICTOR_MIXING * self(points[:, :2] + displacement[:, :2])
            new += (1 - PREDICTOR_MIXING) * displacement
            change = float(np.max(np.abs(new - displacement), initial=0.0))
            displacement = new
            if change <= PREDICTOR_TOLERANCE:
                return displacement
        raise GeometryError(
            f"the elastic predictor still moves by {change:.1e} Å after {PREDICTOR_ITERATIONS} iterations; "
            "a site lies too near the dislocation line"
        )


def stroh_displacement(
    kind: str, structure: str, C11: float, C12: float, C44: float, lattice_constant: float, points: Floats
) -> Floats:
    """Anisotropic elastic displacement of a dislocation, not self-consistent: for the far field.

    Parameters
    ----------
    kind, structure : str
        A key of `DISLOCATIONS`: ``screw`` in ``bcc``.
    C11, C12, C44 : float
        Elastic constants in one unit.
    lattice_constant : float
        Å; the Burgers vector scales with it.
    points : (m, 2) or (m, 3) ndarray
        Relative to the line, in the frame of the cylinder, Å.

    Returns
    -------
    (m, 3) ndarray
        Å.

    Raises
    ------
    GeometryError
        If the dislocation is not known, or the constants are not those of a stable cubic crystal.

    Notes
    -----
    theory.md, "Why virials matter". J. P. Hirth, J. Lothe, *Theory of Dislocations*, 2nd ed., p. 467.

    Examples
    --------
    >>> ahead, behind = np.array([[9.0, 0.0]]), np.array([[-9.0, 1e-9]])
    >>> turn = stroh_displacement("screw", "bcc", 522.0, 204.0, 161.0, 3.16, np.vstack([ahead, behind]))
    >>> bool(np.isclose(abs(turn[1, 2] - turn[0, 2]), 0.5 * np.sqrt(0.75) * 3.16))  # half a Burgers vector
    True
    """
    field = elastic_field(kind, structure, C11, C12, C44, lattice_constant)
    return field(np.asarray(points, dtype=float))


def elastic_field(
    kind: str, structure: str, C11: float, C12: float, C44: float, lattice_constant: float
) -> ElasticField:
    """Solve the sextic problem of a dislocation in a cubic crystal (see `stroh_displacement`)."""
    if not (abs(C12) < C11 and C44 > 0.0 and C11 + 2 * C12 > 0.0):
        raise GeometryError(
            f"elastic constants C11 = {C11:g}, C12 = {C12:g}, C44 = {C44:g} are not a stable cubic crystal's"
        )
    if abs(2 * C44 / (C11 - C12) - 1) < ISOTROPY_CLEARANCE:
        C44 *= 1 + ISOTROPY_CLEARANCE
    known = _matscipy_class(kind, structure)
    axes = np.array(known.axes, dtype=float)
    burgers = lattice_constant * np.array(known.burgers_dimensionless, dtype=float)
    solution = matscipy_dislocation.AnisotropicDislocation(
        axes, slip_plane=axes[1], disloc_line=axes[2], burgers=burgers, C11=C11, C12=C12, C44=C44
    )
    displacements, tractions = solution.Nv[:3], solution.Nv[3:]
    amplitudes = np.sign(solution.Np.imag) * displacements * (solution.b @ tractions)
    return ElasticField(solution.m.real, solution.n.real, solution.Np, amplitudes, solution.b.real)


def _matscipy_class(kind: str, structure: str) -> Any:
    name = DISLOCATIONS.get((kind, structure))
    if name is None:
        known = ", ".join(f"{kind} in {structure}" for kind, structure in DISLOCATIONS)
        raise GeometryError(f"dislocation {kind!r} in {structure!r} is not known; known are: {known}")
    return getattr(matscipy_dislocation, name)


@lru_cache(maxsize=8)
def oriented_cell(kind: str, structure: str, element: str) -> OrientedCell:
    """Look up the crystal in a dislocation's axes.

    Raises
    ------
    GeometryError
        If the dislocation is not known for the structure.
    """
    # elastic constants do not enter the cell, but matscipy's constructor insists on some
    known = _matscipy_class(kind, structure)(1.0, C11=2.0, C12=1.0, C44=1.0, symbol=element)
    cell = known.unit_cell
    return OrientedCell(
        np.array(cell.positions), np.diag(cell.cell.array), np.array(known.unit_cell_core_position)
    )
