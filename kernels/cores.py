"""Where a dislocation's core is: least squares of the displacement to the elastic predictor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

Floats = NDArray[np.float64]
Predictor = Callable[[Floats], Floats]

# Sites between these distances from the origin are fitted, in Burgers vectors: nearer ones the continuum does not
# describe, further ones hardly move with the line. A core dissociated over two such radii is only roughly located.
NEAREST, FURTHEST = 1.0, 6.0
# Trial lines around the origin, in Burgers vectors: the residual wraps by b, so it has more than one minimum.
STARTS = ((0.0, 0.0), (0.6, 0.0), (-0.6, 0.0), (0.0, 0.6), (0.0, -0.6))
# A core that moved by more than this fraction of the Burgers vector lies in another valley (theory.md's statuses).
OTHER_MINIMUM = 1.0 / 3.0


def locate_core(sites: Floats, displacement: Floats, predictor: Predictor, burgers: Floats) -> Floats:
    """Find the line position whose elastic displacement fits best near the core.

    Parameters
    ----------
    sites : (n, 3)
        Reference lattice positions, the nominal line along z through the origin, Å.
    displacement : (n, 3)
        u0 + u, Å.
    predictor : callable
        (m, 3) positions relative to a line, in the crystal that holds it, to their elastic displacement, Å.
    burgers : (3,)
        Å. Displacements are compared modulo this vector, so that the predictor's cut does not matter.

    Returns
    -------
    (2,) ndarray
        Line position (x, y), Å.

    Examples
    --------
    >>> import numpy as np
    >>> b = np.array([0.0, 0.0, 2.5])
    >>> screw = lambda p: np.outer(np.arctan2(p[:, 1], p[:, 0]) / (2 * np.pi), b)
    >>> grid = np.stack(np.meshgrid(np.arange(-9.5, 10), np.arange(-9.5, 10), [0.0]), -1).reshape(-1, 3)
    >>> bool(np.allclose(locate_core(grid, screw(grid - [0.4, -0.2, 0.0]), screw, b), [0.4, -0.2], atol=1e-6))
    True
    """
    length = float(np.linalg.norm(burgers))
    radius = np.hypot(sites[:, 0], sites[:, 1])
    near = (radius > NEAREST * length) & (radius < FURTHEST * length)
    wanted = displacement[near]
    displaced = sites[near] + wanted

    def misfit(line: Floats) -> Floats:
        difference = wanted - predictor(displaced - np.array([line[0], line[1], 0.0]))
        along = difference @ burgers / length**2
        return np.asarray((difference - np.outer(np.round(along), burgers)).ravel(), dtype=float)

    # soft_l1: the few sites whose wrapped difference sits at the jump must not decide
    fits = [
        least_squares(misfit, length * np.asarray(start), loss="soft_l1", f_scale=0.1 * length)
        for start in STARTS
    ]
    return np.asarray(min(fits, key=lambda fit: float(fit.cost)).x, dtype=float)
