"""The curves that rates are fitted to: an error against its abscissa, replica by replica."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sweep.rates.errors import RateError
from sweep.rates.regression import Bools, Floats
from sweep.variables import Status

#: Points with these statuses are no measurements of an error.
LEFT_OUT = (Status.unconverged, Status.other_minimum, Status.failed)

#: Why a point takes no part, in the order in which it is asked.
CAUSES = (
    *(status.name for status in LEFT_OUT),
    "without a value",
    "not above zero",
    "abscissa not above zero",
)


@dataclass(frozen=True)
class Curves:
    """Errors against their abscissa, one curve a lane, the rest of the array's dimensions flattened to lanes.

    Parameters
    ----------
    x, y : (lanes, replicas, points) ndarray
        Abscissa and error, in the order in which a law becomes asymptotic: an axis of the grid from its smallest
        to its largest value, an error from its largest to its smallest.
    usable : (lanes, replicas, points) ndarray of bool
        Points where both are above zero and the status is none of `LEFT_OUT`.
    left_out
        By each of `CAUSES`, how many points of each lane take no part: (lanes,) ndarray of int.
    lanes
        An array with the lanes' dimensions and coordinates.
    along : xarray.DataArray
        The abscissa, for its name and its unit.
    """

    x: Floats
    y: Floats
    usable: Bools
    left_out: Mapping[str, NDArray[np.int64]]
    lanes: xr.DataArray
    along: xr.DataArray

    def __len__(self) -> int:
        return len(self.y)


def curves_of(
    da: xr.DataArray,
    along: str | xr.DataArray,
    *,
    over: str | Sequence[str] | None,
    status: xr.DataArray | None,
    replica: str,
) -> Curves:
    """Bring an array into curves.

    Parameters
    ----------
    da, along, over, status, replica
        As `sweep.fit_rate` takes them.

    Raises
    ------
    RateError
        If the abscissa is no dimension, coordinate or array of numbers; if it does not say which dimensions its
        points are along; or if the arrays' labels differ.
    """
    if da.dtype.kind not in "fiu":
        raise RateError(
            f"{_name(da)} holds {da.dtype}, not real numbers; a rate is that of an error above zero"
        )
    x, dims = _abscissa(da, along, over, replica)
    y, x_all, flags = _aligned(da, x, status)
    lane_dims = [str(name) for name in y.dims if name not in dims and name != replica]
    order = (*lane_dims, *((replica,) if replica in y.dims else ()), *dims)
    shape = [y.sizes[name] for name in lane_dims]
    lanes = int(np.prod(shape, dtype=np.int64))
    replicas = y.sizes.get(replica, 1)
    length = int(np.prod([y.sizes[name] for name in dims], dtype=np.int64))

    def flat(array: xr.DataArray) -> np.ndarray:
        return array.transpose(*order).values.reshape(lanes, replicas, length)

    points, abscissa = flat(y).astype(float), flat(x_all).astype(float)
    usable, left_out = _usable(points, abscissa, None if flags is None else flat(flags))
    if x.dims == dims and x.ndim == 1:
        # one order for all, so that the k-th point is the same value of the abscissa in every curve
        sorting = np.argsort(
            x.values if isinstance(along, str) and along in da.dims else -x.values, kind="stable"
        )
        sorting = np.broadcast_to(sorting, points.shape)
    else:
        sorting = np.argsort(np.where(usable, -abscissa, np.inf), axis=-1, kind="stable")
    points, abscissa = (np.take_along_axis(values, sorting, axis=-1) for values in (points, abscissa))
    usable = np.take_along_axis(usable, sorting, axis=-1)
    kept = {name: y.coords[name] for name in y.coords if set(y.coords[name].dims) <= set(lane_dims)}
    template = xr.DataArray(np.zeros(shape), dims=lane_dims, coords=kept)
    return Curves(abscissa, points, usable, left_out, template, x)


def _abscissa(
    da: xr.DataArray, along: str | xr.DataArray, over: str | Sequence[str] | None, replica: str
) -> tuple[xr.DataArray, tuple[str, ...]]:
    """Find the abscissa, and the dimensions along which its points lie."""
    if isinstance(along, str) and along == replica:
        raise RateError(
            f"along {along!r}: replicas are the sampling unit, not an axis along which an error falls"
        )
    given = () if over is None else ((over,) if isinstance(over, str) else tuple(over))
    if isinstance(along, str):
        if along not in da.coords:
            known = ", ".join(map(str, da.dims))
            raise RateError(
                f"{_name(da)} has no labelled dimension or coordinate {along!r}; it has {known}. An error variable "
                "is given as an array: along=ds.rmse_forces, over=[...]"
            )
        x = da.coords[along]
    else:
        x = along
    if x.dtype.kind not in "fiu":
        raise RateError(
            f"along {_name(x)!r}: its values are no numbers, so that nothing falls like a power of them"
        )
    if isinstance(along, str) and along in da.dims:
        if given and given != (along,):
            raise RateError(
                f"over {', '.join(given)}: points along the dimension {along!r} lie over it alone"
            )
        return x, (along,)
    dims = given or tuple(str(name) for name in x.dims if name != replica)
    if not given and len(dims) != 1:
        raise RateError(
            f"along {_name(x)!r}, which varies with {', '.join(map(str, x.dims)) or 'nothing'}: name with `over` "
            "the dimensions whose points make one curve; every other dimension gets a rate for each of its values"
        )
    if unknown := [name for name in dims if name not in da.dims and name not in x.dims]:
        known = ", ".join(map(str, da.dims))
        raise RateError(f"over {', '.join(unknown)}: {_name(da)} has no such dimension; it has {known}")
    if replica in dims:
        raise RateError(f"over {replica!r}: replicas are the sampling unit; name other dimensions")
    return x, dims


def _aligned(
    da: xr.DataArray, x: xr.DataArray, status: xr.DataArray | None
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray | None]:
    """Give all the same dimensions; their labels must be the same already."""
    arrays = [da, x] if status is None else [da, x, status]
    try:
        arrays = list(xr.broadcast(*xr.align(*arrays, join="exact", copy=False)))
    except ValueError as error:
        raise RateError(f"{_name(da)}, {_name(x)} and status have different labels: {error}") from error
    return arrays[0], arrays[1], (arrays[2] if status is not None else None)


def _usable(y: Floats, x: Floats, status: np.ndarray | None) -> tuple[Bools, dict[str, NDArray[np.int64]]]:
    """Say which points take part, and count those that do not by the first cause that holds."""
    flagged = [np.zeros(y.shape, dtype=bool) if status is None else status == flag for flag in LEFT_OUT]
    holds = [*flagged, ~np.isfinite(y), ~(y > 0), ~(np.isfinite(x) & (x > 0))]
    usable = np.ones(y.shape, dtype=bool)
    counts = {}
    for cause, hold in zip(CAUSES, holds, strict=True):
        counts[cause] = (usable & hold).sum(axis=(-1, -2))
        usable &= ~hold
    return usable, counts


def _name(array: xr.DataArray) -> str:
    return str(array.name or "the array")
