"""How good linear-response estimates have been: against every point of a store that was relaxed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from rich.table import Table

from sweep.variables import Status, Trust

#: Effectivities within these are good enough to rank fits by.
GOOD = (0.8, 1.25)
# Shares of the points below and above which the range leaves out.
TAILS = (5.0, 95.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """Median of some values, and the range of all but a twentieth of them at each end; NaN of none.

    Parameters
    ----------
    count
        How many there are.
    median, low, high
        Of them.
    """

    count: int
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Floats) -> Spread:
        """Summarise the finite ones of some values.

        Examples
        --------
        >>> Spread.of(np.array([1.0, 3.0, np.nan, 2.0])).median
        2.0
        """
        known = values[np.isfinite(values)]
        if not known.size:
            return cls(0, math.nan, math.nan, math.nan)
        low, median, high = np.percentile(known, [TAILS[0], 50.0, TAILS[1]])
        return cls(known.size, float(median), float(low), float(high))

    @property
    def good(self) -> bool:
        """Whether the range lies within `GOOD`."""
        return GOOD[0] <= self.low and self.high <= GOOD[1]


@dataclass(frozen=True)
class Effectivity:
    """Effectivities at one dislocation and degree.

    Parameters
    ----------
    dislocation, degree
        Where.
    geometry
        Estimated over relaxed geometry error, of every relaxed point.
    trusted
        The same of those whose estimate was trusted beforehand.
    continued
        Estimated geometry error over that of the core that continues the reference's: the saddle's where that core is
        one. What linear response speaks of; what a user gets is the minimum's.
    energy
        Error of the energy estimate over the sum of its two parts' sizes: the signed energy crosses zero.
    elsewhere
        Number of points that ended in another minimum: never averaged into an effectivity.
    """

    dislocation: str
    degree: int
    geometry: Spread
    trusted: Spread
    continued: Spread
    energy: Spread
    elsewhere: int


def effectivities(dataset: xr.Dataset) -> list[Effectivity]:
    """Compare estimates with relaxed errors for each dislocation and degree.

    Parameters
    ----------
    dataset
        A store, as `sweep.open_store` gives it.

    Returns
    -------
    list of Effectivity
        In the store's order; those without a relaxed point are left out.

    Notes
    -----
    theory.md, "The linear-response estimate".
    """
    names = (
        "status",
        "effectivity",
        "estimate_trusted",
        "geometry_estimate",
        "geometry_error",
        "saddle_geometry_error",
        "energy_estimate",
        "energy_estimate_affine",
        "energy_difference",
    )
    wanted = dataset[list(names)]
    found = [
        _effectivity(wanted.sel(dislocation=dislocation, degree=degree))
        for dislocation in dataset["dislocation"].values
        for degree in dataset["degree"].values
    ]
    return [each for each in found if each.geometry.count or each.elsewhere]


def _effectivity(cell: xr.Dataset) -> Effectivity:
    values = {str(name): np.asarray(cell[name].values).ravel() for name in cell.data_vars}
    relaxed = values["status"] == Status.relaxed
    shown = {name: array[relaxed] for name, array in values.items()}
    ratio = shown["effectivity"]
    saddle = shown["saddle_geometry_error"]
    continued = np.where(np.isfinite(saddle), saddle, shown["geometry_error"])
    return Effectivity(
        str(cell["dislocation"].item()),
        int(cell["degree"].item()),
        Spread.of(ratio),
        Spread.of(ratio[shown["estimate_trusted"] == Trust.trusted]),
        Spread.of(_ratio(shown["geometry_estimate"], continued)),
        Spread.of(energy_misses(shown)),
        int((values["status"] == Status.other_minimum).sum()),
    )


def energy_misses(values: dict[str, Floats]) -> Floats:
    """Error of energy estimates over the sum of their two parts' sizes.

    Parameters
    ----------
    values
        ``energy_estimate``, ``energy_estimate_affine`` and ``energy_difference`` (eV) of the same points.

    Returns
    -------
    ndarray
        |estimate − difference| / (|affine part| + |quadratic part|), NaN where something is not known.
    """
    estimate, affine = values["energy_estimate"], values["energy_estimate_affine"]
    parts = np.abs(affine) + np.abs(affine - estimate)
    return _ratio(np.abs(estimate - values["energy_difference"]), parts)


def _ratio(above: Floats, below: Floats) -> Floats:
    known = np.isfinite(above) & np.isfinite(below) & (below > 0)
    return np.asarray(np.divide(above, below, out=np.full_like(below, np.nan), where=known), dtype=float)


def effectivity_table(found: list[Effectivity]) -> Table:
    """Give effectivities as a table for a terminal: medians, with the range from the 5th to the 95th percentile."""
    table = Table(title="estimated over relaxed geometry error", title_justify="left")
    for heading in ("dislocation", "degree", "of"):
        table.add_column(heading)
    for heading in ("points", "median", "5–95 %"):
        table.add_column(heading, justify="right")
    for each in found:
        of_each = {
            "relaxed points": each.geometry,
            "trusted ones": each.trusted,
            "continued core": each.continued,
            "energy: miss": each.energy,
        }
        for number, (what, spread) in enumerate(of_each.items()):
            where = ("", "") if number else (each.dislocation, str(each.degree))
            ends = f"{spread.low:.2f}–{spread.high:.2f}" if spread.count else ""
            median = f"{spread.median:.2f}" if spread.count else ""
            table.add_row(*where, what, str(spread.count), median, ends)
        if each.elsewhere:
            table.add_row("", "", "other minimum", str(each.elsewhere), "", "")
    return table


def warnings_of(found: list[Effectivity]) -> list[str]:
    """Say, a line a slice, where the effectivity's range leaves `GOOD`, and whether trust would have told."""
    lines = []
    for each in found:
        if each.geometry.count == 0 or each.geometry.good:
            continue
        where = f"{each.dislocation}, degree {each.degree}"
        lines.append(
            f"{where}: effectivity from {each.geometry.low:.2f} to {each.geometry.high:.2f}, outside "
            f"{GOOD[0]}–{GOOD[1]}: {_advice(each)}"
        )
    return lines


def _advice(each: Effectivity) -> str:
    if not each.trusted.count:
        return "no estimate of it was trusted; relax what you conclude from"
    if each.trusted.good:
        return "those that were trusted are within; rely on estimate_trusted"
    return "those that were trusted are not within either; relax what you conclude from"
