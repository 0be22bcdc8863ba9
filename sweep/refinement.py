"""Which points to relax next: those that would change a study's conclusion most easily."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sweep.grid import BLOCK_DIMENSIONS, WEIGHTING_DIMENSIONS, Block, Weighting
from sweep.variables import Status, Trust

Floats = NDArray[np.float64]

# By how much an estimate may be off where its slice has no relaxed point to say so, by whether it is trusted.
FACTORS = {Trust.trusted: 1.25, Trust.unknown: 2.0, Trust.distrusted: 10.0}
#: Variables that points are ranked by.
NEEDED = (
    "status",
    "geometry_error",
    "geometry_estimate",
    "energy_error",
    "energy_estimate",
    "estimate_trusted",
    "effectivity",
)
# Points whose distance to a front is found at a time.
POINTS_AT_A_TIME = 100_000


@dataclass(frozen=True)
class Refinement:
    """Points to be relaxed, and how long that may take.

    Parameters
    ----------
    points
        Their blocks and weightings.
    seconds
        Nothing is begun after so long; None for no limit.
    """

    points: frozenset[tuple[Block, Weighting]]
    seconds: float | None = None


def points_to_refine(dataset: xr.Dataset, count: int) -> list[tuple[Block, Weighting]]:
    """Rank the points that are only estimated by how easily they may prove to be on the Pareto front.

    The front is that of geometry error and absolute energy error among the points of one dislocation and simulation
    radius, relaxed where they are and estimated elsewhere. A point is s times off it if both of its errors divided by
    s would put it there, and its estimate may be off by a factor u: what the relaxed points of its dislocation, degree
    and trust have shown. It is ranked by s/u, so that points near the front come first, and those whose estimates are
    in doubt before those that are not.

    Parameters
    ----------
    dataset
        A store, as `sweep.open_store` gives it, or no more of it than `NEEDED`.
    count
        How many at most.

    Returns
    -------
    list of (Block, Weighting)
        The first to be relaxed first.
    """
    status = dataset["status"].values
    waiting = np.flatnonzero(status.ravel() == Status.estimated)
    if not waiting.size or count <= 0:
        return []
    doubts = _distances(dataset) / _factors(dataset)
    chosen = waiting[np.argsort(doubts.ravel()[waiting], kind="stable")[:count]]
    axes = {str(name): dataset[name].values.tolist() for name in dataset["status"].dims}
    return [_labelled(axes, place) for place in zip(*np.unravel_index(chosen, status.shape), strict=True)]


def _labelled(axes: Mapping[str, list[Any]], place: tuple[np.intp, ...]) -> tuple[Block, Weighting]:
    """Name the block and the weighting at a place of the grid."""
    labels = {name: values[index] for (name, values), index in zip(axes.items(), place, strict=True)}
    block = {name: label for name, label in labels.items() if name in BLOCK_DIMENSIONS}
    weights = {name.removeprefix("weight_"): labels[name] for name in WEIGHTING_DIMENSIONS if name in labels}
    return Block(**block), Weighting(**weights)


def _distances(dataset: xr.Dataset) -> Floats:
    """How many times off the front of its dislocation and radius each point is; infinite where nothing is known."""
    relaxed = dataset["status"].values == Status.relaxed
    geometry = np.where(relaxed, dataset["geometry_error"].values, dataset["geometry_estimate"].values)
    energy = np.abs(np.where(relaxed, dataset["energy_error"].values, dataset["energy_estimate"].values))
    distances = np.full(geometry.shape, np.inf)
    for place in np.ndindex(geometry.shape[:2]):
        errors = np.stack([geometry[place].ravel(), energy[place].ravel()], axis=1)
        known = np.isfinite(errors).all(axis=1) & (errors > 0).all(axis=1)
        found = np.full(len(errors), np.inf)
        if known.any():
            found[known] = times_off_front(errors[known])
        distances[place] = found.reshape(geometry.shape[2:])
    return distances


def times_off_front(errors: Floats) -> Floats:
    """Find by how much two errors would have to be divided for a point to be on the Pareto front.

    Parameters
    ----------
    errors
        Shape (n, 2): positive.

    Returns
    -------
    (n,) ndarray
        1 on the front.

    Examples
    --------
    >>> times_off_front(np.array([[1.0, 4.0], [2.0, 1.0], [4.0, 8.0]])).tolist()
    [1.0, 1.0, 2.0]
    """
    order = np.lexsort(errors.T[::-1])
    lowest = np.minimum.accumulate(errors[order, 1])
    first = np.append(True, lowest[1:] < lowest[:-1])
    front = errors[order[first]]
    found = np.ones(len(errors))
    for start in range(0, len(errors), POINTS_AT_A_TIME):
        some = errors[start : start + POINTS_AT_A_TIME]
        for best in front:
            found[start : start + len(some)] = np.maximum(
                found[start : start + len(some)], np.min(some / best, axis=1)
            )
    return found


def _factors(dataset: xr.Dataset) -> Floats:
    """By which factor each estimate may be off."""
    flags, ratio = dataset["estimate_trusted"].values, dataset["effectivity"].values
    ratio = np.where(dataset["status"].values == Status.relaxed, ratio, np.nan)
    factors = np.ones(flags.shape)
    degrees = dataset["status"].dims.index("degree")
    for dislocation in range(flags.shape[0]):
        for degree in range(flags.shape[degrees]):
            place: tuple[int | slice, ...] = (dislocation, *(slice(None),) * (degrees - 1), degree)
            for flag, usual in FACTORS.items():
                own = flags[place] == flag
                seen = np.abs(np.log(ratio[place][own & (ratio[place] > 0)]))
                factor = float(np.exp(np.percentile(seen, 95.0))) if seen.size else usual
                factors[place][own] = factor
    return factors
