"""Rates at which errors fall, with their uncertainty, from a store alone."""

from sweep.rates.errors import RateError
from sweep.rates.fit import fit_rate

__all__ = ["RateError", "fit_rate"]
