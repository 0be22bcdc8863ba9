"""Variables of a store that the user's own measures give: declared by them, kept in the store's attributes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sweep.grid import DIMENSIONS
from sweep.transfers.variables import TARGET, TRANSFER_VARIABLES
from sweep.variables import CYLINDER_VARIABLES, VARIABLES, Source, Variable

#: Root attribute: for each function, JSON lists of name, units and long name.
ATTRIBUTE = "measures"
_COORDINATES = {"config_kind", "radial_bin", "radial_bin_lower", "radial_bin_upper", TARGET}
_GROUPS = {"configurations", "failures"}
_VARIABLES = {each.name for each in (*VARIABLES, *CYLINDER_VARIABLES, *TRANSFER_VARIABLES)}
#: Names that a measure may not give.
TAKEN = frozenset(_COORDINATES | _GROUPS | _VARIABLES | set(DIMENSIONS))

#: For each function the variables that it gives, as (name, units, long_name).
Declarations = Mapping[str, Sequence[Sequence[str]]]


@dataclass(frozen=True)
class Measure:
    """A function that is called on every relaxed core, and what it gives; plain data, sent to every worker.

    Parameters
    ----------
    function
        ``"package.module:function"``.
    options
        Its further arguments.
    names
        Of the variables that it gives.
    """

    function: str
    options: Mapping[str, Any] = field(hash=False)
    names: tuple[str, ...]


def measured_variables(attributes: Mapping[str, Any]) -> tuple[Variable, ...]:
    """Give the variables of a store that measures give, from its attributes.

    Examples
    --------
    >>> measured_variables({"measures": '{"mine:width": [["width", "angstrom", "width of the core"]]}'})[0].units
    'angstrom'
    >>> measured_variables({})
    ()
    """
    declared = attributes.get(ATTRIBUTE, {})
    if isinstance(declared, str):
        declared = json.loads(declared)
    return tuple(
        Variable(name, units, long_name, Source.point)
        for found in declared.values()
        for name, units, long_name in found
    )


def collision(declared: Declarations) -> str:
    """Say what is wrong with the names that measures declare: one that is taken, or given twice; empty if nothing."""
    giver: dict[str, str] = {}
    for function, found in declared.items():
        for name, _, _ in found:
            if name in TAKEN:
                return f"{function} measures {name!r}, which is a name of the store's own; choose another"
            if name in giver:
                return f"{function} measures {name!r}, as {giver[name]} does; rename one"
            giver[name] = function
    return ""
