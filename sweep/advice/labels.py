"""Labels of dimensions, named in text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import xarray as xr

from sweep.advice.errors import AdviceError
from sweep.grid.labels import is_meant
from sweep.store.layout import shortened


def labels_in(texts: Iterable[str]) -> dict[str, str]:
    """Read each NAME=LABEL.

    Raises
    ------
    AdviceError
        If one is of another form.

    Examples
    --------
    >>> labels_in(["degree=12", "dislocation=screw"])
    {'degree': '12', 'dislocation': 'screw'}
    """
    labels = {}
    for text in texts:
        name, _, label = (part.strip() for part in text.partition("="))
        if not (name and label):
            raise AdviceError(f"select {text!r}: give NAME=LABEL, such as dislocation=screw")
        labels[name] = label
    return labels


def part_of(ds: xr.Dataset, labels: Mapping[str, str]) -> xr.Dataset:
    """Take the part of a store at some labels.

    Raises
    ------
    AdviceError
        If a dimension or a label is unknown; it lists those that there are.
    """
    places = {}
    for name, text in labels.items():
        if name not in ds.dims or name not in ds.coords:
            dims = ", ".join(map(str, ds.dims))
            raise AdviceError(f"select {name}={text}: the store has no such dimension; it has {dims}")
        known = ds[name].values.tolist()
        matches = [place for place, label in enumerate(known) if is_meant(label, text)]
        if not matches:
            raise AdviceError(f"select {name}={text}: {name} has {shortened(known)}")
        places[name] = matches[0]
    return ds.isel(places)
