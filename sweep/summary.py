"""A finished study in two tables: the medians of its errors by virial weight, and the truncation errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from rich.table import Table

from sweep.variables import Status

#: Column heading, and how it is read off the store.
COLUMNS: tuple[tuple[str, Callable[[xr.Dataset], xr.DataArray]], ...] = (
    ("force RMSE\n(core) eV/Å", lambda ds: ds["rmse_forces"].sel(config_kind="core")),
    ("√far-field\nmismatch Å", lambda ds: ds["far_field_mismatch"] ** 0.5),
    ("geometry\nerror Å", lambda ds: _of_relaxed(ds, "geometry_error")),
    ("energy\nerror eV", lambda ds: _of_relaxed(ds, "energy_error")),
)


def _of_relaxed(dataset: xr.Dataset, name: str) -> xr.DataArray:
    return dataset[name].where(dataset["status"] == Status.relaxed)


def medians(dataset: xr.Dataset) -> dict[float, tuple[int, tuple[float, ...]]]:
    """Medians of the errors over everything but the virial weight.

    Parameters
    ----------
    dataset
        A store, as `sweep.open_store` gives it.

    Returns
    -------
    dict
        By virial weight: number of relaxed points, and the median of each of `COLUMNS`: of what is known of a fit
        over all of them, of errors over the relaxed points. NaN where there is none.
    """
    relaxed = dataset["status"] == Status.relaxed
    table = {}
    for weight in dataset["weight_virial"].values:
        chosen = dataset.sel(weight_virial=weight)
        values = tuple(_median(column(chosen)) for _, column in COLUMNS)
        table[float(weight)] = (int(relaxed.sel(weight_virial=weight).sum()), values)
    return table


def _median(column: xr.DataArray) -> float:
    # not nanmedian, which warns where there is no number at all
    numbers = column.values[np.isfinite(column.values)]
    return float(np.median(numbers)) if numbers.size else math.nan


def summary_table(dataset: xr.Dataset) -> Table:
    """Give the medians as a table for a terminal."""
    table = Table(title="medians by virial weight", title_justify="left")
    for heading in ("virial\nweight", "points\nrelaxed", *(name for name, _ in COLUMNS)):
        table.add_column(heading, justify="right")
    for weight, (count, values) in medians(dataset).items():
        table.add_row(f"{weight:g}", str(count), *(f"{value:.4g}" for value in values))
    return table


def truncation_table(dataset: xr.Dataset) -> Table:
    """Give the reference's truncation errors as a table for a terminal: a row for each dislocation and radius."""
    table = Table(title="truncation errors of the reference", title_justify="left")
    for heading in ("dislocation", "radius Å", "geometry\nerror Å", "energy\nerror eV", "status"):
        table.add_column(heading, justify="right")
    for dislocation in dataset["dislocation"].values:
        for radius in dataset["simulation_radius"].values:
            cell = dataset.sel(dislocation=dislocation, simulation_radius=radius)
            errors = (cell[f"truncation_{kind}_error"].item() for kind in ("geometry", "energy"))
            status = Status(cell["truncation_status"].item()).name
            table.add_row(str(dislocation), f"{radius:g}", *(f"{error:.4g}" for error in errors), status)
    return table


def material_line(material: Mapping[str, Any]) -> str:
    """Say what crystal the reference makes, as `kernels.materials.bulk_properties` measured it.

    Examples
    --------
    >>> measured = {"structure": "bcc", "element": "W", "lattice_constant": 3.1803, "C11": 523.0, "C12": 203.2}
    >>> material_line({**measured, "C44": 160.9})
    'the reference: bcc W, lattice constant 3.1803 Å; C11 523.0 GPa, C12 203.2 GPa, C44 160.9 GPa'
    """
    elastic = ", ".join(f"{name} {float(material[name]):.1f} GPa" for name in ("C11", "C12", "C44"))
    crystal = f"{material['structure']} {material['element']}"
    return (
        f"the reference: {crystal}, lattice constant {float(material['lattice_constant']):.4f} Å; {elastic}"
    )


def any_lost(dataset: xr.Dataset, *, fitting: bool) -> bool:
    """Whether, after a whole run, a point or a cylinder's truncation errors failed, or a point has no record at all."""
    # a record that fits nowhere in the store leaves its points pending
    lost = fitting and bool((dataset["status"] == Status.pending).any())
    return lost or any(
        bool((dataset[name] == Status.failed).any()) for name in ("status", "truncation_status")
    )


def saddles(dataset: xr.Dataset) -> tuple[int, int]:
    """Count the relaxed points, and those of them whose fit does not keep the reference's core: it is a saddle."""
    relaxed = dataset["status"] == Status.relaxed
    unstable = relaxed & (dataset["relative_stiffness"] < 0)
    return int(relaxed.sum()), int(unstable.sum())


def status_counts(dataset: xr.Dataset) -> dict[str, int]:
    """Count the points of each status that occurs."""
    numbers, counts = np.unique(dataset["status"].values, return_counts=True)
    return {Status(int(number)).name: int(count) for number, count in zip(numbers, counts, strict=True)}
