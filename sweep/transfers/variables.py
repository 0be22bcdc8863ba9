"""The store's variables of transfers: how a point's fit does on each dislocation of the study."""

from __future__ import annotations

from dataclasses import replace

from sweep.variables import VARIABLE_OF, Variable

#: The dimension after those of the grid: the dislocation that a fit is judged on.
TARGET = "target_dislocation"
PREFIX = "transfer_"
STATUS = "transfer_status"

#: What the artefact of a block and a target gives, by name in the store: known for all weightings at once.
GIVEN = (
    "rmse_energy",
    "rmse_forces",
    "geometry_estimate",
    "energy_estimate",
    "energy_estimate_affine",
    "stiffness_estimate",
    "trust_ratio",
)
#: What relaxing a fit in the target's cylinder gives.
RELAXED = ("geometry_error", "energy_difference")
#: What follows from those, and the status, written last.
DERIVED = ("effectivity", "estimate_trusted", "status")


def _transferred(variable: Variable) -> Variable:
    return replace(
        variable,
        name=PREFIX + variable.name,
        long_name=f"{variable.long_name}, on the target dislocation",
        extra_dims=(TARGET, *variable.extra_dims),
    )


#: Each is the variable of the name behind `PREFIX`, on the target: at a point's own dislocation it equals that one.
TRANSFER_VARIABLES: tuple[Variable, ...] = tuple(
    _transferred(VARIABLE_OF[name]) for name in (*GIVEN, *RELAXED, *DERIVED)
)
