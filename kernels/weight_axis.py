"""One weight of a fit as an axis: factorise once, then every value of that weight costs two matrix products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Values within this many decades share a factorisation: at its ends the diagonal is off balance by 10^±3, so three
# of sixteen digits are at stake.
DECADES = 3.0
# Singular vectors kept from each end of the spectrum, at three places of the axis, to follow the condition number.
FOLLOWED = 4


@dataclass(frozen=True)
class WeightAxis:
    """Least squares ‖A c − a‖² + μ² ‖B c − b‖² for every μ near a centre.

    With [A; μ₀ B] = [Q₁; Q₂] R, Q₁ = U C Zᵀ and S the column norms of W = Q₂ Z, the normal matrix is
    Rᵀ Z (C² + ρ² S²) Zᵀ R, ρ = μ/μ₀, so that c(μ) = R⁻¹ Z (C Uᵀa + ρ² Wᵀ μ₀b) / (C² + ρ² S²). No normal matrix is
    formed, and R⁻¹ is applied, never formed: what is lost is what solving the stack at μ loses.

    Attributes
    ----------
    centre : float
        μ₀.
    triangle : (L, L)
        R.
    turned : (L, L)
        Z.
    cosines, sines : (L,)
        C and S.
    fixed, scaled : (L,)
        C Uᵀa and Wᵀ μ₀b.

    Notes
    -----
    theory.md, "The loss, and the weight grid". A generalised singular value decomposition: Golub and Van Loan,
    *Matrix Computations*, 4th edition, 6.1.6.

    Examples
    --------
    A straight line through two points, one of them weighted:

    >>> import numpy as np
    >>> axis = WeightAxis.of(np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]), np.array([[1.0, 1.0, 2.0]]), 1.0)
    >>> np.round(axis.coefficients(np.array([1e-1, 1.0])), 6).tolist()
    [[1.009804, 0.009804], [1.333333, 0.333333]]
    """

    centre: float
    triangle: Floats
    turned: Floats
    cosines: Floats
    sines: Floats
    fixed: Floats
    scaled: Floats

    @classmethod
    def of(cls, rows: Floats, weighted: Floats, centre: float) -> WeightAxis:
        """Factorise.

        Parameters
        ----------
        rows : (m, L + 1)
            [A | a].
        weighted : (n, L + 1)
            [B | b], scaled by μ.
        centre : float
            μ₀ > 0, near the values that will be asked for.

        Returns
        -------
        WeightAxis
            Of no use where [A; B] is singular to working precision: see `singular`.
        """
        scaled = centre * weighted
        # the larger rows first: Householder's reflections lose what is small above what is large
        first, second = (rows, scaled) if np.linalg.norm(rows) >= np.linalg.norm(scaled) else (scaled, rows)
        orthogonal, triangle = np.linalg.qr(np.vstack([first, second])[:, :-1])
        upper, lower = orthogonal[: len(first)], orthogonal[len(first) :]
        of_rows, of_weighted = (upper, lower) if first is rows else (lower, upper)
        left, cosines, turned = _singular(of_rows)
        across = of_weighted @ turned
        return cls(
            centre,
            triangle,
            turned,
            cosines,
            np.linalg.norm(across, axis=0),
            cosines * (left.T @ rows[:, -1]),
            across.T @ scaled[:, -1],
        )

    @property
    def singular(self) -> bool:
        """Whether R is singular to working precision, so that the coefficients are not determined."""
        values = np.linalg.svd(self.triangle, compute_uv=False)
        few = len(self.triangle) < self.triangle.shape[1]
        return few or bool(values[-1] <= values[0] * np.finfo(float).eps)

    def coefficients(self, values: Floats) -> Floats:
        """Solve at each μ.

        Parameters
        ----------
        values : (n,)
            μ > 0.

        Returns
        -------
        (n, L) ndarray
        """
        squares = (np.asarray(values) / self.centre)[:, None] ** 2
        turned = (self.fixed + squares * self.scaled) / self._diagonal(squares)
        # turned back first and then solved: R⁻¹Z as a matrix would lose the digits of R's condition
        return np.asarray(solve_triangular(self.triangle, self.turned @ turned.T).T, dtype=float)

    def conditions(self, values: Floats) -> Floats:
        """Estimate the 2-norm condition number of [A; μB] at each μ, from below and to about a per cent.

        The extreme singular vectors at three places of the axis span small spaces in which the extreme singular
        values at every other place are found (Rayleigh–Ritz).

        Parameters
        ----------
        values : (n,)
            μ > 0.

        Returns
        -------
        (n,) ndarray
        """
        squares = (np.asarray(values) / self.centre)[:, None] ** 2
        diagonals = self._diagonal(squares)
        stack = self.turned.T @ self.triangle
        places = np.unique([int(np.argmin(squares)), len(squares) // 2, int(np.argmax(squares))])
        vectors = [np.linalg.svd(np.sqrt(diagonals[place])[:, None] * stack)[2] for place in places]
        highest, lowest = (
            np.linalg.qr(np.vstack([each[ends] for each in vectors]).T)[0]
            for ends in (slice(None, FOLLOWED), slice(-FOLLOWED, None))
        )
        largest = _largest(stack @ highest, diagonals)
        inverse = self.turned.T @ solve_triangular(self.triangle, lowest, trans="T")
        return np.sqrt(largest * _largest(inverse, 1.0 / diagonals))

    def _diagonal(self, squares: Floats) -> Floats:
        return np.asarray(self.cosines**2 + squares * self.sines**2, dtype=float)


def _singular(matrix: Floats) -> tuple[Floats, Floats, Floats]:
    """U, C and Z of an orthonormal basis' upper part; C has L entries even where the part has fewer rows."""
    functions = matrix.shape[1]
    missing = max(functions - len(matrix), 0)
    left, values, turned = np.linalg.svd(
        np.vstack([matrix, np.zeros((missing, functions))]), full_matrices=False
    )
    return left[: len(matrix)], values, turned.T


def _largest(projected: Floats, diagonals: Floats) -> Floats:
    """Largest eigenvalue of PᵀDP for each diagonal D."""
    products = np.einsum("li,wl,lj->wij", projected, diagonals, projected, optimize=True)
    return np.asarray(np.linalg.eigvalsh(products)[:, -1], dtype=float)


def runs(values: Floats) -> Iterator[Integers]:
    """Cut an axis of positive values into runs that one factorisation serves.

    Parameters
    ----------
    values : (n,)
        μ > 0, in any order.

    Yields
    ------
    (m,) ndarray of int
        Places of values within `DECADES` decades of one another, ascending by value; together every place once.

    Examples
    --------
    >>> [run.tolist() for run in runs(np.array([1e3, 1.0, 10.0, 1e9]))]
    [[1, 2], [0], [3]]
    """
    order = np.argsort(values, kind="stable")
    decades = np.log10(values[order])
    decades = decades - decades[0]
    count = max(1, int(np.ceil(decades[-1] / DECADES)))
    # of equal width in decades: a greedy cut would leave the last run a handful
    number = np.minimum((decades / max(decades[-1], DECADES) * count).astype(int), count - 1)
    yield from np.split(order, np.flatnonzero(np.diff(number)) + 1)
