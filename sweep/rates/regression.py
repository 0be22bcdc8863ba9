"""One coefficient of a straight-line model, with replicas as the sampling unit.

Each replica is a curve of its own: it has its own constant, and errors along it may depend on one another (a
training set is a prefix of the next larger one). So the coefficient is estimated replica by replica, and its
uncertainty is what the replicas disagree by. Where there is but one replica its points take their place, and are
taken to be independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# A regressor of which less than this fraction is left beside the others tells nothing of its own.
_COLLINEAR = 1e-9


@dataclass(frozen=True)
class Coefficient:
    """A coefficient's estimate for each of several curves.

    Parameters
    ----------
    value, standard_error : (lanes,) ndarray
        NaN where the data do not determine them.
    freedom : (lanes,) ndarray
        Degrees of freedom of Student's t that the standard error has; 0 where there is none.
    replicas : (lanes,) ndarray of int
        Number of replicas that determine the coefficient by themselves.
    of_replica, weight : (lanes, replicas) ndarray
        Each replica's own estimate, and its weight in `value`; both 0 where it has none.
    regressor, residual : (lanes, replicas, points) ndarray
        What of the regressor the others leave, and what of the data the model leaves, each replica with its own
        coefficients; 0 at points that are not used.
    """

    value: Floats
    standard_error: Floats
    freedom: Floats
    replicas: NDArray[np.int64]
    of_replica: Floats
    weight: Floats
    regressor: Floats
    residual: Floats

    def half_width(self, confidence: float) -> Floats:
        """Give half the width of Student's two-sided interval, NaN where there is none."""
        quantile = stdtrit(np.where(self.freedom > 0, self.freedom, np.nan), (1 + confidence) / 2)
        return np.asarray(quantile * self.standard_error, dtype=float)


def coefficient(regressors: Sequence[Floats], data: Floats, used: Bools) -> Coefficient:
    """Estimate the first regressor's coefficient; the other regressors and a constant are fitted beside it.

    The replicas' estimates are averaged with the weights that least squares with a constant for each replica
    gives them. The variance of the average is the cluster-robust one with Bell and McCaffrey's correction and
    degrees of freedom (Survey Methodology 28:169, 2002; Imbens and Kolesár, Rev. Econ. Stat. 98:701, 2016), which
    for replicas with the same points is that of a mean: Student's t with one degree of freedom less than there
    are replicas.

    Parameters
    ----------
    regressors : sequence of (lanes, replicas, points) ndarray
        Of about unit size.
    data : (lanes, replicas, points) ndarray
        Finite wherever used.
    used : (lanes, replicas, points) ndarray of bool
        Points to take part.

    Examples
    --------
    >>> x, noise = np.array([[[0.0, 1.0, 2.0]]]), np.array([[[0.1, -0.1, 0.0], [-0.1, 0.1, 0.2]]])
    >>> x, used = np.broadcast_to(x, noise.shape), np.ones(noise.shape, dtype=bool)
    >>> slope = coefficient([x], 2 * x + noise, used)
    >>> slope.value.round(3), slope.standard_error.round(3), slope.freedom.round(3)
    (array([2.05]), array([0.1]), array([1.]))
    """
    first, *others = (_within_replica(regressor, used) for regressor in regressors)
    basis: list[Floats] = []
    for other in others:
        basis.append(_beside(other, basis))
    own = _beside(first, basis)
    size = _dot(own, own)
    counts = used.sum(axis=-1)
    determined = (counts > len(regressors)) & (size > _COLLINEAR * _dot(first, first))
    size = np.where(determined, size, 0.0)
    data = _within_replica(data, used)
    of_replica = _ratio(_dot(own, data), size)
    total = size.sum(axis=-1)
    weight = _ratio(size, total[..., None])
    value = np.where(total > 0, (weight * of_replica).sum(axis=-1), np.nan)
    residual = (_beside(data, basis) - of_replica[..., None] * own) * determined[..., None]

    replicas = determined.sum(axis=-1)
    among = _among_replicas(of_replica, weight, value)
    within = _within_one(residual, np.where(determined, counts, 0).sum(axis=-1) - len(regressors) - 1, total)
    variance, freedom = (np.where(replicas > 1, one, other) for one, other in zip(among, within, strict=True))
    freedom = np.where(replicas > 0, np.maximum(freedom, 0.0), 0.0)
    error = np.where(freedom > 0, np.sqrt(variance), np.nan)
    own = own * determined[..., None]
    return Coefficient(value, error, freedom, replicas, of_replica, weight, own, residual)


def _among_replicas(of_replica: Floats, weight: Floats, value: Floats) -> tuple[Floats, Floats]:
    """Give the variance of a weighted mean by its members' scatter, and that variance's degrees of freedom."""
    # a replica alone has weight 1: it leaves nothing to judge by, and is judged by its points instead
    rest = np.where(weight < 1, 1 - weight, np.inf)
    share = weight**2 / rest
    variance = (share * (of_replica - np.nan_to_num(value)[..., None]) ** 2).sum(axis=-1)
    spread = (weight**2 * (1 - 2 * weight) / rest**2).sum(axis=-1) + share.sum(axis=-1) ** 2
    return variance, _ratio(np.ones_like(spread), spread)


def _within_one(residual: Floats, freedom: NDArray[np.int64], size: Floats) -> tuple[Floats, Floats]:
    """Give the variance of one replica's coefficient by its points' scatter, and its degrees of freedom."""
    squares = (residual**2).sum(axis=(-1, -2))
    return _ratio(squares, np.maximum(freedom, 0) * size), freedom.astype(float)


def _within_replica(values: Floats, used: Bools) -> Floats:
    """Subtract each replica's mean over its used points; 0 at the others."""
    kept = np.where(used, values, 0.0)
    mean = _ratio(kept.sum(axis=-1), used.sum(axis=-1))
    return np.asarray((kept - mean[..., None]) * used, dtype=float)


def _beside(values: Floats, basis: Sequence[Floats]) -> Floats:
    """Take out of each replica's values what orthogonal others explain."""
    for other in basis:
        values = values - _ratio(_dot(values, other), _dot(other, other))[..., None] * other
    return values


def _dot(one: Floats, other: Floats) -> Floats:
    return np.asarray(np.einsum("...k,...k->...", one, other), dtype=float)


def _ratio(above: NDArray[np.generic], below: NDArray[np.generic]) -> Floats:
    """Divide, 0 where the divisor is."""
    above, below = np.broadcast_arrays(above, below)
    return np.asarray(np.divide(above, below, out=np.zeros(above.shape), where=below != 0), dtype=float)
