"""What a rate is compared with, and what may be concluded: agrees, differs, cannot tell."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweep.rates.errors import RateError
from sweep.rates.regression import Floats

AGREES, DIFFERS, CANNOT_TELL = "agrees", "differs", "cannot tell"


@dataclass(frozen=True)
class Expectation:
    """An expected rate.

    Parameters
    ----------
    rate
        The a of C·R^-a.
    at_least
        Whether the rate may also be larger, as under a theorem's upper bound of the error.
    tolerance
        Rates that differ by no more than this are taken for the same.

    Raises
    ------
    RateError
        If the rate or the tolerance is not finite, or the tolerance is below 0.

    Examples
    --------
    >>> print(Expectation(1.0, at_least=True, tolerance=0.2))
    at least 1 (tolerance 0.2)
    """

    rate: float
    at_least: bool = False
    tolerance: float = 0.2

    def __post_init__(self) -> None:
        if not math.isfinite(self.rate):
            raise RateError(f"expected rate is {self.rate!r}; give a finite number")
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            raise RateError(f"tolerance is {self.tolerance!r}; give a finite number, 0 or more")

    def __str__(self) -> str:
        return f"{'at least ' if self.at_least else ''}{self.rate:g} (tolerance {self.tolerance:g})"

    def verdict(self, low: Floats, high: Floats) -> NDArray[np.str_]:
        """Compare rates' intervals with this.

        It agrees if the whole interval is within the tolerance, differs if none of it is, and otherwise the data
        cannot tell: an interval that is wide never agrees.

        Parameters
        ----------
        low, high : (lanes,) ndarray
            NaN where there is none.

        Examples
        --------
        >>> low, high = np.array([0.9, 0.9, 0.1, 1.5]), np.array([1.1, 1.5, 0.5, 1.9])
        >>> Expectation(1.0).verdict(low, high).tolist()
        ['agrees', 'cannot tell', 'differs', 'differs']
        >>> Expectation(1.0, at_least=True).verdict(low, high).tolist()
        ['agrees', 'agrees', 'differs', 'agrees']
        """
        least = self.rate - self.tolerance
        most = math.inf if self.at_least else self.rate + self.tolerance
        agrees = (low >= least) & (high <= most)
        differs = (high < least) | (low > most)
        return np.where(agrees, AGREES, np.where(differs, DIFFERS, CANNOT_TELL))


@dataclass(frozen=True)
class Theory:
    """What is known of an error's law beforehand.

    Parameters
    ----------
    expectation
        Its rate.
    log_exponent
        The b of C·R^-a·log^b(R/length).
    """

    expectation: Expectation
    log_exponent: float


#: By error and abscissa: upper bounds of what the clamped boundary with a plain elastic predictor costs (the p = 0 row
#: of arXiv:2510.04751, after Ehrlacher, Ortner, Shapeev, arXiv:1306.5334). The length is the Burgers vector.
KNOWN: dict[tuple[str, str], Theory] = {
    ("truncation_geometry_error", "simulation_radius"): Theory(Expectation(1.0, at_least=True), 1.0),
    ("truncation_energy_error", "simulation_radius"): Theory(Expectation(2.0, at_least=True), 2.0),
}
