"""The Burgers vector of a stored configuration, read off the jump of its predictor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sweep.figures.errors import FigureError

Floats = NDArray[np.float64]

# Sites between this share of the distance that the crystal reaches all around and that distance make the circuit.
_RING, _SECTORS = 0.85, 16
# Steps on either side of the cut that say how the predictor changes there by itself.
_BESIDE = 4
# A jump below this is no dislocation's, Å.
_LEAST = 0.3


def burgers_vector(sites: Floats, predictor: Floats) -> Floats:
    """Find the Burgers vector by a circuit far from the line.

    Far out the predictor changes little from site to site, save where the circuit crosses its cut: the jump there,
    less what the predictor changes by itself, is the vector, to a part in a hundred or better.

    Parameters
    ----------
    sites, predictor : (n, 3)
        Sites of the perfect crystal, the line along z through the origin, and their far-field displacement, Å.

    Returns
    -------
    (3,) ndarray
        Å; its sign is that of going round against the clock.

    Raises
    ------
    FigureError
        If there is no jump, or no circuit.

    Examples
    --------
    >>> x, y = np.meshgrid(np.arange(-20.5, 21), np.arange(-20.5, 21))
    >>> sites = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=-1)
    >>> screw = np.outer(np.arctan2(sites[:, 1], sites[:, 0]) / (2 * np.pi), [0.0, 0.0, 2.7])
    >>> bool(np.allclose(burgers_vector(sites, screw), [0, 0, 2.7], atol=0.02))
    True
    """
    distance = np.hypot(sites[:, 0], sites[:, 1])
    angle = np.arctan2(sites[:, 1], sites[:, 0])
    sector = np.clip(((angle / np.pi + 1) / 2 * _SECTORS).astype(int), 0, _SECTORS - 1)
    furthest = np.zeros(_SECTORS)
    np.maximum.at(furthest, sector, distance)
    reach = furthest.min()
    ring = np.flatnonzero((distance >= _RING * reach) & (distance <= reach))
    if len(ring) < _SECTORS:
        raise FigureError(
            "the configuration does not surround its line: there is no Burgers vector to be seen"
        )
    ordered = ring[np.argsort(angle[ring])]
    # one step further round, so that the last step leads back to the first site
    angles = np.append(angle[ordered], angle[ordered[0]] + 2 * np.pi)
    steps, turns = np.diff(predictor[ordered], axis=0, append=predictor[ordered[:1]]), np.diff(angles)
    at = int(np.argmax(np.linalg.norm(steps, axis=1)))
    beside = [(at + shift) % len(steps) for shift in range(-_BESIDE, _BESIDE + 1) if shift]
    smooth = steps[beside].sum(axis=0) / turns[beside].sum() * turns[at]
    vector = np.asarray(smooth - steps[at], dtype=float)
    if np.linalg.norm(vector) < _LEAST:
        raise FigureError("the configuration's predictor has no jump: there is no Burgers vector to be seen")
    return vector
