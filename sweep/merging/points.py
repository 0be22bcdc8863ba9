"""What a store knows of points enters another, which keeps what it knows itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sweep.location import StoreLike
from sweep.measured import measured_variables
from sweep.store.layout import Layout, layout_of
from sweep.store.merge import derive
from sweep.store.root import open_root
from sweep.variables import VARIABLES, Source, Status, StatusSource

#: Results by which two sites' records of one point are compared.
COMPARED = ("rmse_forces", "geometry_estimate", "geometry_error", "energy_difference")
# Another processor's rounding may let a relaxation stop a step sooner, which moves the fifth digit.
RELATIVE, ABSOLUTE = 1e-4, 1e-6
_BLOCK = tuple(variable.name for variable in VARIABLES if variable.source is Source.block)


def variables_of(store: StoreLike) -> tuple[str, ...]:
    """Name a store's variables over its grid, those of the user's measures first; raises as `sweep.open_store`."""
    root = open_root(store, "r")
    held = set(root.array_keys())
    known = (*measured_variables(root.attrs), *VARIABLES)
    return tuple(variable.name for variable in known if variable.name in held)


def take_points(target: StoreLike, source: StoreLike) -> list[dict[str, Any]]:
    """Write what a store knows of points to another that is nobody else's yet, a chunk at a time.

    The target then holds what it would after all records of the source, then all its own: its own results stay, and a
    failure gives way to a result.

    Parameters
    ----------
    target
        Has every label of the source, the same weights and the same variables.
    source
        The other store.

    Returns
    -------
    list of dict
        Labels of the points for which both have results that differ beyond rounding.

    Raises
    ------
    StoreError
        As `sweep.open_store`.
    """
    names = variables_of(target)
    own: dict[str, Any] = dict(open_root(target, "r+").arrays())
    others: dict[str, Any] = dict(open_root(source, "r").arrays())
    layout, places = layout_of(own), _positions(layout_of(others))
    found: list[dict[str, Any]] = []
    for region in _regions(layout):
        labels = [layout.labels[name][part] for name, part in zip(layout.labels, region, strict=True)]
        here, there = _shared(labels, [places[name] for name in layout.labels])
        if not all(map(len, there)):
            continue
        whole = {name: np.asarray(own[name][region]).copy() for name in names}
        ours = {name: values[np.ix_(*here)] for name, values in whole.items()}
        theirs = {name: _read(others[name], there) for name in names}
        for at in np.argwhere(_conflicts(ours, theirs)):
            cell = [values[place[i]] for values, place, i in zip(labels, here, at, strict=True)]
            found.append(dict(zip(layout.labels, cell, strict=True)))
        before = {name: values.tobytes() for name, values in whole.items()}
        _take(ours, theirs)
        for name, values in whole.items():
            values[np.ix_(*here)] = ours[name]
        derive(whole)
        for name, values in whole.items():
            if values.tobytes() != before[name]:
                own[name][region] = values
    return found


def standing(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rank what is known of points: not asked for, pending, failed or known with the block, failed or known alone."""
    status, source = values["status"], values["status_source"]
    own = (source == StatusSource.point) & (status != Status.pending)
    failed = status == Status.failed
    kinds = [status == Status.not_asked, status == Status.pending, own & failed, own, failed]
    return np.select(kinds, [0, 1, 4, 5, 2], 3)


def _take(ours: dict[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> None:
    better = standing(theirs) > standing(ours)
    fitted = ~_fitted(ours) & _fitted(theirs)
    for name, values in ours.items():
        where = fitted if name in _BLOCK else better
        values[where] = theirs[name][where]


def _fitted(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Say of which points a block's record gave anything."""
    known = [_each(~np.isnan(values[name]), values["status"].ndim) for name in _BLOCK if name in values]
    return np.asarray(np.any(known, axis=0))


def _conflicts(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> np.ndarray:
    both_own = (standing(ours) == 5) & (standing(theirs) == 5)
    both_fitted = _fitted(ours) & _fitted(theirs)
    differ = both_own & (ours["status"] != theirs["status"])
    for name in COMPARED:
        other = ~np.isclose(ours[name], theirs[name], RELATIVE, ABSOLUTE, equal_nan=True)
        differ |= (both_fitted if name in _BLOCK else both_own) & _each(other, differ.ndim)
    return np.asarray(differ)


def _each(flags: np.ndarray, n_dims: int) -> np.ndarray:
    """Say of which points any of their values is so."""
    return np.asarray(flags.reshape(*flags.shape[:n_dims], -1).any(axis=-1))


def _regions(layout: Layout) -> Iterator[tuple[slice, ...]]:
    counts = [range(-(-length // size)) for length, size in zip(layout.shape, layout.chunk, strict=True)]
    return map(layout.region, itertools.product(*counts))


def _positions(layout: Layout) -> dict[str, dict[Any, int]]:
    return {
        name: {label: place for place, label in enumerate(found)} for name, found in layout.labels.items()
    }


def _shared(labels: list[Any], places: list[dict[Any, int]]) -> tuple[list[list[int]], list[list[int]]]:
    """Find along each axis the labels that another store has too: where they are here, and there."""
    here = [
        [at for at, label in enumerate(each) if label in known]
        for each, known in zip(labels, places, strict=True)
    ]
    there = [
        [known[each[at]] for at in found] for each, known, found in zip(labels, places, here, strict=True)
    ]
    return here, there


def _read(array: Any, places: list[list[int]]) -> np.ndarray:
    further = [range(size) for size in array.shape[len(places) :]]
    return np.asarray(array.oindex[tuple(np.asarray(each) for each in (*places, *further))])
