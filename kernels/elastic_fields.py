"""Displacement of a straight dislocation in an anisotropic continuum, in space and on a lattice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matscipy.dislocation import AnisotropicDislocation
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

# The self-consistent displacement is iterated until no component moves by more, Å.
CONVERGED = 1e-13
MOST_ITERATIONS = 500
# Half the new and half the old iterate: near the core the plain iteration need not contract.
MIXING = 0.5
# At isotropy the sextic problem is defective: an anisotropy this near to 1 is moved off it by as much.
ISOTROPY_CLEARANCE = 1e-6


def is_stable(c11: Any, c12: Any, c44: Any) -> Any:
    """Whether a cubic crystal of these elastic constants resists every strain (Born's criteria); NaN does not.

    Parameters
    ----------
    c11, c12, c44 : float or (W,) ndarray
        GPa.

    Returns
    -------
    bool or (W,) ndarray of bool

    Examples
    --------
    >>> is_stable(523.0, 203.0, 160.0), is_stable(100.0, 120.0, 50.0), is_stable(float("nan"), 1.0, 1.0)
    (True, False, False)
    """
    return (c11 > abs(c12)) & (c11 + 2.0 * c12 > 0.0) & (c44 > 0.0)


class GeometryError(ValueError):
    """A dislocation that cannot be built as asked."""


@dataclass(frozen=True)
class ElasticField:
    """Displacement of a straight dislocation, Stroh's solution.

    u(x) = Re Σ_α c_α log((m·x + p_α n·x) / b) / (2πi), b the length of the Burgers vector, the line along z through
    the origin, cut along y = 0, x < 0. Above the cut it is the Burgers vector more than below.

    Attributes
    ----------
    along, across : (3,) ndarray
        m and n, in the frame of the cylinder: x and y.
    roots : (6,) ndarray
        p_α.
    amplitudes : (3, 6) ndarray
        c_α, Å.
    burgers : (3,) ndarray
        In the frame of the cylinder, Å; its y component is zero.
    """

    along: Floats
    across: Floats
    roots: NDArray[np.complex128]
    amplitudes: NDArray[np.complex128]
    burgers: Floats

    def __post_init__(self) -> None:
        jump = (self.amplitudes @ np.sign(self.roots.imag)).real
        if not np.allclose(jump, self.burgers, rtol=0.0, atol=1e-6 * float(np.linalg.norm(self.burgers))):
            raise GeometryError(
                f"around the line the elastic displacement gains {np.round(jump, 4).tolist()} Å, not the "
                f"Burgers vector {np.round(self.burgers, 4).tolist()} Å; check the elastic constants"
            )

    def __call__(self, points: Floats, above: Flags | None = None) -> Floats:
        """Displacement at points relative to the line.

        Parameters
        ----------
        points : (m, 2) or (m, 3) ndarray
            Å.
        above : (m,) ndarray of bool, optional
            Side of the cut that each point belongs to: the displacement is continued from there if the point lies
            beyond. By default the side on which it lies.

        Returns
        -------
        (m, 3) ndarray
            Å.
        """
        plane = points[:, :2] / float(np.linalg.norm(self.burgers))
        arguments = (plane @ self.along[:2])[:, None] + (plane @ self.across[:2])[:, None] * self.roots
        belongs = points[:, 1] >= 0.0 if above is None else above
        # the logarithm's own cut is turned to x = 0 on the far side of y = 0, out of the way of either side
        quarter = 1j * np.where(belongs, 1.0, -1.0)[:, None] * np.sign(self.roots.imag)
        logarithms = np.log(arguments / quarter) + 0.5 * np.pi * quarter
        return np.asarray((logarithms @ self.amplitudes.T / (2j * np.pi)).real)

    def gradient(self, points: Floats) -> Floats:
        """∇u at (m, 2) or (m, 3) points relative to the line: (m, 3, 3), [point, component, direction]."""
        directions = self.along + self.roots[:, None] * self.across
        inverse = 1.0 / (points[:, :2] @ directions[:, :2].T)
        return np.asarray(
            np.einsum("ca,aj,ma->mcj", self.amplitudes, directions, inverse / (2j * np.pi)).real
        )

    def self_consistent(self, sites: Floats) -> Floats:
        """Displacement u of lattice sites with u = U(x + u), U this field on the site's own side of the cut.

        U belongs to the crystal in which the dislocation stands. Taken at the sites of the perfect crystal instead,
        an edge dislocation's field would not match across the cut, by the order of the strain itself. The cut
        follows the glide plane as it bends: no site changes sides, however far out.

        Parameters
        ----------
        sites : (m, 2) or (m, 3) ndarray
            Relative to the line, Å.

        Returns
        -------
        (m, 3) ndarray
            Å. It depends on the site alone, not on which others are asked for.

        Raises
        ------
        GeometryError
            If the iteration does not settle: a site is too near the line.

        Notes
        -----
        Matches the slip-corrected predictor of V. Ehrlacher, C. Ortner, A. V. Shapeev, ARMA 222:1217 (2016), and
        avoids the vacancies on the cut reported as matscipy issue 265.
        """
        above = sites[:, 1] >= 0.0
        # a site on the line itself has no displacement: that is said below, once
        with np.errstate(divide="ignore", invalid="ignore"):
            displacement = self(sites, above)
            moving = np.arange(len(sites))
            for _ in range(MOST_ITERATIONS):
                old = displacement[moving]
                new = self(sites[moving, :2] + old[:, :2], above[moving])
                new = MIXING * new + (1 - MIXING) * old
                displacement[moving] = new
                moving = moving[~(np.max(np.abs(new - old), axis=1, initial=0.0) <= CONVERGED)]
                if not moving.size:
                    return displacement
        raise GeometryError(
            f"the elastic predictor does not settle in {MOST_ITERATIONS} iterations at "
            f"{np.round(sites[moving[0], :2], 3).tolist()} Å from the line; the site lies too near it"
        )


def shears(gradient: Floats, rotation: Floats) -> Floats:
    """Engineering shears in the crystal's cube axes, told as a vector in the frame of the gradient.

    Parameters
    ----------
    gradient : (m, 3, 3) ndarray
        ∇u, [point, component, direction].
    rotation : (3, 3) ndarray
        Rows are the gradient's axes in the cube axes.

    Returns
    -------
    (m, 3) ndarray
        (γ_yz, γ_xz, γ_xy), rotated: to this the sublattices of diamond shift in proportion.
    """
    strain = np.einsum("ia,mij,jb->mab", rotation, gradient + gradient.transpose(0, 2, 1), rotation)
    return np.asarray(strain[:, (1, 0, 0), (2, 2, 1)] @ rotation.T)


def stroh_field(axes: Floats, burgers: Floats, C11: float, C12: float, C44: float) -> ElasticField:
    """Solve the sextic problem of a straight dislocation in a cubic crystal.

    Parameters
    ----------
    axes : (3, 3) ndarray
        Directions x, y and z of the cylinder in the crystal's cube axes, of any length; the line is z, and y the
        normal of the plane that the cut lies in.
    burgers : (3,) ndarray
        In the crystal's cube axes, Å.
    C11, C12, C44 : float
        Elastic constants in one unit.

    Returns
    -------
    ElasticField

    Raises
    ------
    GeometryError
        If the constants are not those of a stable cubic crystal.

    Notes
    -----
    By matscipy's `AnisotropicDislocation`. J. P. Hirth, J. Lothe, *Theory of Dislocations*, 2nd ed., p. 467.

    Examples
    --------
    >>> field = stroh_field(np.eye(3), np.array([3.0, 0.0, 0.0]), 522.0, 204.0, 150.0)  # an edge
    >>> above, below = field(np.array([[-5.0, 1e-9], [-5.0, -1e-9]]))
    >>> bool(np.allclose(above - below, [3.0, 0.0, 0.0]))
    True
    """
    if not (abs(C12) < C11 and C44 > 0.0 and C11 + 2 * C12 > 0.0):
        raise GeometryError(
            f"elastic constants C11 = {C11:g}, C12 = {C12:g}, C44 = {C44:g} are not a stable cubic crystal's"
        )
    if abs(2 * C44 / (C11 - C12) - 1) < ISOTROPY_CLEARANCE:
        C44 *= 1 + ISOTROPY_CLEARANCE
    solution = AnisotropicDislocation(
        axes, slip_plane=axes[1], disloc_line=axes[2], burgers=burgers, C11=C11, C12=C12, C44=C44
    )
    displacements, tractions = solution.Nv[:3], solution.Nv[3:]
    amplitudes = np.sign(solution.Np.imag) * displacements * (solution.b @ tractions)
    return ElasticField(solution.m.real, solution.n.real, solution.Np, amplitudes, solution.b.real)
