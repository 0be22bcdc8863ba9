"""Which part of a store a figure shows: what counts as a value, and the slice it is drawn at."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from sweep.figures.errors import FigureError
from sweep.figures.replicas import REPLICA
from sweep.variables import VARIABLE_OF, Source, Status

WEIGHT = "weight_"
DISLOCATION = "dislocation"
_TRUNCATION = "truncation_"
_KIND = "config_kind"
# A few points that failed do not make a slice less full than another.
_FULL = 0.9


def weight_dims(ds: xr.Dataset | xr.DataArray) -> tuple[str, ...]:
    """Name the dimensions of the weights."""
    return tuple(str(name) for name in ds.dims if str(name).startswith(WEIGHT))


def block_dims(ds: xr.Dataset) -> tuple[str, ...]:
    """Name the dimensions of the grid that are no weights, in the store's order."""
    return tuple(str(name) for name in ds["status"].dims if not str(name).startswith(WEIGHT))


def require(ds: xr.Dataset, *names: str) -> None:
    """Refuse a store without some variables.

    Raises
    ------
    FigureError
        Naming what is missing and what there is.
    """
    if missing := [name for name in names if name not in ds]:
        known = ", ".join(sorted(map(str, ds.data_vars)))
        raise FigureError(f"the store has no {', '.join(missing)}; its variables are {known}")


def status_name(name: str) -> str:
    """Name the variable that says which values of another are measurements."""
    return f"{_TRUNCATION}status" if name.startswith(_TRUNCATION) else "status"


def known(ds: xr.Dataset, name: str) -> xr.DataArray:
    """Say where a variable can have values, from its status alone, so that nothing else need be read.

    What only a relaxation gives is a measurement where the point is relaxed; what the fit gives, wherever the
    point has come to anything.
    """
    status = ds[status_name(name)]
    variable = VARIABLE_OF.get(name)
    if variable is not None and variable.source is Source.block:
        return ~status.isin([Status.pending, Status.excluded, Status.failed, Status.not_asked])
    return status == Status.relaxed


def measured(ds: xr.Dataset, name: str) -> xr.DataArray:
    """Read a variable: NaN where it is no measurement. Of two kinds of held-out configurations, `kind_of`."""
    values = ds[name]
    if _KIND in values.dims:
        values = values.sel({_KIND: kind_of(name)}, drop=True)
    attrs = dict(values.attrs)
    return values.compute().where(known(ds, name)).assign_attrs(attrs)


def kind_of(name: str) -> str:
    """Say on which held-out configurations an RMSE is shown: cores, which have no virials, or bulk."""
    return "bulk" if name == "rmse_virial" else "core"


def selected(ds: xr.Dataset, select: Mapping[str, Any] | None) -> xr.Dataset:
    """Take the labels that a user names.

    Raises
    ------
    FigureError
        If a dimension or a label is unknown; it lists those that there are.
    """
    positions = {}
    for name, label in (select or {}).items():
        if name not in ds.dims or name not in ds.coords:
            raise FigureError(
                f"select {name}: no such dimension; the store has {', '.join(map(str, ds.dims))}"
            )
        labels = ds[name].values.tolist()
        # text too, as a command line gives it
        matches = [
            place for place, other in enumerate(labels) if other == label or _same_number(other, label)
        ]
        if not matches:
            raise FigureError(f"select {name}={label}: {name} has {', '.join(map(str, labels))}")
        positions[name] = matches[:1]
    return ds.isel(positions)


def _same_number(one: Any, other: Any) -> bool:
    try:
        return math.isclose(float(one), float(other), rel_tol=1e-12)
    except (TypeError, ValueError):
        return False


def fullest_slice(ds: xr.Dataset, name: str, keep: Iterable[str]) -> xr.Dataset:
    """Take the slice of a store that has most values of a variable; of those about as full, that of the largest labels.

    Largest, since that is where the basis, the training set and the simulated cylinder say most.

    Parameters
    ----------
    ds
        A store.
    name
        The variable that is to be drawn.
    keep
        Dimensions to leave whole; dislocations, replicas and weights are left whole always.

    Returns
    -------
    xarray.Dataset
        With one label along each dimension of the grid that is not kept.

    Raises
    ------
    FigureError
        If there is no value anywhere; it says what the points' statuses are.
    """
    there = known(ds, name)
    if not bool(there.any()):
        raise FigureError(
            f"no point has a value of {name}: {_statuses(ds[status_name(name)])}; run the study on"
        )
    kept = {DISLOCATION, REPLICA, *keep}
    for dim in (str(dim) for dim in there.dims):
        if dim in kept or dim.startswith(WEIGHT):
            continue
        counts = there.sum([other for other in there.dims if other != dim]).values
        labels = ds[dim].values if dim in ds.coords else np.arange(len(counts))
        full = np.flatnonzero(counts >= _FULL * counts.max())
        best = max(full.tolist(), key=lambda place: labels[place])
        ds, there = ds.isel({dim: [best]}), there.isel({dim: [best]})
    return ds


def fixed_labels(ds: xr.Dataset, name: str) -> dict[str, Any]:
    """Give the labels that a slice has along the dimensions where it has one, weights and dislocation apart."""
    return {
        str(dim): ds[dim].values[0]
        for dim in ds[status_name(name)].dims
        if ds.sizes[dim] == 1 and dim not in (DISLOCATION, REPLICA) and not str(dim).startswith(WEIGHT)
    }


def positive(values: xr.DataArray) -> xr.DataArray:
    """Take the values that a logarithmic axis can show."""
    return values.where(values > 0).assign_attrs(values.attrs)


def _statuses(status: xr.DataArray) -> str:
    numbers, counts = np.unique(status.values, return_counts=True)
    return ", ".join(
        f"{count} {Status(int(value)).name}" for value, count in zip(numbers, counts, strict=True)
    )
