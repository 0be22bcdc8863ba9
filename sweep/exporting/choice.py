"""Which point of a store is meant: labels of its axes, read from text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from sweep.exporting.errors import ExportError
from sweep.grid import AxisValue, Block, Grid
from sweep.grid.labels import is_meant
from sweep.store.layout import shortened


def labels_in(texts: Iterable[str]) -> dict[str, str]:
    """Read ``NAME=LABEL,NAME=LABEL`` from each text.

    Raises
    ------
    ExportError
        If one is of another form, or a name stands there twice.

    Examples
    --------
    >>> labels_in(["degree=12,weight_virial=1", "replica=0"])
    {'degree': '12', 'weight_virial': '1', 'replica': '0'}
    """
    labels: dict[str, str] = {}
    for item in (item.strip() for text in texts for item in text.split(",")):
        name, _, label = (part.strip() for part in item.partition("="))
        if not (name and label):
            raise ExportError(f"--at {item!r}: give NAME=LABEL, such as degree=12,weight_virial=1")
        if name in labels:
            raise ExportError(f"--at names {name} twice; name each axis once")
        labels[name] = label
    return labels


def chosen_point(dataset: xr.Dataset, at: Mapping[str, str]) -> dict[str, AxisValue]:
    """Find the one point that labels mean.

    Parameters
    ----------
    dataset
        A store, as `sweep.open_store` gives it.
    at
        Labels by axis, as text; an axis with a single label may be left out.

    Returns
    -------
    dict
        A label for each of the store's axes, in their order.

    Raises
    ------
    ExportError
        If an axis or a label is unknown, or several labels of an axis are possible; the message lists them.
    """
    axes = {str(name): dataset[name].values.tolist() for name in dataset["status"].dims}
    if unknown := [name for name in at if name not in axes]:
        raise ExportError(f"--at {unknown[0]}: the store has no such axis; it has {', '.join(axes)}")
    found = {name: _label(name, axes[name], text) for name, text in at.items()}
    if open_ones := [name for name, labels in axes.items() if name not in at and len(labels) > 1]:
        choices = "; ".join(f"{name} has {shortened(axes[name])}" for name in open_ones)
        raise ExportError(
            f"several points are meant: {choices}; add to --at {','.join(f'{name}=…' for name in open_ones)}"
        )
    return {name: found.get(name, labels[0]) for name, labels in axes.items()}


def block_of(labels: Mapping[str, Any]) -> Block:
    """Give the block of a point.

    Examples
    --------
    >>> labels = {"dislocation": "edge", "simulation_radius": 25.0, "degree": 6, "domain_radius": 8.0, "n_train": 4}
    >>> block_of({**labels, "replica": 0, "weight_forces": 1.0}).domain_radius
    8.0
    """
    return Block(**{name: label for name, label in labels.items() if name in Block.__dataclass_fields__})


def place_of(grid: Grid, labels: Mapping[str, AxisValue]) -> int:
    """Say which fit of its block a point is."""
    axes = grid.weighting_axes
    places = [axis.values.index(labels[axis.name]) for axis in axes]
    return int(np.ravel_multi_index(places, [len(axis) for axis in axes]))


def named(labels: Mapping[str, AxisValue]) -> str:
    """Write a point as ``--at`` takes it.

    Examples
    --------
    >>> named({"dislocation": "edge", "degree": 6})
    'dislocation=edge,degree=6'
    """
    return ",".join(f"{name}={label}" for name, label in labels.items())


def _label(name: str, labels: list[Any], text: str) -> AxisValue:
    """Find the label that a text means: numbers by their value, however they are written."""
    for label in labels:
        if is_meant(label, text):
            found: AxisValue = label
            return found
    raise ExportError(f"--at {name}={text}: {name} has {shortened(labels)}")
