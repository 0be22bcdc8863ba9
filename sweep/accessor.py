"""The accessor `ds.sweep`: what an analyst asks of a store, on any dataset that xarray opened."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sweep.grid import DIMENSIONS
from sweep.needed import need
from sweep.variables import CYLINDER_VARIABLES, VARIABLE_OF, Source

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sweep.advice import Advice


#: Of what is known of cylinders and dislocations, whatever is fitted: the dimensions of the grid that it has.
_OF_CYLINDERS = {
    "burgers_length": ("dislocation",),
    **{variable.name: ("dislocation", "simulation_radius") for variable in CYLINDER_VARIABLES},
}


class UnitsMissingError(ImportError):
    """Units were asked for where pint-xarray is not installed."""


@xr.register_dataset_accessor("sweep")  # type: ignore[no-untyped-call]
class SweepAccessor:
    """What a store says: usable points, rates, hypotheses, advice, figures.

    On a dataset as `sweep.open_store` or `xarray.open_zarr` gives it, or a part of one. Registered by ``import
    sweep``. What is lazy stays lazy until something is asked that needs numbers.

    Parameters
    ----------
    ds
        The dataset.

    Examples
    --------
    >>> radius = xr.DataArray([6.0, 8.0, 10.0, 12.0], dims="domain_radius")
    >>> ds = xr.Dataset({"geometry_error": 0.6 / radius**2}, {"domain_radius": radius})
    >>> ds["status"] = ("domain_radius", np.array([2, 2, 2, 4], dtype="uint8"))
    >>> ds.sweep.ok().geometry_error.notnull().values.tolist()
    [True, True, True, False]
    >>> fit = ds.sweep.rate("geometry_error", "domain_radius")
    >>> round(float(fit.rate), 2), fit.reason.item()[-36:]
    (2.0, 'nt; points left out: 1 other_minimum')
    """

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    def usable(self, error: str = "geometry_error") -> xr.DataArray:
        """Say which points have a usable value of an error, as rates and advice do.

        Parameters
        ----------
        error
            Name of a variable.

        Returns
        -------
        xarray.DataArray
            Boolean: finite, above zero, and, unless a fit alone gives it, of a point that is neither failed nor
            unconverged nor in another minimum.

        Raises
        ------
        sweep.needed.VariableMissingError
            A KeyError, if there is no such variable, or no status of its points.
        """
        from sweep.rates.points import LEFT_OUT

        need(self._ds, [error], "usable points")
        values = self._ds[error]
        good = (values > 0) & (values < np.inf)
        variable = VARIABLE_OF.get(error)
        if variable is None or variable.source is not Source.block:
            status = "truncation_status" if error.startswith("truncation_") else "status"
            need(self._ds, [status], f"usable points of {error}")
            good &= ~self._ds[status].isin([int(flag) for flag in LEFT_OUT])
        return good.rename("usable").assign_attrs(long_name=f"whether {error} is usable", units="1")

    def ok(self, error: str = "geometry_error") -> xr.Dataset:
        """Keep the points with a usable error, as `usable` says; the numbers at all others are NaN.

        Flags, such as ``status``, and what does not vary over the points stay as they are. Raises as `usable`.
        """
        need(self._ds, ["status"], "usable points")
        dims = set(self._ds["status"].dims)
        usable = self.usable(error)
        # of an error with several values a point, such as those of bulk and core, all are to be usable
        usable = usable.all([name for name in usable.dims if name not in dims])
        kept = {
            name: values.where(usable).assign_attrs(values.attrs)
            for name, values in self._ds.data_vars.items()
            if values.dtype.kind == "f" and dims <= set(values.dims)
        }
        return self._ds.assign(kept)

    def rate(self, error: str, along: str, **options: Any) -> xr.Dataset:
        """Fit the rate at which an error falls along a dimension or another variable.

        Parameters
        ----------
        error, along, **options
            As `sweep.rates.of_store.rate_of` takes them.
        """
        from sweep.rates.of_store import rate_of

        return rate_of(self._ds, error, along, **options)

    def hypotheses(self) -> dict[str, xr.Dataset]:
        """Test the hypotheses of the case study: as `sweep.hypotheses.examine`."""
        from sweep.hypotheses import examine

        return examine(self._whole())

    def advise(self, tolerance: float, error: str = "geometry_error", **options: Any) -> Advice:
        """Say how to reach an error, how to weight, and what to observe.

        Parameters
        ----------
        tolerance, error, **options
            As `sweep.advice.advise` takes them.
        """
        from sweep.advice import advise

        return advise(self._ds, tolerance, error, **options)

    def quantify(self) -> xr.Dataset:
        """Give the variables as quantities with units, by pint-xarray; flags and labels stay numbers.

        Raises
        ------
        UnitsMissingError
            If pint-xarray is not installed.
        """
        try:
            registry = importlib.import_module("pint_xarray").unit_registry
        except ImportError as error:
            raise UnitsMissingError("units need pint-xarray: pip install pint-xarray") from error
        if "atom" not in registry:
            registry.define("atom = count")
        units = {}
        plain = self._ds.copy()
        for name, values in self._ds.variables.items():
            unit = values.attrs.get("units")
            if unit is None:
                continue
            plain[name].attrs = {key: value for key, value in values.attrs.items() if key != "units"}
            if name in self._ds.data_vars and values.dtype.kind == "f":
                units[name] = "dimensionless" if unit == "1" else unit
        quantities: xr.Dataset = plain.pint.quantify(units, unit_registry=registry)
        return quantities.assign_coords(
            {name: quantities[name].assign_attrs(self._ds[name].attrs) for name in self._ds.coords}
        )

    @property
    def plot(self) -> StorePlots:
        """Figures of the store."""
        return StorePlots(self._whole())

    def _whole(self) -> xr.Dataset:
        """Give back to a part of a store the dimensions along which one label was selected."""
        missing = [name for name in DIMENSIONS if name in self._ds.coords and name not in self._ds.dims]
        if not missing:
            return self._ds
        need(self._ds, ["status"], "a part of a store")
        points = set(self._ds["status"].dims)
        over_points = [name for name in self._ds.data_vars if points <= set(self._ds[name].dims)]
        whole = self._ds[over_points].expand_dims(missing)
        # what has other dimensions never had these, but for those of a cylinder
        for name in set(self._ds.data_vars) - set(over_points):
            had = [dim for dim in _OF_CYLINDERS.get(str(name), ()) if dim in missing]
            lost = [dim for dim in missing if dim not in had]
            whole[name] = self._ds[name].drop_vars(lost, errors="ignore").expand_dims(had)
        return whole


class StorePlots:
    """Figures of a store, each as `sweep.figures` draws it.

    Parameters
    ----------
    ds
        The store.
    """

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    def error(self, error: str = "geometry_error", along: str = "domain_radius", **options: Any) -> Figure:
        """Draw an error along an axis, by weighting, with fitted rates: as `sweep.figures.error_along`."""
        from sweep.figures import error_along

        return error_along(self._ds, error, along, **options)
