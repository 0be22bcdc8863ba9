"""Whether stores are of one study, and the study that asks for what all of theirs ask for."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sweep.fingerprint import differences
from sweep.grid import BLOCK_DIMENSIONS, DIMENSIONS, Grid, PointList, grid_of
from sweep.grid.dimensions import AxisValue
from sweep.identity import Identity
from sweep.location import StoreLike
from sweep.merging.errors import MergeRefusedError
from sweep.study import Study, read_study


def check_agree(
    first: Identity, other: Identity, names: tuple[StoreLike, StoreLike], *, accept_versions: bool
) -> None:
    """Compare what two stores were made for; of axes, weights and regularisations must be the same.

    Raises
    ------
    MergeRefusedError
        If anything else that changes numbers differs, or packages do and that is not accepted; it names the field.
    """
    where = f"{names[0]} and {names[1]}"
    changed = differences(_with_kernels_of(first, other), _with_kernels_of(other, first))
    # as the first has it, then as the other has it
    told = [line.replace(" was ", " is ", 1).replace(", is now ", " and ") for line in changed]
    versions = [line for line in told if line.startswith("packages.")]
    if others := [line for line in told if line not in versions]:
        raise MergeRefusedError(f"{where} are of different studies: {'; '.join(others)}. Nothing is merged")
    for name in dict.fromkeys((*first.axes, *other.axes)):
        labels = [identity.axes.get(name) for identity in (first, other)]
        if labels[0] != labels[1] and (name not in BLOCK_DIMENSIONS or None in labels):
            raise MergeRefusedError(
                f"{where} are of different studies: {name} is {labels[0]} and {labels[1]}. Weights and "
                "regularisations must be the same, in the same order"
            )
    if versions and not accept_versions:
        raise MergeRefusedError(
            f"{where} were made with other packages: {'; '.join(versions)}. Merge them nevertheless with "
            "--accept-versions; the new store says so"
        )


def _with_kernels_of(identity: Identity, other: Identity) -> dict[str, Any]:
    """Give a fingerprint without the kernels that the other's version of Farfield did not have."""
    known = other.fingerprint.get("kernels", {})
    kernels = identity.fingerprint.get("kernels", {})
    return {
        **identity.fingerprint,
        "kernels": {name: version for name, version in kernels.items() if name in known},
    }


def united_study(texts: Sequence[str]) -> Study:
    """Give the study that asks for everything that some of the same fingerprint ask for.

    Parameters
    ----------
    texts
        Their texts, as stores keep them.

    Returns
    -------
    Study
        The first of them that asks for it all, or else a new one.

    Raises
    ------
    StudyError
        If a text is not one that this version reads.
    """
    studies = [read_study(text, "the study in the store") for text in texts]
    grids = [grid_of(study) for study in studies]
    labels = {axis.name: _united(grids, axis.name) for axis in grids[0].axes}
    points = _united_points(grids)
    for study, grid in zip(studies, grids, strict=True):
        if all(set(axis.values) == set(labels[axis.name]) for axis in grid.axes) and _same(
            grid.listed, points
        ):
            return study
    fields = studies[0].model_dump(mode="json")
    columns = () if points is None else points.columns
    axes: dict[str, Any] = {name: list(values) for name, values in labels.items() if name not in columns}
    if "replica" in axes:
        axes["replica"] = max(axes["replica"]) + 1
    fields.pop("dislocations", None)
    dislocations = {} if "dislocation" in columns else {"dislocations": axes.pop("dislocation")}
    listed = None if points is None else points.text
    return read_study(json.dumps({**fields, **dislocations, "axes": axes, "points": listed}, indent=2))


def _united(grids: Sequence[Grid], name: str) -> tuple[AxisValue, ...]:
    """Give the labels of several grids along an axis: those along block axes ascend, but for words."""
    found = dict.fromkeys(label for grid in grids for label in grid.axis(name).values)
    ascending = name in BLOCK_DIMENSIONS and name != "dislocation"
    return tuple(sorted(found)) if ascending else tuple(found)


def _united_points(grids: Sequence[Grid]) -> PointList | None:
    """List the points that any of several grids asks for; None where one asks for its whole product."""
    lists = [grid.listed for grid in grids if grid.listed is not None]
    if len(lists) < len(grids):
        return None
    columns = tuple(name for name in DIMENSIONS if any(name in each.columns for each in lists))
    rows: dict[tuple[AxisValue, ...], None] = {}
    for grid, listed in zip(grids, lists, strict=True):
        missing = [name for name in columns if name not in listed.columns]
        # along an axis that a list does not name, it means every label of its study's
        for row, rest in itertools.product(
            listed.rows, itertools.product(*(grid.axis(name).values for name in missing))
        ):
            cells: Mapping[str, AxisValue] = {
                **dict(zip(listed.columns, row, strict=True)),
                **dict(zip(missing, rest, strict=True)),
            }
            rows[tuple(cells[name] for name in columns)] = None
    return PointList(columns, tuple(rows))


def _same(first: PointList | None, second: PointList | None) -> bool:
    if first is None or second is None:
        return first is second
    # in the order of columns that a new list has
    places = [first.columns.index(name) for name in second.columns if name in first.columns]
    return len(places) == len(second.columns) == len(first.columns) and {
        tuple(row[place] for place in places) for row in first.rows
    } == set(second.rows)
