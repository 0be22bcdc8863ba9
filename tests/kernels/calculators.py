"""Factories of ASE calculators, as a study would name them."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from ase.calculators.lj import LennardJones
from matscipy.calculators.manybody import Manybody
from matscipy.calculators.manybody.explicit_forms import StillingerWeber
from matscipy.calculators.manybody.explicit_forms.stillinger_weber import Stillinger_Weber_PRB_31_5262_Si


class TotalsOnly(Manybody):
    """Stillinger–Weber silicon that tells its energy in total only."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces", "stress"]


class Broken(LennardJones):
    """Fails in the way it is told to."""

    def __init__(self, failure: str, **options: Any) -> None:
        super().__init__(**options)
        self.failure = failure
        if failure == "no stress":
            self.implemented_properties = ["energy", "forces"]

    def calculate(self, *arguments: Any, **named: Any) -> None:
        super().calculate(*arguments, **named)
        if self.failure == "not a number":
            self.results["forces"] = np.where(np.arange(len(self.atoms))[:, None] == 3, math.nan, 0.0)
        if self.failure == "raises":
            raise RuntimeError("out of electrons")
        if self.failure == "noisy":
            self.results["forces"] = self.results["forces"] + np.random.default_rng().normal(
                size=(len(self.atoms), 3)
            )


def argon() -> LennardJones:
    return LennardJones(sigma=3.4, epsilon=0.0104, rc=8.5)


def silicon() -> Manybody:
    return Manybody(**StillingerWeber(Stillinger_Weber_PRB_31_5262_Si))


def silicon_totals() -> TotalsOnly:
    return TotalsOnly(**StillingerWeber(Stillinger_Weber_PRB_31_5262_Si))


def broken(failure: str) -> Broken:
    return Broken(failure, sigma=3.4, epsilon=0.0104, rc=8.5)


def nothing() -> int:
    return 3
