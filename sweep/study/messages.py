"""What pydantic found wrong with a study, said in the study's own words."""

from __future__ import annotations

import difflib
import math
import typing
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

_MOST_PROBLEMS = 5
_LONGEST_VALUE = 60


def problems(error: ValidationError, model: type[BaseModel], document: str = "study") -> tuple[str, ...]:
    """Say every problem in a line: the field, its value and what would be accepted.

    Parameters
    ----------
    error
        What validating against `model` raised. A validator's own ValueError must read on from the field's
        name ("names 6 twice; …").
    model
        The model; a field's `description` is what it accepts, and is quoted.
    document
        What the model is called in messages.

    Returns
    -------
    tuple of str
        The first five problems, and how many more there are.
    """
    details = error.errors(include_url=False)
    lines = tuple(_problem(detail, model, document) for detail in details[:_MOST_PROBLEMS])
    more = len(details) - len(lines)
    return (*lines, f"and {more} more") if more else lines


def shown(value: object) -> str:
    """Show a value from a study briefly, on one line.

    Examples
    --------
    >>> shown("six"), shown(None), shown({"a": 1}), shown(float("nan"))
    ("'six'", 'empty', 'a mapping', 'nan')
    """
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple) and any(isinstance(item, dict | list | tuple) for item in value):
        return "a list of lists or mappings"
    if isinstance(value, int) and abs(value) > 10**_LONGEST_VALUE:
        return f"a number of {int(math.log10(abs(value))) + 1} digits"
    if isinstance(value, bool):
        return str(value).lower()
    words = repr(value[: _LONGEST_VALUE + 1] if isinstance(value, str | list) else value)
    return words if len(words) <= _LONGEST_VALUE else words[:_LONGEST_VALUE] + "…"


def listed(words: Iterable[str]) -> str:
    """Join words for a sentence.

    Examples
    --------
    >>> listed(["bcc", "fcc", "diamond"])
    'bcc, fcc or diamond'
    """
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def nearest(word: str, known: Iterable[str]) -> str:
    """Ask whether a near known word was meant, or list the known ones.

    Examples
    --------
    >>> nearest("degre", ["degree", "n_train"]), nearest("x", ["degree", "n_train"])
    ('did you mean degree?', 'use degree or n_train')
    """
    known = tuple(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}?" if near else f"use {listed(known)}"


def _problem(detail: ErrorDetails, model: type[BaseModel], document: str) -> str:
    steps = detail["loc"]
    unknown = detail["type"] == "extra_forbidden"
    path, accepted, section = _walk(steps[:-1] if unknown else steps, model)
    if unknown:
        key = str(steps[-1])
        name = key if key.isidentifier() and key.isascii() else shown(key)
        known = () if section is None else tuple(section.model_fields)
        return f"{path}{'.' if path else ''}{name} is not a key of a {document}; {nearest(key, known)}"
    # Of one item of a list, the description speaks of the list.
    remedy = f"{path.partition('[')[0]} accepts {accepted}" if path.endswith("]") else f"give {accepted}"
    if detail["type"] == "missing":
        return f"{path} is missing; {remedy}"
    if detail["type"] == "value_error":
        return f"{path} {detail['ctx']['error']}".strip()
    return f"{path or f'the {document}'} is {shown(detail['input'])}; {remedy}"


def _walk(steps: tuple[int | str, ...], model: type[BaseModel]) -> tuple[str, str, type[BaseModel] | None]:
    """Follow an error's location: its dotted path, what is accepted there, and the model there."""
    path, section = "", model
    accepted = _keys(model)
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        # A step that is no field is pydantic's name for a member of a union.
        elif step in section.model_fields:
            field = section.model_fields[step]
            path += f".{step}" if path else step
            section = _model_in(field.annotation) or section
            accepted = field.description or _keys(section)
    return path, accepted, section


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Find the model that an annotation is, or holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, typing.get_args(annotation))), None)


def _keys(model: type[BaseModel]) -> str:
    return f"a mapping with the keys {', '.join(model.model_fields)}"
