"""The strain error over the distance from the line, with and without virials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweep.figures.errors import FigureError
from sweep.figures.labels import axis_label, number, places, unit_of
from sweep.figures.replicas import REPLICA, interval_words, median_interval
from sweep.figures.slices import (
    DISLOCATION,
    fixed_labels,
    fullest_slice,
    known,
    measured,
    require,
    selected,
)
from sweep.figures.style import (
    COLOURS,
    MARKERS,
    Picture,
    drawing,
    footnote,
    logarithmic_ordinate,
    panels,
    wrapped,
)
from sweep.figures.weightings import weight_line

PROFILE, MISMATCH, ERROR = "strain_error_profile", "far_field_mismatch", "geometry_error"
#: What stands for profile and error where nothing was relaxed.
ESTIMATED_PROFILE, ESTIMATE = "strain_error_profile_estimate", "geometry_estimate"
BIN, RADIUS = "radial_bin", "simulation_radius"


def strain_profile(ds: xr.Dataset, *, select: Mapping[str, Any] | None = None) -> Figure:
    """Draw the part of the geometry error in each bin of distance from the line, by weighting.

    A panel for each dislocation. Marks are medians over replicas, bars their intervals. A dotted line is what the
    mismatch s of the far fields alone gives a bin from r1 to r2: √(s ln(r2/r1)), without a free parameter; sites, and
    so the last bin, end at the simulated radius. Where nothing was relaxed, linear-response estimates are drawn.

    Parameters
    ----------
    ds
        A store, as `sweep.open_store` or `xarray.open_zarr` gives it.
    select
        Labels by dimension, to draw those.

    Raises
    ------
    FigureError
        If the store has no profile, or no point with one.

    References
    ----------
    theory.md, *Why virials matter*.
    """
    return picture_of_profile(ds, select=select).figure


def picture_of_profile(ds: xr.Dataset, *, select: Mapping[str, Any] | None = None) -> Picture:
    """Draw what `strain_profile` draws, with its description."""
    estimated = ESTIMATED_PROFILE in ds and not bool(known(ds, PROFILE).any())
    profile, error = (ESTIMATED_PROFILE, ESTIMATE) if estimated else (PROFILE, ERROR)
    require(ds, profile, error, "radial_bin_lower", "radial_bin_upper")
    ds = fullest_slice(selected(ds, select), profile, [])
    # the weightings first, by a variable without bins: profiles are the largest that a store has
    line = weight_line(measured(ds, error), most=4)
    chosen = ds[[profile, "status", *([MISMATCH] if MISMATCH in ds else [])]]
    rest = {name: slice(at, at + 1) for name, at in line.fixed.items()}
    chosen = chosen.isel({**rest, **({line.along: list(line.positions)} if line.along else {})})
    profiles = measured(chosen, profile)
    # where nothing moves there is nothing to see: the fixed shell
    reached = (profiles > 0).any([name for name in profiles.dims if name != BIN]).values
    if not reached.any():
        raise FigureError(
            f"every {profile} is 0 or missing in this slice ({places(ds, fixed_labels(ds, profile))})"
        )
    profiles = profiles.isel({BIN: np.flatnonzero(reached)})
    mismatch = measured(chosen, MISMATCH) if MISMATCH in chosen else None
    lane = line.dim if line.along else next(iter(line.fixed))
    with drawing():
        figure, axes = panels(profiles.sizes[DISLOCATION])
        told = []
        for at, axis in enumerate(axes):
            one = profiles.isel({DISLOCATION: at})
            tail = None if mismatch is None else mismatch.isel({DISLOCATION: at})
            told.append(_panel(axis, one, tail, line.names(ds[profile]), lane, _radius(ds)))
            labels = places(ds, fixed_labels(ds, profile))
            axis.set_title(wrapped(", ".join(filter(None, [str(one[DISLOCATION].item()), labels]))))
            what = f"{'estimated ' if estimated else ''}geometry error in bin"
            axis.set_ylabel(axis_label(profiles.assign_attrs(long_name=what)))
        axes[-1].set_xlabel("distance |ℓ| from the dislocation line (Å)")
        counts = (
            profiles.notnull().sum(REPLICA) if REPLICA in profiles.dims else profiles.notnull().astype(int)
        )
        note = "dotted: what the far-field mismatch alone predicts" if mismatch is not None else ""
        footnote(figure, interval_words(counts), line.note(ds[profile]), note)
    title = f"Where the {'estimated ' if estimated else ''}geometry error is"
    return Picture(figure, title, f"{title}, by distance from the line. {' '.join(told)}")


def _radius(ds: xr.Dataset) -> float:
    """Give the radius of the one cylinder that a slice is of (Å), beyond which there are no free sites."""
    return float(ds[RADIUS].values.ravel()[0]) if RADIUS in ds.coords else np.inf


def _panel(
    axis: Axes,
    profiles: xr.DataArray,
    mismatch: xr.DataArray | None,
    names: list[str],
    lane: str,
    radius: float,
) -> str:
    lower, upper = (profiles[f"{BIN}_{end}"].values for end in ("lower", "upper"))
    upper = np.where(lower < radius, np.minimum(upper, radius), upper)
    # in the middle of a bin on a logarithmic axis; the innermost has no such middle
    middle = np.where(lower > 0, np.sqrt(lower * upper), upper / 2)
    rest = [name for name in profiles.dims if name not in (REPLICA, BIN, lane)]
    found = median_interval(profiles.isel(dict.fromkeys(rest, 0)).transpose(lane, ..., BIN))
    told = []
    for at, name in enumerate(names):
        one = found.isel({lane: at})
        median = one["median"].where(one["median"] > 0).values
        there = np.isfinite(median)
        if not there.any():
            continue
        bars = np.nan_to_num([median - one["low"].values, one["high"].values - median])[:, there]
        colour = COLOURS[at % len(COLOURS)]
        axis.errorbar(
            middle[there],
            median[there],
            yerr=bars,
            fmt=MARKERS[at % len(MARKERS)] + "-",
            capsize=2.5,
            label=name,
            color=colour,
        )
        if mismatch is not None:
            s = mismatch.isel({lane: at}).median().item()
            beyond = lower > 0
            tail = np.sqrt(max(s, 0.0) * np.log(upper[beyond] / lower[beyond]))
            axis.plot(middle[beyond], np.where(tail > 0, tail, np.nan), linestyle=":", color=colour)
        inner, outer = median[there][0], median[there][-1]
        reach = number(float(upper[there][-1]))
        told.append(
            f"{name or 'error'} {number(inner)} {unit_of(profiles)} in the innermost bin, {number(outer)} in the one "
            f"up to {reach} Å."
        )
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if str(f"{value:e}")[0] in "25" else "")
    logarithmic_ordinate(axis, found["median"].values)
    if any(names) and told:
        axis.legend(loc="best")
    return f"{profiles[DISLOCATION].item()}: {' '.join(told)}"
