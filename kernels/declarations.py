"""What functions of the user's own say that they measure; reading it loads no potential."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

#: Attribute of a function in which it says what it measures.
DECLARATION = "measures"


class MeasureError(ValueError):
    """A measure that cannot be had: no such function, no declaration, or not what was declared."""


def declarations(comm: Any, *, functions: Sequence[str]) -> dict[str, Any]:
    """Read what functions declare to measure; none is called.

    Parameters
    ----------
    comm : mpi4py communicator
        Rank 0 answers.
    functions : sequence of str
        ``"package.module:function"`` each.

    Returns
    -------
    dict
        For each function a list of [name, units, long_name].

    Raises
    ------
    MeasureError
        If there is no such function, or its attribute ``measures`` is not a mapping from names to ``{"units": …,
        "long_name": …}``.
    """
    if comm.rank != 0:
        return {}
    return {name: declared_by(name) for name in functions}


def function_named(name: str) -> Callable[..., Any]:
    """Import what ``"package.module:function"`` names.

    Raises
    ------
    MeasureError
        If there is no such function.
    """
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise MeasureError(f"{name} cannot be imported: {error}") from error
    except AttributeError:
        raise MeasureError(f"{name}: the module {module} has no {attribute}") from None
    if not callable(found):
        raise MeasureError(f"{name} is a {type(found).__name__}, which cannot be called; name a function")
    return found  # type: ignore[no-any-return]


def declared_by(name: str) -> list[list[str]]:
    """Read what a function declares to measure, as [name, units, long_name] each.

    Raises
    ------
    MeasureError
        As `declarations`.
    """
    declaration = getattr(function_named(name), DECLARATION, None)
    accepted = 'give the function an attribute measures = {"NAME": {"units": "eV", "long_name": "…"}}'
    if not isinstance(declaration, Mapping) or not declaration:
        raise MeasureError(f"{name} does not say what it measures; {accepted}")
    found = []
    for measured, attributes in declaration.items():
        words = attributes if isinstance(attributes, Mapping) else {}
        units, long_name = words.get("units"), words.get("long_name")
        if not (isinstance(measured, str) and measured.isidentifier() and measured.isascii()):
            raise MeasureError(f"{name} measures {measured!r}, which is no name for a variable; {accepted}")
        if not (isinstance(units, str) and units and isinstance(long_name, str) and long_name):
            raise MeasureError(
                f'{name} measures {measured} without units ("1" for none) or long_name; {accepted}'
            )
        found.append([measured, units, long_name])
    return found
