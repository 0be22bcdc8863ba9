"""Whether a point without forces is a minimum, and how to leave it where it is a saddle."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.course import Forces
from kernels.preconditioners import Preconditioner

Floats = NDArray[np.float64]

# Length of the longest component of the step over which forces are differenced, Å: their error is then about 1e-4
# of an eigenvalue, far below what decides its sign.
DIFFERENCE = 1e-4
# Lanczos goes on until the lowest stiffness is certain in its sign, and known to this share of itself.
ACCURACY = 0.05
# Steps: one negative stiffness is proof enough, but that there is none is believed only after so many: a residual
# tells how near a Ritz value is to some eigenvalue, not that nothing lies below it. Of 180 spectra with a hidden soft
# mode, 8 steps from an unsoftened start missed 4, and 12 none.
FEWEST, MOST = 12, 40
# First step along a mode, Å (longest component), and how much shorter or longer the bottom found from it may lie.
TRIAL_STEP = 0.2
SHORTEST, LONGEST = 0.5, 3.0


class Mode(NamedTuple):
    """A direction, and how stiff a potential is along it compared with the reference.

    Attributes
    ----------
    stiffness : float
        Eigenvalue λ of H^δ x = λ H x, H^δ the potential's Hessian and H the reference's, or what stands for it:
        1 where they agree, negative at a saddle.
    direction : ndarray
        x, its longest component +1, in the shape of the unknowns.
    certain : bool
        Whether the sign of the stiffness is.
    """

    stiffness: float
    direction: Floats
    certain: bool = True

    @property
    def stable(self) -> bool:
        """Whether this is certainly a minimum."""
        return self.certain and self.stiffness > 0.0


def lowest_mode(
    forces: Forces, preconditioner: Preconditioner, point: Floats, force: Floats | None = None
) -> Mode:
    """Find the softest mode of a potential relative to the reference.

    Parameters
    ----------
    forces : callable
        Unknowns to forces, eV/Å; differenced, so that no second derivative is needed.
    preconditioner : Preconditioner
        The reference's Hessian, or what stands for it.
    point : ndarray
        Where, Å; forces are negligible there.
    force : ndarray, optional
        Forces there, eV/Å, where they are known; evaluated otherwise.

    Returns
    -------
    Mode
        Its eigenvalue to about 5 %; of no less than `MOST` steps where it is not certain by then.

    Notes
    -----
    Lanczos with full orthogonalisation in the inner product of the preconditioner. Each step costs one force
    evaluation; nearly all of the spectrum lies close to 1, so a mode that matters lies apart and five to eight do.
    theory.md, "The linear-response estimate", asks for the inertia of the reference; a fit that is off by more than
    its stiffness deserves the same question.
    """
    at_rest = forces(point) if force is None else force

    def bent(direction: Floats) -> Floats:
        step = DIFFERENCE / max(float(np.max(np.abs(direction))), 1e-300)
        return (at_rest - forces(point + step * direction)) / step

    # not symmetric in any way, or a mode that breaks the core's symmetry could stay hidden; and softened, since a
    # soft mode of the reference is next to nothing of a random displacement as the preconditioner measures it
    following = preconditioner.solve(np.random.default_rng(0).standard_normal(point.shape))
    certain = False
    vectors: list[Floats] = []
    weighted: list[Floats] = []
    diagonal: list[float] = []
    beside: list[float] = []
    for count in range(1, min(MOST, point.size) + 1):
        image = preconditioner.product(following)
        length = float(np.sqrt(np.vdot(following, image)))
        vectors.append(following / length)
        weighted.append(image / length)
        products = bent(vectors[-1])
        diagonal.append(float(np.vdot(products, vectors[-1])))
        following = _orthogonal(preconditioner.solve(products), vectors, weighted)
        square = float(np.vdot(following, preconditioner.product(following)))
        beside.append(max(square, 0.0) ** 0.5)
        values, shares = np.linalg.eigh(np.diag(diagonal) + _off_diagonal(beside[:-1]))
        certain = count == point.size or _certain(values, beside[-1] * abs(float(shares[-1, 0])), count)
        if certain:
            break
    direction: Floats = np.tensordot(shares[:, 0], np.stack(vectors), axes=1)
    longest = float(direction.flat[int(np.argmax(np.abs(direction)))])
    # a Ritz value below zero has an eigenvalue below it
    certain = certain or float(values[0]) < 0.0
    return Mode(float(values[0]), np.asarray(direction / longest, dtype=float), certain)


def _off_diagonal(beside: list[float]) -> Floats:
    return np.asarray(np.diag(beside, 1) + np.diag(beside, -1), dtype=float)


def _orthogonal(vector: Floats, vectors: list[Floats], weighted: list[Floats]) -> Floats:
    """Take out of a vector what it shares with earlier ones, twice: once leaves their rounding behind."""
    for _ in range(2):
        for known, image in zip(vectors, weighted, strict=True):
            vector = vector - float(np.vdot(image, vector)) * known
    return vector


def _certain(values: Floats, residual: float, count: int) -> bool:
    """Judge the lowest Ritz value by its residual: its distance from an eigenvalue; its error goes with the square."""
    lowest = float(values[0])
    if abs(lowest) <= residual or len(values) == 1 or (lowest > 0.0 and count < FEWEST):
        return False
    error = min(residual, residual**2 / max(float(values[1]) - lowest, 1e-12))
    # by half: the second Ritz value only stands for the second eigenvalue
    return error <= 0.5 * ACCURACY * abs(lowest)


def followed_down(forces: Forces, preconditioner: Preconditioner, mode: Mode, point: Floats) -> Floats:
    """Go from a saddle along its mode to about the bottom: one force evaluation.

    Parameters
    ----------
    forces : callable
        Unknowns to forces, eV/Å.
    preconditioner : Preconditioner
        What the mode's stiffness is relative to.
    mode : Mode
        Of negative stiffness. Where the two ways down are equal by symmetry, it is the one along which the longest
        component is positive.
    point : ndarray
        The saddle, Å.

    Returns
    -------
    ndarray
        Near the bottom along the mode, Å: where a descent begins.

    Notes
    -----
    At a saddle of a symmetric core the force along the mode is κ a (1 − a²/b²) at a distance a: κ is known, and one
    force gives the bottom b. Elsewhere, it is the place of a first step that may be twice too short or too long.
    """
    direction = mode.direction
    driving = max(-mode.stiffness, 1e-12) * float(np.vdot(direction, preconditioner.product(direction)))
    driven = float(np.vdot(forces(point + TRIAL_STEP * direction), direction))
    weakened = 1.0 - driven / (driving * TRIAL_STEP)
    furthest = LONGEST * TRIAL_STEP
    bottom = TRIAL_STEP / float(np.sqrt(weakened)) if weakened > 0.0 else furthest
    bottom = min(max(bottom, SHORTEST * TRIAL_STEP), furthest)
    return np.asarray(point + bottom * direction, dtype=float)
