"""What a store has measured of an error, laid out for comparisons: what is simulated, how it is fitted, replicas."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sweep.advice.errors import AdviceError
from sweep.rates.points import LEFT_OUT
from sweep.variables import VARIABLE_OF, Source, Status, Trust

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Labels: TypeAlias = dict[str, Any]

DISLOCATION, RADIUS, REPLICA = "dislocation", "simulation_radius", "replica"
WEIGHT = "weight_"
#: Says of every estimate whether it may be believed, in stores that have asked.
TRUSTED = "estimate_trusted"
#: What a point costs: atoms to label, functions to evaluate.
COSTS = ("labelled_atoms", "basis_size")


@dataclass(frozen=True)
class Trials:
    """Logarithms of errors, over (dislocation, simulation_radius, recipe, weighting, replica).

    A recipe is one choice along every dimension that is neither what is simulated, nor a weight, nor the replica:
    degree, domain_radius, n_train, and whatever else the store has. A dimension that the store lacks has length 1.

    Parameters
    ----------
    error, units
        Name and unit of the error.
    log_error : (dislocations, radii, recipes, weightings, replicas) ndarray
        NaN where there is no measurement.
    barred : ndarray of bool of the same shape
        Points that were tried and gave no measurement: unconverged, in another minimum, failed, or not trusted.
    partial : (dislocations, radii, recipes, weightings) ndarray of bool
        Points some of whose replicas are estimated and not relaxed. Which replicas a study relaxes may depend on how
        good they look, so the others say nothing of the typical error: `log_error` is NaN there.
    labelled_atoms, basis_size : (dislocations, recipes) ndarray
        What they cost; NaN where unknown.
    axes
        Labels along each dimension of the grid, in the order of the arrays; those not in the store are not in it.
    """

    error: str
    units: str
    log_error: Floats
    barred: Bools
    partial: Bools
    labelled_atoms: Floats
    basis_size: Floats
    axes: Mapping[str, NDArray[Any]]

    @property
    def recipe_dims(self) -> tuple[str, ...]:
        """Names of the dimensions of a recipe."""
        others = (DISLOCATION, RADIUS, REPLICA)
        return tuple(name for name in self.axes if name not in others and not name.startswith(WEIGHT))

    @property
    def weight_dims(self) -> tuple[str, ...]:
        """Names of the weights."""
        return tuple(name for name in self.axes if name.startswith(WEIGHT))

    @property
    def slice_dims(self) -> tuple[str, ...]:
        """Names of the dimensions that a weighting has nothing to do with, replicas apart."""
        return tuple(name for name in (DISLOCATION, RADIUS) if name in self.axes) + self.recipe_dims

    def recipe(self, index: int) -> Labels:
        """Give the labels of a recipe."""
        return self._labels(self.recipe_dims, index)

    def weighting(self, index: int) -> Labels:
        """Give the weights of a weighting."""
        return self._labels(self.weight_dims, index)

    def simulated(self, dislocation: int, radius: int) -> Labels:
        """Give the labels of what is simulated."""
        places = {DISLOCATION: dislocation, RADIUS: radius}
        return {name: _plain(self.axes[name][place]) for name, place in places.items() if name in self.axes}

    def weights(self, name: str) -> Floats:
        """Give one weight of every weighting."""
        shape = tuple(len(self.axes[dim]) for dim in self.weight_dims)
        places = np.indices(shape)[self.weight_dims.index(name)].ravel()
        weights: Floats = np.asarray(self.axes[name], dtype=float)[places]
        return weights

    def _labels(self, dims: tuple[str, ...], index: int) -> Labels:
        places = np.unravel_index(index, tuple(len(self.axes[name]) for name in dims)) if dims else ()
        return {name: _plain(self.axes[name][place]) for name, place in zip(dims, places, strict=True)}


def trials_of(ds: xr.Dataset, error: str) -> Trials:
    """Read what a store has measured of an error.

    Parameters
    ----------
    ds
        A store, or a part of one.
    error
        Name of a variable over the dimensions of ``status``.

    Raises
    ------
    AdviceError
        If there is no such variable, it has other dimensions or values below zero, or the data cannot be read.
    """
    names = _needed(ds, error)
    try:
        found = ds[names].compute()
    # what a damaged chunk raises is the codec's affair
    except (RuntimeError, ValueError, OSError) as failure:
        raise AdviceError(f"{error} cannot be read from the store: {failure}") from failure
    dims = tuple(map(str, found["status"].dims))
    recipes = [name for name in dims if name not in (DISLOCATION, RADIUS, REPLICA) and not _is_weight(name)]
    groups = [[DISLOCATION], [RADIUS], recipes, [name for name in dims if _is_weight(name)], [REPLICA]]
    present = [[name for name in group if name in dims] for group in groups]
    order = [name for group in present for name in group]
    shape = tuple(math.prod(found.sizes[name] for name in group) for group in present)

    def laid_out(name: str) -> np.ndarray:
        return found[name].transpose(*order).values.reshape(shape)

    values = laid_out(error).astype(float)
    if (values < 0).any():
        raise AdviceError(
            f"{error} has values below 0; name one that is an error's size, such as energy_error"
        )
    barred = _barred(found, error, laid_out)
    partial = _partial(error, values, laid_out)
    known = np.isfinite(values) & (values > 0) & ~barred & ~partial[..., None]
    return Trials(
        error=error,
        units=str(found[error].attrs.get("units", "1")),
        log_error=np.log(np.where(known, values, 1.0), where=known, out=np.full(shape, np.nan)),
        barred=barred,
        partial=partial,
        **{name: _cost(found, name, laid_out, shape) for name in COSTS},
        axes={name: _axis(found, name) for name in order},
    )


def _needed(ds: xr.Dataset, error: str) -> list[str]:
    """Name the variables that are read, having looked whether the error can be advised on."""
    if "status" not in ds:
        raise AdviceError(
            "no variable 'status': this is no store of Farfield's, or a part without its points"
        )
    if error not in ds.data_vars:
        known = sorted(str(name) for name in ds.data_vars if set(ds[name].dims) == set(ds["status"].dims))
        raise AdviceError(f"the store has no {error!r}; over its points it has {', '.join(known)}")
    if extra := [str(name) for name in ds[error].dims if name not in ds["status"].dims]:
        label = ds[extra[0]].values.tolist()[-1] if extra[0] in ds.coords else 0
        raise AdviceError(
            f"{error} varies with {', '.join(extra)} too: select one, such as {extra[0]}={label}"
        )
    if missing := [str(name) for name in ds["status"].dims if name not in ds[error].dims]:
        raise AdviceError(f"{error} does not vary with {', '.join(missing)}: no error of single points")
    further = [TRUSTED] if _is_estimate(error) and TRUSTED in ds else []
    return [error, "status", *(name for name in COSTS if name in ds), *further]


def _barred(found: xr.Dataset, error: str, laid_out: Any) -> Bools:
    """Say which points were tried and gave no measurement."""
    if _is_estimate(error) and TRUSTED in found:
        return np.asarray(laid_out(TRUSTED) == Trust.distrusted)
    if _from_fit(error):
        return np.zeros(laid_out("status").shape, dtype=bool)
    return np.isin(laid_out("status"), [int(status) for status in LEFT_OUT])


def _partial(error: str, values: Floats, laid_out: Any) -> Bools:
    """Say which points have replicas that a relaxation was not spent on, beside others that it was."""
    if _from_fit(error):
        return np.zeros(values.shape[:-1], dtype=bool)
    unasked = np.isnan(values) & np.isin(laid_out("status"), [Status.estimated, Status.not_asked])
    return np.asarray(unasked.any(axis=-1) & ~unasked.all(axis=-1))


def _from_fit(error: str) -> bool:
    """Say whether a fit alone gives the error, whatever became of the relaxation."""
    variable = VARIABLE_OF.get(error)
    return variable is not None and variable.source is Source.block


def _is_estimate(error: str) -> bool:
    return error.endswith("_estimate")


def _is_weight(name: str) -> bool:
    return name.startswith(WEIGHT)


def _cost(found: xr.Dataset, name: str, laid_out: Any, shape: tuple[int, ...]) -> Floats:
    """Give the cost of each recipe for each dislocation: the largest, where replicas differ."""
    if name not in found:
        return np.full((shape[0], shape[2]), np.nan)
    values = np.where(np.isfinite(laid_out(name)), laid_out(name), -np.inf)
    most = values.max(axis=(1, 3, 4))
    return np.where(most > 0, most, np.nan)


def _axis(found: xr.Dataset, name: str) -> NDArray[Any]:
    return found[name].values if name in found.coords else np.arange(found.sizes[name])


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label
