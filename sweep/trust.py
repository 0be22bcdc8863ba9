"""Which linear-response estimates can be trusted: what the store's flag is made from."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweep.variables import Trust

# Second step of linear response over the first. If each further step is as much smaller than the one before, all of
# them together add θ / (1 - θ), a fifth: the estimate is then within 0.8 to 1.25 of the error.
LARGEST_RATIO = 1.0 / 6.0
# A core that a fit makes this soft, relative to the reference's: between here and zero the estimate of the stiffness
# itself is not certain of its sign (it was within 0.11 of the relaxed cores').
SOFTEST = 0.1


def trust_of(ratio: ArrayLike, stiffness: ArrayLike) -> NDArray[np.uint8]:
    """Judge linear-response estimates by their own second step and by the core's estimated stiffness.

    A fit that does not keep the reference's core in a minimum relaxes to another one, of which a linear response says
    nothing, however small its second step; so a stiffness that is too low is enough to distrust an estimate.

    Parameters
    ----------
    ratio, stiffness
        `trust_ratio` and `stiffness_estimate` as in the store, of one shape; NaN where not known.

    Returns
    -------
    ndarray of uint8
        Of that shape, values of `sweep.variables.Trust`: trusted where both are good enough, distrusted where either
        is known not to be, unknown otherwise.

    Examples
    --------
    >>> trust_of([0.05, 0.05, np.inf, np.nan], [0.9, -0.5, 0.9, 0.9]).tolist()
    [1, 2, 2, 0]
    """
    ratios, stiffnesses = np.asarray(ratio, dtype=float), np.asarray(stiffness, dtype=float)
    trusted = (ratios <= LARGEST_RATIO) & (stiffnesses >= SOFTEST)
    distrusted = (ratios > LARGEST_RATIO) | (stiffnesses < SOFTEST)
    found = np.select([distrusted, trusted], [Trust.distrusted, Trust.trusted], Trust.unknown)
    return np.asarray(found, dtype=np.uint8)
