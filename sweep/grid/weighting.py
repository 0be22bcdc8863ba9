"""Weights of the observations, and of the prior beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sweep.grid.dimensions import GridError


@dataclass(frozen=True)
class Weighting:
    """Weights w of the observations in the loss Σ w²·mean(residual²) + λ²‖Γc‖²; only their ratios and λ's matter.

    Parameters
    ----------
    energy, forces, virial, force_constants
        Weights.
    regularisation
        λ, where it is an axis; None for the study's.

    Raises
    ------
    GridError
        If a weight is negative or not finite.

    Examples
    --------
    >>> Weighting(1.0, 1.0, 0.0).excluded, Weighting(0.0, 0.0, 0.0).excluded
    (False, True)
    """

    energy: float
    forces: float
    virial: float
    force_constants: float = 0.0
    regularisation: float | None = None

    def __post_init__(self) -> None:
        for name in ("energy", "forces", "virial", "force_constants"):
            weight = float(getattr(self, name))
            if not (math.isfinite(weight) and weight >= 0):
                raise GridError(f"weighting: {name} is {weight}; a weight is finite and not negative")
            object.__setattr__(self, name, weight)
        if self.regularisation is not None:
            strength = float(self.regularisation)
            if not (math.isfinite(strength) and strength > 0):
                raise GridError(f"weighting: regularisation is {strength}; give a finite number above 0")
            object.__setattr__(self, "regularisation", strength)

    @property
    def excluded(self) -> bool:
        """Whether every weight is zero, which is no fit."""
        return self.energy == self.forces == self.virial == self.force_constants == 0
