"""The points of a store as rows of a table, a bounded number at a time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from sweep.exporting.errors import ExportError
from sweep.variables import CYLINDER_VARIABLES, VARIABLES

#: Points that are in memory at once: some 50 MB of them.
MOST_ROWS = 50_000


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Parameters
    ----------
    name
        The variable's name, followed by the label along its further dimension where it has one.
    units, long_name
        As in the store.
    """

    name: str
    units: str
    long_name: str


def columns_of(dataset: xr.Dataset) -> tuple[Column, ...]:
    """List the columns of the table: the axes, the status, every other variable.

    A variable with a further dimension has a column for each label along it, such as ``rmse_forces_core``.
    """
    axes = [_column(dataset[name], str(name)) for name in dataset["status"].dims]
    return (
        *axes,
        *(_column(part, column) for name in _names(dataset) for column, part in _parts(dataset, name)),
    )


def rows_of(dataset: xr.Dataset, *, most: int = MOST_ROWS) -> Iterator[pd.DataFrame]:
    """Give every point as a row, in the order of the axes: the last axis runs fastest.

    Parameters
    ----------
    dataset
        A store, as `sweep.open_store` gives it; read as it is needed.
    most
        Rows that are in memory at once.

    Yields
    ------
    pandas.DataFrame
        Rows of `columns_of`; flags as words, what a point has not as NaN.

    Raises
    ------
    ExportError
        If the store's data cannot be read.
    """
    axes = [str(name) for name in dataset["status"].dims]
    names = _names(dataset)
    for region in slabs({name: dataset.sizes[name] for name in axes}, most):
        try:
            slab = dataset[names].isel(region).load()
        # what a damaged chunk raises is the codec's affair
        except (RuntimeError, ValueError, OSError) as error:
            raise ExportError(f"the store cannot be read: {error}") from error
        parts = {column: part for name in names for column, part in _parts(slab, name)}
        flat = xr.Dataset(
            {column: _words(part).drop_vars(set(part.coords) - set(axes)) for column, part in parts.items()}
        )
        yield flat.to_dataframe(dim_order=axes).reset_index()


def slabs(sizes: dict[str, int], most: int) -> Iterator[dict[str, slice]]:
    """Cut a grid into slabs of at most `most` points, one after another in C order.

    Each is whole along the last dimensions, a stretch of one, and a single label of those before.

    Examples
    --------
    >>> [[each[name] for name in "ab"] for each in slabs({"a": 2, "b": 3}, 4)]
    [[slice(0, 1, None), slice(0, 3, None)], [slice(1, 2, None), slice(0, 3, None)]]
    """
    lengths = list(sizes.values())
    cut = next(
        (axis for axis in range(len(lengths)) if math.prod(lengths[axis + 1 :]) <= most), len(lengths) - 1
    )
    step = max(1, most // math.prod(lengths[cut + 1 :]))
    starts = [range(length) for length in lengths[:cut]] + [range(0, lengths[cut], step)]
    for start in itertools.product(*starts):
        first = [slice(place, place + 1) for place in start[:-1]]
        stretch = slice(start[-1], min(start[-1] + step, lengths[cut]))
        rest = [slice(0, length) for length in lengths[cut + 1 :]]
        yield dict(zip(sizes, [*first, stretch, *rest], strict=True))


def _names(dataset: xr.Dataset) -> list[str]:
    """Order the variables as in the table: the status, those that are known, any others."""
    there = [str(name) for name in dataset.data_vars]
    known = [variable.name for variable in (*VARIABLES, *CYLINDER_VARIABLES)]
    return list(dict.fromkeys(name for name in ("status", *known, *there) if name in there))


def _parts(dataset: xr.Dataset, name: str) -> Iterator[tuple[str, xr.DataArray]]:
    """Give a variable by columns, each over axes of the grid alone."""
    variable = dataset[name]
    further = [dim for dim in variable.dims if dim not in dataset["status"].dims]
    if not further:
        yield name, variable
        return
    for places in itertools.product(*(range(variable.sizes[dim]) for dim in further)):
        part = variable.isel(dict(zip(further, places, strict=True)))
        labels = [
            part[dim].item() if dim in part.coords else place
            for dim, place in zip(further, places, strict=True)
        ]
        yield "_".join([name, *(_text(label) for label in labels)]), part


def _text(label: object) -> str:
    return f"{label:g}" if isinstance(label, int | float) else str(label)


def _column(variable: xr.DataArray, name: str) -> Column:
    attributes = variable.attrs
    return Column(name, str(attributes.get("units", "1")), str(attributes.get("long_name", name)))


def _words(variable: xr.DataArray) -> xr.DataArray:
    """Say flags in their own words."""
    meanings = str(variable.attrs.get("flag_meanings", "")).split()
    if not meanings:
        return variable
    flags = np.asarray(variable.attrs["flag_values"], dtype=np.int64)
    places = np.searchsorted(flags, variable.values)
    return variable.copy(data=np.asarray(meanings, dtype=object)[places])
