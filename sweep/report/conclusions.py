"""What a store says, in words with numbers and intervals."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from sweep.figures.gallery import TRUNCATION_ERRORS, main_error, numbered_axes
from sweep.figures.labels import number, place, places, sentence, unit_of, words
from sweep.figures.replicas import REPLICA, confidence_of, median_interval
from sweep.figures.slices import DISLOCATION, fixed_labels, fullest_slice, known, measured, positive
from sweep.figures.weightings import best_weighting
from sweep.rates import fit_rate
from sweep.rates.expectations import AGREES, DIFFERS
from sweep.rates.of_store import length_of
from sweep.report.conclusion import Conclusion
from sweep.summary import saddles, status_counts
from sweep.variables import Status

# Fewer labels than this and a rate is a line through two points.
_LEAST_LABELS = 3
_ENERGY = "energy_error"
# What became of points without a measurement, in words.
_NO_MEASUREMENT = {
    Status.unconverged.name: "did not converge",
    Status.other_minimum.name: "ended in another minimum",
    Status.failed.name: "failed",
}


def conclusions(ds: xr.Dataset) -> list[Conclusion]:
    """Say how far the study has come, how good its potentials are, and how fast their errors fall.

    Parameters
    ----------
    ds
        A store, as `sweep.open_store` gives it.
    """
    found = [_progress(ds), *_saddles(ds)]
    error = main_error(ds)
    if bool(known(ds, error).any()):
        found += _lowest(ds, error)
        found += _rates(ds, error)
    if bool(known(ds, _ENERGY).any()):
        found += _rates(ds, _ENERGY)
    return found + list(_truncations(ds))


def _progress(ds: xr.Dataset) -> Conclusion:
    counts = status_counts(ds)
    total = sum(counts.values())
    said = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
    text = f"{total:,} points: {said}."
    if left := counts.get(Status.pending.name, 0):
        text += f" The study is not finished: {100 * left / total:.0f} % of its points are still to come."
    gone = [words_ for name, words_ in _NO_MEASUREMENT.items() if counts.get(name)]
    if gone:
        text += f" Points that {' or '.join(gone)} are in no error and no rate below."
    if counts.get(Status.failed.name):
        text += " Why points failed says sweep status --failures."
    return Conclusion("Points", text)


def _saddles(ds: xr.Dataset) -> list[Conclusion]:
    if "relative_stiffness" not in ds:
        return []
    relaxed, unstable = saddles(ds)
    if not unstable:
        return []
    text = (
        f"Under {unstable:,} of {relaxed:,} relaxed fits the reference's core is a saddle: their errors are those of "
        "the minimum below it, so that another core than the reference's is measured."
    )
    return [Conclusion("Cores that do not hold", text)]


def _lowest(ds: xr.Dataset, error: str) -> Iterator[Conclusion]:
    """Find for each dislocation the place of the grid whose median over replicas is the lowest."""
    values = positive(measured(ds, error))
    for dislocation in map(str, ds[DISLOCATION].values):
        one = values.sel({DISLOCATION: dislocation})
        found = median_interval(one)
        medians = found["median"].values
        if not np.isfinite(medians).any():
            continue
        at = dict(
            zip(found["median"].dims, np.unravel_index(np.nanargmin(medians), medians.shape), strict=True)
        )
        best = found.isel(at)
        unit, count = unit_of(values), int(best["count"])
        # dimensions with one label say nothing of the choice
        labels = {str(name): ds[name].values[place_] for name, place_ in at.items() if ds.sizes[name] > 1}
        compared = int(np.isfinite(medians).sum())
        ends = ""
        if count > 1:
            ends = f" ({number(float(best['low']))} to {number(float(best['high']))} {unit}{_sure(compared, count)})"
        where = f" at {places(ds, labels)}" if labels else ""
        lowest, usual = number(float(best["median"])), number(float(one.median()))
        text = f"{lowest} {unit}{ends}{where}; the median of all is {usual} {unit}."
        replicas = f"{count} replica{'s' if count != 1 else ''}"
        basis = f"median over {replicas}"
        if compared > 1:
            basis += f"; the lowest of {compared:,} medians is biased low, and so is its interval"
        yield Conclusion(f"Lowest {words(error)}, {dislocation}", text, basis)


def _sure(compared: int, count: int) -> str:
    """Say what an interval is worth: of the lowest of several medians less than of one that was not chosen."""
    return (
        "" if compared > 1 else f", which holds the median with {100 * confidence_of(count):.0f} % confidence"
    )


def _rates(ds: xr.Dataset, error: str) -> Iterator[Conclusion]:
    """Fit rates along each axis, at the slice that the figures show and its best weighting."""
    for axis in numbered_axes(ds):
        if ds.sizes[axis] < _LEAST_LABELS:
            continue
        shown = fullest_slice(ds, error, [axis])
        values = positive(measured(shown, error))
        best = best_weighting(values)
        curve = values.isel(best)
        curve = curve.isel(
            {name: 0 for name in curve.dims if name not in (DISLOCATION, REPLICA, axis)}, drop=True
        )
        fits = fit_rate(curve.rename(error), axis, length=length_of(shown, axis))
        weights = ", ".join(
            place(name, ds[name].values[at]) for name, at in best.items() if ds.sizes[name] > 1
        )
        labels = {name: label for name, label in fixed_labels(shown, error).items() if ds.sizes[name] > 1}
        where = ", ".join(filter(None, [weights, places(ds, labels)]))
        basis = "; ".join(dict.fromkeys(fits["reason"].values.ravel().tolist()))
        text = f"{_by_dislocation(fits, words(error), words(axis))}{f' At {where}.' if where else ''}"
        yield Conclusion(f"{sentence(words(error))} against {words(axis)}", text, basis)


def _by_dislocation(fits: xr.Dataset, error: str, axis: str) -> str:
    """Say the trend of each dislocation, and its name where there are several."""
    names = [str(name) for name in fits[DISLOCATION].values]
    trends = [_trend(fits.sel({DISLOCATION: name}), error, axis) for name in names]
    return " ".join(
        f"{sentence(name)}: {trend[0].lower()}{trend[1:]}" if len(names) > 1 else trend
        for name, trend in zip(names, trends, strict=True)
    )


def _compared_words(fit: xr.Dataset) -> str:
    """Say with the rates of which law a bound was compared, where it was not the rate's own interval."""
    low, high = (float(fit[name]) for name in ("compared_low", "compared_high"))
    if not np.isfinite(low) or (low, high) == (float(fit["rate_low"]), float(fit["rate_high"])):
        return ""
    return f": with the bound's logarithm the power is {number(low, 2)} to {number(high, 2)}"


def _trend(fit: xr.Dataset, error: str, axis: str) -> str:
    """Say what an interval of a rate lets one say, and no more."""
    rate, low, high = (float(fit[name]) for name in ("rate", "rate_low", "rate_high"))
    if not np.isfinite(rate):
        return "No rate can be fitted."
    if not np.isfinite(low):
        return f"The rate is {number(rate, 2)}, without an interval: nothing can be concluded."
    if low <= 0 <= high:
        interval = f"{number(low, 2)} to {number(high, 2)} with 95 % confidence"
        return f"Whether the {error} falls with the {axis} cannot be told: the rate is {number(rate, 2)} ({interval})."
    changes, ends = ("falls", (low, high)) if rate > 0 else ("grows", (-high, -low))
    interval = f"{number(ends[0], 2)} to {number(ends[1], 2)} with 95 % confidence"
    return f"The {error} {changes} with the {axis}, with the power {number(abs(rate), 2)} ({interval})."


def _truncations(ds: xr.Dataset) -> Iterator[Conclusion]:
    """Compare the reference's own truncation errors with the published bounds."""
    for error in TRUNCATION_ERRORS:
        if (
            error not in ds
            or ds.sizes["simulation_radius"] < _LEAST_LABELS
            or not bool(known(ds, error).any())
        ):
            continue
        length = length_of(ds, "simulation_radius")
        fits = fit_rate(positive(measured(ds, error)), "simulation_radius", length=length)
        for dislocation in map(str, ds[DISLOCATION].values):
            fit = fits.sel({DISLOCATION: dislocation})
            verdict = {AGREES: "It agrees", DIFFERS: "It differs"}.get(
                str(fit["verdict"].item()), "It cannot be told whether it agrees"
            )
            trend = _trend(fit, words(error), "simulation radius")
            text = (
                f"{trend} {verdict} with the expected rate, {fits.attrs['expected']}{_compared_words(fit)}."
            )
            yield Conclusion(f"{sentence(words(error))}, {dislocation}", text, str(fit["reason"].item()))
