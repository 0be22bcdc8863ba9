"""Words for axes and legends, from the store's own attributes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

# Words that a name alone would say badly.
_NAMES = {"n_train": "training configurations", "dislocation": ""}


def unit_of(array: xr.DataArray) -> str:
    """Give the unit of a variable as a page prints it; empty where there is none.

    Examples
    --------
    >>> unit_of(xr.DataArray(0.1, attrs={"units": "eV/angstrom"}))
    'eV/Å'
    >>> unit_of(xr.DataArray(0.1, attrs={"units": "1"}))
    ''
    """
    unit = str(array.attrs.get("units", "1"))
    return "" if unit == "1" else unit.replace("angstrom", "Å").replace("^2", "²")


def axis_label(array: xr.DataArray) -> str:
    """Give an axis's label: what is drawn, and its unit.

    Examples
    --------
    >>> axis_label(xr.DataArray(0.1, attrs={"units": "angstrom", "long_name": "geometry error"}))
    'geometry error (Å)'
    """
    unit = unit_of(array)
    return f"{array.attrs.get('long_name', words(str(array.name)))}{f' ({unit})' if unit else ''}"


def words(name: str) -> str:
    """Write a variable's or a dimension's name in words.

    Examples
    --------
    >>> words("weight_virial"), words("domain_radius"), words("rmse_forces")
    ('virial weight', 'domain radius', 'force RMSE')
    """
    if name in _NAMES:
        return _NAMES[name]
    if name.startswith("weight_"):
        return f"{name.removeprefix('weight_').replace('_', ' ')} weight"
    if name.startswith("rmse_"):
        return f"{name.removeprefix('rmse_').removesuffix('s')} RMSE"
    return name.replace("_", " ")


def number(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits, and a true minus sign.

    Examples
    --------
    >>> number(0.012345), number(-2.0), number(1234567.0)
    ('0.0123', '−2', '1.23e+06')
    """
    return f"{float(value):.{digits}g}".replace("-", "−")


def sentence(text: str) -> str:
    """Begin with a capital, and leave the rest as it is.

    Examples
    --------
    >>> sentence("force RMSE")
    'Force RMSE'
    """
    return text[:1].upper() + text[1:]


def place(name: str, label: Any, unit: str = "") -> str:
    """Write one label of a dimension.

    Examples
    --------
    >>> place("domain_radius", 6.0, "Å"), place("dislocation", "screw")
    ('domain radius 6 Å', 'screw')
    """
    text = f"{label:g}" if isinstance(label, (int, float, np.number)) else f"{label}"
    return " ".join(part for part in (words(name), text, unit) if part)


def places(ds: xr.Dataset | xr.DataArray, labels: Mapping[str, Any] | Iterable[str]) -> str:
    """Write labels of several dimensions, units and all.

    Parameters
    ----------
    ds
        Has the dimensions' coordinates.
    labels
        By dimension; or names of coordinates that have one value, which is taken.
    """
    if not isinstance(labels, Mapping):
        labels = {name: ds[name].values.ravel()[0] for name in labels if name in ds.coords}
    return ", ".join(place(name, label, unit_of(ds[name])) for name, label in labels.items())
