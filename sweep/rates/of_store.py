"""Rates asked of a whole store, by the names of its variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import xarray as xr

from sweep.grid.labels import is_meant
from sweep.rates.errors import RateError
from sweep.rates.fit import fit_rate
from sweep.variables import VARIABLE_OF, Source

TRUNCATION = "truncation_"
BURGERS = "burgers_length"
RADII = ("simulation_radius", "domain_radius")


def rate_of(
    ds: xr.Dataset,
    error: str,
    along: str,
    *,
    over: Sequence[str] | None = None,
    select: Mapping[str, str] | None = None,
    length: float | xr.DataArray | None = None,
    **options: Any,
) -> xr.Dataset:
    """Fit the rate of one of a store's errors, leaving out the points whose status says so.

    Parameters
    ----------
    ds
        A store, as `sweep.open_store` gives it; what of it is lazy stays so.
    error
        Name of a variable.
    along
        Name of a dimension, or of another variable.
    over
        As in `sweep.fit_rate`.
    select
        Labels by dimension, to fit only these; as text.
    length
        As in `sweep.fit_rate`; of radii unless given the Burgers vector's, where the store knows it.
    **options
        Further options of `sweep.fit_rate`.

    Raises
    ------
    RateError
        As `sweep.fit_rate`; if a variable, dimension or label is unknown, or the store's data cannot be read.
    """
    chosen = _selected(ds, select or {})
    errors = _variable(chosen, error)
    abscissa = along if along in ds.dims else _variable(chosen, along)
    status = _status_name(error) or (None if along in ds.dims else _status_name(along))
    try:
        flags = None if status is None or status not in chosen else chosen[status].compute()
        errors = errors.compute()
    # what a damaged chunk raises is the codec's affair
    except (RuntimeError, ValueError, OSError) as failure:
        raise RateError(f"{error} cannot be read from the store: {failure}") from failure
    length = length_of(chosen, along) if length is None else length
    return fit_rate(errors, abscissa, over=over or None, status=flags, length=length, **options)


def length_of(ds: xr.Dataset, along: str) -> float | xr.DataArray:
    """Give what radii are measured in: the Burgers vector's length, where a store knows that of every dislocation.

    Parameters
    ----------
    ds
        A store, or a part of one.
    along
        Name of the abscissa.

    Returns
    -------
    float or xarray.DataArray
        Å: over the dislocations, or of the one that was selected. 1 where it is not known, or for other abscissae.

    Examples
    --------
    >>> ds = xr.Dataset({"burgers_length": ("dislocation", [2.74, 2.74])}, {"dislocation": ["screw", "edge"]})
    >>> length_of(ds, "simulation_radius").values.tolist(), length_of(ds, "degree")
    ([2.74, 2.74], 1.0)
    >>> length_of(ds.isel(dislocation=0), "domain_radius")
    2.74
    """
    if along not in RADII or BURGERS not in ds or not bool(ds[BURGERS].notnull().all()):
        return 1.0
    lengths = ds[BURGERS].compute()
    return lengths if lengths.ndim else float(lengths)


def _variable(ds: xr.Dataset, name: str) -> xr.DataArray:
    if name not in ds.data_vars:
        known = sorted(str(other) for other in ds.data_vars if ds[other].dtype.kind == "f")
        dims = ", ".join(map(str, ds.dims))
        if near := get_close_matches(name, [*known, *map(str, ds.dims)], n=1):
            raise RateError(f"the store has no {name!r}; did you mean {near[0]}?")
        raise RateError(
            f"the store has no {name!r}; its dimensions are {dims}, its variables {', '.join(known)}"
        )
    return ds[name]


def _status_name(variable: str) -> str | None:
    """Name the variable that says which points of another are measurements; what a fit alone gives needs none."""
    if variable.startswith(TRUNCATION):
        return f"{TRUNCATION}status"
    known = VARIABLE_OF.get(variable)
    return None if known is not None and known.source is Source.block else "status"


def _selected(ds: xr.Dataset, select: Mapping[str, str]) -> xr.Dataset:
    """Take the labels named in text."""
    positions = {}
    for name, text in select.items():
        if name not in ds.dims or name not in ds.coords:
            raise RateError(
                f"select {name}={text}: the store has no such dimension; it has {', '.join(map(str, ds.dims))}"
            )
        labels = ds[name].values.tolist()
        matches = [place for place, label in enumerate(labels) if is_meant(label, text)]
        if not matches:
            raise RateError(f"select {name}={text}: {name} has {', '.join(f'{label}' for label in labels)}")
        positions[name] = matches[0]
    return ds.isel(positions)
