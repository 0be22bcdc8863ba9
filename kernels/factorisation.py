"""The factorised Hessian of a reference equilibrium: made once per rank, since a factor cannot be pickled."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

from kernels.inputs import load_arrays

Floats = NDArray[np.float64]

# What a factor may take of a rank's memory, bytes; a larger one gives way to `kernels.laplacian`. Fixed, not asked of
# the machine, since what an equilibrium holds follows from it.
FACTOR_MEMORY = 4 * 2**30
# Factors of cylinders' Hessians: entries for each of the matrix's, and bytes for each of those (see `factor_memory`).
FILL, FILL_EXPONENT = 0.22, 0.38
BYTES_PER_ENTRY = 10.0
# Factors are the largest thing a rank holds; a gang works through one equilibrium at a time.
FACTORS_KEPT = 2


class HessianFactor:
    """Solves H x = f for a symmetric positive definite sparse H.

    Parameters
    ----------
    matrix : csc_matrix, (N, N)
        eV/Å²; kept as the attribute of this name.

    Examples
    --------
    >>> from scipy.sparse import identity
    >>> HessianFactor(csc_matrix(2.0 * identity(3))).solve(np.array([2.0, 4.0, 6.0]))
    array([1., 2., 3.])
    """

    def __init__(self, matrix: csc_matrix) -> None:
        self.matrix = matrix
        # a symmetric ordering with diagonal pivots: the matrix is definite, and fill is what costs
        self._factor: Any = splu(
            matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
        )

    @property
    def negative_pivots(self) -> int | None:
        """Number of negative eigenvalues by Sylvester's law; None where the pivots' order is not symmetric."""
        if not np.array_equal(self._factor.perm_r, self._factor.perm_c):
            return None
        return int(np.sum(self._factor.U.diagonal() < 0.0))

    def product(self, displacement: Floats) -> Floats:
        """Apply H to an array whose elements are the N unknowns in any shape, in that shape."""
        return np.asarray(self.matrix @ displacement.ravel(), dtype=float).reshape(displacement.shape)

    def solve(self, right: Floats) -> Floats:
        """H⁻¹ applied to an array whose elements are the N unknowns in any shape, or to the columns of (N, m)."""
        unknowns = self._factor.shape[0]
        columns = right if right.ndim == 2 and right.shape[0] == unknowns else right.reshape(unknowns)
        return np.asarray(self._factor.solve(np.ascontiguousarray(columns)), dtype=float).reshape(right.shape)


def factor_memory(unknowns: int, nonzeros: int) -> float:
    """Estimate what the factor of a cylinder's Hessian will take, before it is made.

    Parameters
    ----------
    unknowns : int
        Three times the number of free sites, N.
    nonzeros : int
        Entries of the Hessian: nine for each pair of free sites that some site energy ties, itself included.

    Returns
    -------
    float
        Bytes. Measured on cylinders one period thick, 657 to 41,337 unknowns, reaches of 8.8 to 15.8 Å: entries of
        the factor for each of the matrix's were 0.22 N^0.38 within a third, and took 10.0 bytes each. Thicker
        ones (edges) fill more.

    Examples
    --------
    >>> f"{factor_memory(41337, 4488453) / 2**30:.1f} GiB"
    '0.5 GiB'
    """
    return BYTES_PER_ENTRY * FILL * nonzeros * float(unknowns**FILL_EXPONENT)


def factor_fits(unknowns: int, nonzeros: int) -> bool:
    """Say whether a cylinder's Hessian is to be factorised: whether its factor stays within `FACTOR_MEMORY`."""
    return factor_memory(unknowns, nonzeros) <= FACTOR_MEMORY


@lru_cache(maxsize=FACTORS_KEPT)
def factor_of(equilibrium: str) -> HessianFactor:
    """Factorise the Hessian of an equilibrium artefact, once per process.

    Parameters
    ----------
    equilibrium : str
        Path of the artefact (content-addressed, so its factor is kept by path).

    Returns
    -------
    HessianFactor
        Over the free degrees of freedom, (free site, xyz).
    """
    arrays = load_arrays(equilibrium)
    unknowns = len(arrays["hessian_indptr"]) - 1
    parts = (arrays["hessian_data"], arrays["hessian_indices"], arrays["hessian_indptr"])
    return HessianFactor(csc_matrix(parts, shape=(unknowns, unknowns)))
