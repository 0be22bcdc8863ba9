"""The inertia of a Hessian: whether an equilibrium is a minimum, and the way down where it is not."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from kernels.evaluations import Floats
from kernels.factorisation import HessianFactor


class LowestMode(NamedTuple):
    """The softest direction of a Hessian.

    Attributes
    ----------
    eigenvalue : float
        eV/Å²; not positive at a saddle.
    direction : (unknowns,) ndarray
        Its longest component is +1.
    """

    eigenvalue: float
    direction: Floats


def lowest_mode_of(factor: HessianFactor) -> LowestMode:
    """Find the lowest eigenvalue of a factorised Hessian, and its direction.

    Parameters
    ----------
    factor : HessianFactor
        Definite or not. Whether it is, its pivots say (Sylvester's law of inertia); the search for the eigenvalue
        is then told which end of the spectrum to look at.

    Returns
    -------
    LowestMode

    Examples
    --------
    >>> from scipy.sparse import csc_matrix, diags
    >>> saddle = HessianFactor(csc_matrix(diags([2.0, -0.5, 3.0, 1.0])))
    >>> mode = lowest_mode_of(saddle)
    >>> round(mode.eigenvalue, 6), int(np.argmax(mode.direction))
    (-0.5, 1)
    """
    size = factor.matrix.shape[0]
    start = np.random.default_rng(0).normal(size=size)
    if factor.negative_pivots == 0:
        inverse = LinearOperator((size, size), matvec=factor.solve, dtype=float)
        values, vectors = eigsh(factor.matrix, k=1, sigma=0.0, OPinv=inverse, v0=start)
    else:
        values, vectors = eigsh(factor.matrix, k=1, which="SA", v0=start)
    direction = vectors[:, 0]
    longest: Any = direction[np.argmax(np.abs(direction))]
    return LowestMode(float(values[0]), np.asarray(direction / longest, dtype=float))
