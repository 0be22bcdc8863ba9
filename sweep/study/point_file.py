"""A study's list of points: CSV, its columns named as axes are, one point a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from sweep.grid import DIMENSIONS, OPTIONAL_DIMENSIONS, PointList
from sweep.grid.dimensions import WHOLE_DIMENSIONS, AxisValue
from sweep.study.fields import Count, Cutoff, Degree, Dislocation, Order, Positive, Strain, Weight
from sweep.study.messages import nearest
from sweep.study.text_file import text_of

_LENGTH, _ABOVE_ZERO = "a length above 0 (Å)", "a number above 0"
#: What a label of each axis is: its type, and that in words.
LABELS: dict[str, tuple[Any, str]] = {
    "dislocation": (Dislocation, "a dislocation, such as screw"),
    "simulation_radius": (Positive, _LENGTH),
    "degree": (Degree, "a whole number from 2 to 100"),
    "domain_radius": (Positive, _LENGTH),
    "n_train": (Count, "a whole number of at least 1"),
    "replica": (Annotated[int, Field(ge=0, lt=1_000_000)], "a whole number from 0"),
    "order": (Order, "a whole number from 1 to 10"),
    "cutoff": (Cutoff, "a length of at least 2 (Å)"),
    "bulk_strain": (Strain, "a number above 0 and below 1"),
    "regularisation": (Positive, _ABOVE_ZERO),
    **dict.fromkeys(
        (name for name in DIMENSIONS if name.startswith("weight_")), (Weight, "a number, not negative")
    ),
}


def read_points(path: Path, where: str) -> PointList:
    """Read a list of points from a file.

    Parameters
    ----------
    path
        A CSV file in UTF-8.
    where
        What messages call it.

    Raises
    ------
    ValueError
        As `parse_points`, or if the file cannot be read.
    """
    return parse_points(
        text_of(path, where, missing=f"put it beside the study file, in {path.parent}"), where
    )


def parse_points(text: str, where: str = "points") -> PointList:
    r"""Read a list of points from CSV.

    Parameters
    ----------
    text
        Lines of labels between commas, the first of column names. Blank lines do not count.
    where
        What messages call it.

    Returns
    -------
    PointList
        At least one point, none twice.

    Raises
    ------
    ValueError
        If it is none: the message names the line, what is wrong there, and what to do.

    Examples
    --------
    >>> parse_points("degree, weight_virial\n6, 0\n8, 1\n").rows
    ((6, 0.0), (8, 1.0))
    >>> parse_points("degree\nsix\n")
    Traceback (most recent call last):
      ...
    ValueError: points, line 2: degree is 'six'; give a whole number from 2 to 100
    """
    lines = _lines(text, where)
    first, names = next(lines, (1, []))
    if not names:
        raise ValueError(
            f"{where}: the list is empty; begin with a line of axes' names, such as degree,n_train"
        )
    columns = _columns(names, f"{where}, line {first}")
    known: dict[tuple[str, str], AxisValue] = {}
    seen: dict[tuple[AxisValue, ...], int] = {}
    for number, words in lines:
        here = f"{where}, line {number}"
        if len(words) != len(columns):
            raise ValueError(
                f"{here}: there are {len(words)} labels for {len(columns)} columns; give {', '.join(columns)}"
            )
        for cell in zip(columns, words, strict=True):
            if cell not in known:
                known[cell] = _label(*cell, here)
        row = tuple(known[cell] for cell in zip(columns, words, strict=True))
        if row in seen:
            raise ValueError(f"{here}: this is the point of line {seen[row]} again; remove one")
        seen[row] = number
    if not seen:
        raise ValueError(f"{where}: there is no point below the line of names; add a line of labels for each")
    return PointList(columns, tuple(seen))


def with_listed_axes(study: Mapping[str, Any], points: PointList) -> dict[str, Any]:
    """Give a study the labels of its list of points as axes.

    Parameters
    ----------
    study
        As its file holds it, not yet checked.
    points
        Its list.

    Raises
    ------
    ValueError
        If an axis is in the list and in the study too, or in neither.
    """
    axes = study.get("axes") or {}
    if not isinstance(axes, dict):
        return dict(study)
    given = {*axes, *(("dislocation",) if "dislocations" in study else ())}
    if twice := [name for name in points.columns if name in given]:
        field = "dislocations" if twice[0] == "dislocation" else f"axes.{twice[0]}"
        raise ValueError(f"points has a column {twice[0]}, and {field} is given too; leave one of them out")
    lacking = [name for name in DIMENSIONS if name not in {*given, *points.columns, *OPTIONAL_DIMENSIONS}]
    if lacking:
        field = "dislocations is not given" if lacking[0] == "dislocation" else "axes does not list it"
        raise ValueError(f"points has no column {lacking[0]}, and {field}; give one of them")
    listed: dict[str, Any] = {name: list(points.labels(name)) for name in points.columns}
    if "replica" in listed:
        listed["replica"] = max(listed["replica"]) + 1
    dislocations = {"dislocations": listed.pop("dislocation")} if "dislocation" in listed else {}
    return {**study, **dislocations, "axes": {**axes, **listed}}


def _lines(text: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """Go through the lines that are not blank, with their numbers."""
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    try:
        for words in reader:
            stripped = [word.strip() for word in words]
            if any(stripped):
                yield reader.line_num, stripped
    except csv.Error as error:
        raise ValueError(
            f"{where}, line {reader.line_num}: this is not CSV ({error}); write labels between commas"
        ) from None


def _columns(names: list[str], here: str) -> tuple[str, ...]:
    for place, name in enumerate(names):
        if name not in DIMENSIONS:
            shown = f"{name!r} is" if name else f"the name of column {place + 1} is empty, which is"
            raise ValueError(f"{here}: {shown} not an axis; {nearest(name, DIMENSIONS)}")
        if name in names[:place]:
            raise ValueError(f"{here}: {name} stands there twice; keep one column of it")
    return tuple(names)


def _label(column: str, word: str, here: str) -> AxisValue:
    accepted = LABELS[column][1]
    try:
        value: Any = (
            word
            if column == "dislocation"
            else int(word)
            if column in WHOLE_DIMENSIONS
            else float(word) + 0.0
        )
        label: AxisValue = _ADAPTERS[column].validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "value_error":
            raise ValueError(f"{here}: {column} {first['ctx']['error']}") from None
        raise ValueError(f"{here}: {column} is {word!r}; give {accepted}") from None
    except ValueError:
        raise ValueError(f"{here}: {column} is {word!r}; give {accepted}") from None
    return label


_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    name: TypeAdapter(kind, config=ConfigDict(allow_inf_nan=False)) for name, (kind, _) in LABELS.items()
}
