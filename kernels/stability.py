"""Whether a point without forces is a minimum, and how to leave it where it is a saddle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh

from kernels.factorisation import HessianFactor

Floats = NDArray[np.float64]
Forces = Callable[[Floats], Floats]

# Length of the longest component of the step over which forces are differenced, Å: their error is then about 1e-4
# of an eigenvalue, far below what decides its sign.
DIFFERENCE = 1e-4
# Vectors that Lanczos keeps: relative to the reference nearly all eigenvalues lie close to 1, and a lowest one that
# matters lies apart.
LANCZOS_VECTORS = 12
LANCZOS_TOLERANCE = 0.05
# A mode is followed first by this much, then twice as far as long as the force drives on, Å (longest component).
FIRST_STEP, FURTHEST = 0.05, 2.0


class Mode(NamedTuple):
    """A direction, and how stiff a potential is along it compared with the reference.

    Attributes
    ----------
    stiffness : float
        Eigenvalue λ of H^δ x = λ H x, H^δ the potential's Hessian and H the reference's: 1 where they agree,
        negative at a saddle.
    direction : ndarray
        x, its longest component +1, in the shape of the unknowns.
    """

    stiffness: float
    direction: Floats


def lowest_mode(forces: Forces, factor: HessianFactor, point: Floats) -> Mode:
    """Find the softest mode of a potential relative to the reference.

    Parameters
    ----------
    forces : callable
        Unknowns to forces, eV/Å; differenced, so that no second derivative is needed.
    factor : HessianFactor
        The reference's Hessian.
    point : ndarray
        Where, Å; forces are negligible there.

    Returns
    -------
    Mode
        Its eigenvalue to about 5 %.

    Notes
    -----
    Each of the ~15 Lanczos steps costs one force evaluation: preconditioned by the reference, the spectrum is
    nearly that of the identity. theory.md, "The linear-response estimate", asks for the inertia of the reference;
    a fit that is off by more than its stiffness deserves the same question.
    """
    at_rest = forces(point)

    def product(direction: Floats) -> Floats:
        step = DIFFERENCE / max(float(np.max(np.abs(direction))), 1e-300)
        moved = point + step * direction.reshape(point.shape)
        return np.asarray((at_rest - forces(moved)) / step).ravel()

    size = point.size
    # not symmetric in any way, or a mode that breaks the core's symmetry could stay hidden
    start = np.random.default_rng(0).standard_normal(size)
    values, vectors = eigsh(
        LinearOperator((size, size), matvec=product, dtype=float),
        k=1,
        M=factor.matrix,
        Minv=LinearOperator((size, size), matvec=factor.solve, dtype=float),
        which="SA",
        v0=start,
        ncv=min(LANCZOS_VECTORS, size - 1),
        tol=LANCZOS_TOLERANCE,
    )
    direction = vectors[:, 0]
    longest: Any = direction[np.argmax(np.abs(direction))]
    return Mode(float(values[0]), np.asarray(direction / longest, dtype=float).reshape(point.shape))


def followed_down(forces: Forces, mode: Mode, point: Floats) -> Floats:
    """Go from a saddle along its mode until the force no longer drives on.

    Parameters
    ----------
    forces : callable
        Unknowns to forces, eV/Å.
    mode : Mode
        Of negative stiffness. Where the two ways down are equal by symmetry, it is the one along which the longest
        component is positive.
    point : ndarray
        The saddle, Å.

    Returns
    -------
    ndarray
        Near the bottom along the mode, Å: where a relaxation begins.
    """

    def drive(length: float) -> float:
        return float(np.vdot(forces(point + length * mode.direction), mode.direction))

    near, driven = 0.0, 0.0
    far = FIRST_STEP
    while far < FURTHEST and (driven_far := drive(far)) > 0.0:
        near, driven, far = far, driven_far, 2.0 * far
    if near == 0.0 or far >= FURTHEST:
        return np.asarray(point + max(near, 0.5 * FIRST_STEP) * mode.direction, dtype=float)
    # the force falls through zero between the two: one linear step is near enough for a relaxation
    share = driven / (driven - driven_far)
    return np.asarray(point + (near + share * (far - near)) * mode.direction, dtype=float)
