"""Which of many weightings a figure draws: a line of them through the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from sweep.figures.labels import place
from sweep.figures.slices import weight_dims

VIRIAL = "weight_virial"


@dataclass(frozen=True)
class WeightLine:
    """Weightings that differ in one weight, the others being those of the best.

    Parameters
    ----------
    along
        The dimension of the weight that varies; empty where none does.
    positions
        Places along it, in increasing order of the weight.
    fixed
        Place along every other dimension of the weights.
    """

    along: str
    positions: tuple[int, ...]
    fixed: Mapping[str, int]

    def choose(self, values: xr.DataArray) -> xr.DataArray:
        """Take the line out of an array over the weights."""
        chosen = values.isel({name: at for name, at in self.fixed.items() if name in values.dims})
        return (
            chosen.isel({self.along: list(self.positions)}) if self.along else chosen.expand_dims("weighting")
        )

    @property
    def dim(self) -> str:
        """Name the line's dimension in what `choose` gives."""
        return self.along or "weighting"

    def names(self, values: xr.DataArray) -> list[str]:
        """Name each weighting by the weight that varies."""
        if not self.along:
            return [""]
        return [place(self.along, values[self.along].values[at]) for at in self.positions]

    def note(self, values: xr.DataArray) -> str:
        """Say which weights are fixed where they could be others."""
        several = {name: at for name, at in self.fixed.items() if values.sizes.get(name, 1) > 1}
        named = [place(name, values[name].values[at]) for name, at in several.items()]
        return f"at {', '.join(named)}, where the median error is lowest" if named else ""


def weight_line(values: xr.DataArray, most: int = 5) -> WeightLine:
    """Choose the weightings to draw: along the virial weight, through the weighting of the lowest median error.

    Parameters
    ----------
    values
        The errors, over the weights and anything else; NaN where there are none.
    most
        How many weightings; the smallest weight, the largest and the best are among them.
    """
    dims = weight_dims(values)
    best = best_weighting(values)
    several = [name for name in dims if values.sizes[name] > 1]
    if not several:
        return WeightLine("", (0,), dict.fromkeys(dims, 0))
    along = VIRIAL if VIRIAL in several else max(several, key=lambda name: values.sizes[name])
    order = np.argsort(values[along].values)
    ranks = {0, len(order) - 1, int(np.flatnonzero(order == best[along])[0])}
    for rank in np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int).tolist():
        if len(ranks) < most:
            ranks.add(rank)
    positions = tuple(int(order[rank]) for rank in sorted(ranks))
    return WeightLine(along, positions, {name: best[name] for name in dims if name != along})


def best_weighting(values: xr.DataArray) -> dict[str, int]:
    """Find the weighting whose errors' median is the lowest; those with the most values are preferred.

    Returns
    -------
    dict
        Place along each dimension of the weights; all 0 where there are no values.
    """
    dims = weight_dims(values)
    if not dims:
        return {}
    lanes = values.transpose(*dims, ...).values.reshape(*(values.sizes[name] for name in dims), -1)
    count = np.isfinite(lanes).sum(axis=-1)
    # a weighting with gaps may be low for having no value where errors are large
    full = count >= 0.9 * max(1, int(count.max()))
    filled = np.sort(np.where(np.isfinite(lanes), lanes, np.inf), axis=-1)
    middle = np.take_along_axis(filled, np.maximum(count - 1, 0)[..., None] // 2, axis=-1)[..., 0]
    found = np.unravel_index(int(np.argmin(np.where(full & (count > 0), middle, np.inf))), count.shape)
    return {name: int(at) for name, at in zip(dims, found, strict=True)}


def with_virials(ds: xr.Dataset) -> xr.DataArray | None:
    """Say which weightings see virials; None where the store has no such weight."""
    return ds[VIRIAL] > 0 if VIRIAL in ds.coords else None
