"""The scatter of a few replicas, shrunk towards what all points have in common."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import polygamma, psi

from sweep.advice.trials import Floats

# Variances of logarithms below this are those of their rounding.
_ROUNDING = 1e-24


def shrunk(variance: Floats, freedom: np.ndarray) -> tuple[Floats, Floats]:
    """Shrink variances towards a common one, as far as they agree: empirical Bayes.

    The true variances are taken for draws from a scaled inverse χ² law, whose scale and freedom are those that
    give the mean and the variance of the logarithms.

    Parameters
    ----------
    variance : (points,) ndarray
        Variances over replicas.
    freedom : (points,) ndarray
        Their degrees of freedom.

    Returns
    -------
    variance, freedom : (points,) ndarray
        Where the variances differ no more than chance makes them, one for all, with infinite freedom.

    References
    ----------
    G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 3:3 (2004), section 6.

    Examples
    --------
    >>> variance, freedom = shrunk(np.array([0.01, 0.012, 0.009]), np.array([4, 4, 4]))
    >>> variance.round(3).tolist(), freedom.tolist()
    ([0.013, 0.013, 0.013], [inf, inf, inf])
    """
    positive = variance > _ROUNDING
    if len(variance) < 2 or not positive.any():
        return variance, freedom.astype(float)
    # the logarithm of a rounding would tell of nothing but itself
    floor = 1e-5 * np.median(variance[positive])
    # each logarithm, less what chance takes off it in the mean
    logarithm = np.log(np.maximum(variance, floor)) - psi(freedom / 2) + np.log(freedom / 2)
    excess = logarithm.var(ddof=1) - polygamma(1, freedom / 2).mean()
    if excess <= 0:
        return np.full(len(variance), np.exp(logarithm.mean())), np.full(len(variance), np.inf)
    # trigamma falls from infinity to nought: the prior's freedom is where it is the excess
    prior = 2 * np.exp(brentq(lambda x: float(polygamma(1, np.exp(x))) - excess, -50.0, 50.0))
    common = np.exp(logarithm.mean() + psi(prior / 2) - np.log(prior / 2))
    total = prior + freedom
    return (prior * common + freedom * variance) / total, total
