"""Rates of errors with their uncertainty: the a of C·R^-a, from any array of errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import xarray as xr

from sweep.rates.errors import RateError
from sweep.rates.expectations import KNOWN, Expectation
from sweep.rates.laws import Fit, better_of, fit_law
from sweep.rates.points import Curves, curves_of
from sweep.rates.reasons import reasons
from sweep.rates.regression import Bools, Coefficient, Floats
from sweep.rates.resampling import bootstrap_interval

Model = Literal["power", "power-log", "auto"]
MODELS = ("power", "power-log", "auto")
INTERVALS = ("analytic", "bootstrap")
# Points fitted at once: bounds the memory, whatever the size of the store.
_AT_ONCE = 1 << 19


@dataclass(frozen=True)
class Options:
    """How rates are fitted, once the data are known.

    Parameters
    ----------
    model, interval, confidence, resamples, seed
        As `fit_rate` takes them.
    log_exponent
        b, where it is known beforehand.
    find_ends
        Whether to leave out pre-asymptotic and saturated ends.
    bounded
        Whether rates are compared with that of an upper bound.

    Raises
    ------
    RateError
        If a value is not one that it may have.
    """

    model: str
    log_exponent: float | None
    find_ends: bool
    bounded: bool
    interval: str
    confidence: float
    resamples: int
    seed: int

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise RateError(f"model is {self.model!r}; it is one of {', '.join(MODELS)}")
        if self.interval not in INTERVALS:
            raise RateError(f"interval is {self.interval!r}; it is one of {', '.join(INTERVALS)}")
        if not 0 < self.confidence < 1:
            raise RateError(f"confidence is {self.confidence!r}; give a number between 0 and 1, such as 0.95")
        if self.resamples < 100:
            raise RateError(f"resamples is {self.resamples!r}; give at least 100, or percentiles mean little")
        if self.log_exponent is not None and not math.isfinite(self.log_exponent):
            raise RateError(f"log_exponent is {self.log_exponent!r}; give a finite number")

    def bounds(self, slope: Coefficient, used: Bools) -> tuple[Floats, Floats, Bools]:
        """Give a slope's interval, by resampling where that was asked for and there is enough."""
        half = slope.half_width(self.confidence)
        low, high = slope.value - half, slope.value + half
        resampled = np.zeros(len(low), dtype=bool)
        if self.interval == "bootstrap":
            below, above = bootstrap_interval(slope, used, self.confidence, self.resamples, self.seed)
            resampled = np.isfinite(below)
            low, high = np.where(resampled, below, low), np.where(resampled, above, high)
        return low, high, resampled


def fit_rate(
    da: xr.DataArray,
    along: str | xr.DataArray,
    model: Model = "auto",
    *,
    over: str | Sequence[str] | None = None,
    status: xr.DataArray | None = None,
    log_exponent: float | None = None,
    length: float | xr.DataArray = 1.0,
    expected: float | None = None,
    at_least: float | None = None,
    tolerance: float = 0.2,
    ends: Literal["leave out", "keep"] = "leave out",
    interval: Literal["analytic", "bootstrap"] = "analytic",
    confidence: float = 0.95,
    replica: str = "replica",
    resamples: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """Fit C·R^-a, or C·R^-a·log^b(R/length), and say how sure a is.

    Logarithms are fitted by least squares, in every curve of the array at once: for each value of every other
    dimension. Replicas are the sampling unit: each is fitted for itself, and the interval is that of their mean.
    Where there is one replica its points are taken for independent.

    Parameters
    ----------
    da
        Errors: any array with labelled dimensions.
    along
        R: a dimension of `da` such as ``"domain_radius"``, or an array of another error, such as
        ``ds.rmse_forces.sel(config_kind="core")``.
    model
        ``"power"``; ``"power-log"``, with b from `log_exponent` or theory, or else fitted beside a, which makes a
        wide interval; ``"auto"``: the power law, and where b is known also the one with the logarithm: whichever
        fits without the other, or both, the interval covering both.
    over
        Where `along` is an array: the dimensions whose points make one curve.
    status
        Status of the points; those that are failed, unconverged or in another minimum are left out.
    log_exponent
        b, fixed. Where theory has one, it need not be given.
    length
        Unit of R within the logarithm, in the unit of `along`: for domain radii the Burgers vector. A number,
        or an array over other dimensions of `da`.
    expected, at_least
        A rate to compare with: one that is expected, or one that it should not be slower than. Where theory has
        one, it need not be given. Where b is known, errors are compared with an upper bound's rate by the law with
        the logarithm alone (with model ``"power"`` by that one).
    tolerance
        Rates within this of the expected one are taken for it.
    ends
        ``"leave out"`` finds the parts at either end where the local rate differs from the rest's (not yet
        asymptotic, or saturated) and leaves them out; ``"keep"`` fits all points. The interval of a curve that was
        cut covers what the next cut would give; that of one that is no power law, the local rates at its ends. A
        floor that is approached gradually is cut too late to leave the law's own rate.
    interval
        ``"analytic"``, Student's, or ``"bootstrap"``.
    confidence
        Of the interval.
    replica
        Name of the dimension of replicas; it need not be there.
    resamples, seed
        Of the bootstrap.

    Returns
    -------
    xarray.Dataset
        Over the remaining dimensions: ``rate``, positive where the error falls with R (so that of an error
        against the force error is about -1), ``rate_low``, ``rate_high``, ``standard_error``, ``prefactor`` (C,
        R in its own unit: that of the geometric mean over replicas), ``log_exponent``, ``first`` and ``last``
        value of R used, ``points`` and ``replicas`` used, ``verdict`` (agrees, differs, cannot tell; empty where
        nothing is expected), ``compared_low`` and ``compared_high``, the interval that it rests on, and ``reason``,
        which says what the rate rests on and what was left out, or why there is none.

    Raises
    ------
    RateError
        If an option or a name is not one of those above. Data never raise: points that are missing, not above
        zero or marked are left out, and a curve without a rate says why.

    References
    ----------
    theory.md, *Rates in the domain radius*; `sweep.rates.regression` and `sweep.rates.resampling` for the
    intervals.

    Examples
    --------
    >>> radius = xr.DataArray([6.0, 8.0, 12.0, 16.0], dims="domain_radius")
    >>> scatter = xr.DataArray([[0.9, 1.1, 1.0, 1.0], [1.1, 0.9, 1.0, 0.9]], dims=("replica", "domain_radius"))
    >>> error = (2.0 / radius * scatter).assign_coords(domain_radius=radius)
    >>> fit = fit_rate(error, "domain_radius", expected=1.0)
    >>> round(float(fit.rate), 2), round(float(fit.rate_low), 2), round(float(fit.rate_high), 2)
    (1.04, -0.19, 2.27)
    >>> print(fit.verdict.item(), "|", fit.reason.item())
    cannot tell | 2 replicas, 4 values of domain_radius
    """
    if ends not in ("leave out", "keep"):
        raise RateError(f"ends is {ends!r}; it is 'leave out' or 'keep'")
    abscissa = along if isinstance(along, str) else str(along.name)
    theory = KNOWN.get((str(da.name), abscissa))
    if log_exponent is None and theory is not None:
        log_exponent = theory.log_exponent
    expectation = _expectation(expected, at_least, tolerance)
    if expectation is None and theory is not None:
        expectation = Expectation(theory.expectation.rate, theory.expectation.at_least, tolerance)
    bounded = expectation is not None and expectation.at_least
    options = Options(
        model, log_exponent, ends == "leave out", bounded, interval, confidence, resamples, seed
    )
    curves = curves_of(da, along, over=over, status=status, replica=replica)
    fit = _fit(curves, _lengths(curves, length), options)
    result = _dataset(da, curves, fit, options, expectation)
    return result.assign_attrs(law=_law(options, length, result["first"].attrs["units"]))


def _expectation(expected: float | None, at_least: float | None, tolerance: float) -> Expectation | None:
    if expected is not None and at_least is not None:
        raise RateError("expected and at_least are both given; give one of them")
    if expected is not None:
        return Expectation(expected, tolerance=tolerance)
    return None if at_least is None else Expectation(at_least, at_least=True, tolerance=tolerance)


def _law(options: Options, length: float | xr.DataArray, unit: str) -> str:
    """Write the law that was fitted."""
    if options.model == "power" or (options.model == "auto" and options.log_exponent is None):
        return "C R^-a"
    exponent = "b" if options.log_exponent is None else f"{options.log_exponent:g}"
    divisor = "length" if isinstance(length, xr.DataArray) else f"{length:g} {unit}".removesuffix(" 1")
    logarithmic = f"C R^-a log^{exponent}(R / {divisor})"
    return f"C R^-a or {logarithmic}" if options.model == "auto" else logarithmic


def _lengths(curves: Curves, length: float | xr.DataArray) -> Floats:
    """Give each lane its length."""
    given = length if isinstance(length, xr.DataArray) else xr.DataArray(length)
    if strange := [str(name) for name in given.dims if name not in curves.lanes.dims]:
        raise RateError(
            f"length varies with {', '.join(strange)}, which the rates do not; give one for each rate"
        )
    try:
        spread = xr.broadcast(*xr.align(given, curves.lanes, join="exact"))[0]
    except ValueError as error:
        raise RateError(f"length has other labels than the rates: {error}") from error
    lengths = np.asarray(spread.transpose(*curves.lanes.dims).values, dtype=float).reshape(-1)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise RateError("length: give finite lengths above 0, in the unit of the abscissa")
    return lengths


def _fit(curves: Curves, lengths: Floats, options: Options) -> Fit:
    """Fit block by block of lanes."""
    size = math.prod(curves.y.shape[1:])
    step = max(1, _AT_ONCE // max(1, size))
    parts = [
        _fit_block(
            curves.x[start : start + step],
            curves.y[start : start + step],
            curves.usable[start : start + step],
            lengths[start : start + step],
            options,
        )
        for start in range(0, max(1, len(curves)), step)
    ]
    return Fit(
        **{field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Fit)}
    )


def _fit_block(x: Floats, y: Floats, usable: Bools, lengths: Floats, options: Options) -> Fit:
    common: dict[str, Any] = {"length": lengths, "find_ends": options.find_ends, "interval": options.bounds}
    plain = None
    if options.model == "power" or (options.model == "auto" and options.log_exponent is None):
        return fit_law(x, y, usable, log_exponent=np.zeros(len(x)), **common)
    if options.model == "auto":
        plain = fit_law(x, y, usable, log_exponent=np.zeros(len(x)), **common)
    exponent = None if options.log_exponent is None else np.full(len(x), options.log_exponent)
    logarithmic = fit_law(x, y, usable, log_exponent=exponent, **common)
    return logarithmic if plain is None else better_of(plain, logarithmic, bounded=options.bounded)


def _dataset(
    da: xr.DataArray, curves: Curves, fit: Fit, options: Options, expectation: Expectation | None
) -> xr.Dataset:
    """Label the results."""
    along = str(curves.along.name or "the abscissa")
    unit, abscissa_unit = da.attrs.get("units", "1"), curves.along.attrs.get("units", "1")
    percent = f"{100 * options.confidence:g} %"
    verdict = (
        np.full(len(fit.rate), "")
        if expectation is None
        else expectation.verdict(fit.compared_low, fit.compared_high)
    )
    resampling = options.interval == "bootstrap"
    variables: Mapping[str, tuple[np.ndarray, str, str]] = {
        "rate": (fit.rate, "1", f"rate a of C R^-a log^b R, R being {along}"),
        "rate_low": (fit.rate_low, "1", f"low end of the rate's {percent} interval"),
        "rate_high": (fit.rate_high, "1", f"high end of the rate's {percent} interval"),
        "standard_error": (fit.standard_error, "1", "standard error of the rate"),
        "prefactor": (fit.prefactor, unit, f"prefactor C, R in units of {abscissa_unit}"),
        "log_exponent": (fit.log_exponent, "1", "exponent b of the logarithm"),
        "first": (fit.first, abscissa_unit, f"smallest {along} used"),
        "last": (fit.last, abscissa_unit, f"largest {along} used"),
        "points": (fit.points, "1", "number of points used"),
        "replicas": (fit.replicas, "1", "number of replicas with a rate of their own"),
        "compared_low": (
            fit.compared_low,
            "1",
            "low end of the interval that the expected rate is compared with",
        ),
        "compared_high": (
            fit.compared_high,
            "1",
            "high end of the interval that the expected rate is compared with",
        ),
        "verdict": (
            verdict,
            "1",
            f"comparison with the expected rate, {expectation}" if expectation else "none",
        ),
        "reason": (
            reasons(fit, curves.left_out, along=along, resampling=resampling),
            "1",
            "what the rate rests on",
        ),
    }
    lanes = curves.lanes
    result = xr.Dataset(
        {
            name: (lanes.dims, values.reshape(lanes.shape), {"units": units, "long_name": long_name})
            for name, (values, units, long_name) in variables.items()
        },
        coords=lanes.coords,
    )
    result.attrs = {
        "error": str(da.name or "error"),
        "along": along,
        "model": options.model,
        "interval": options.interval,
        "confidence": options.confidence,
        "expected": "nothing" if expectation is None else str(expectation),
    }
    return result
