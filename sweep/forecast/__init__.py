"""What a run would do, what it would not, why, and what that costs: found without writing anything."""

from sweep.forecast.forecast import Forecast, forecast
from sweep.forecast.words import described

__all__ = ["Forecast", "described", "forecast"]
