"""Known rates recovered: `sweep.fit_rate` beside scipy's curve_fit and statsmodels, on the same draws.

Coverage of 95 % intervals, bias over standard error, width and cost. statsmodels is left out where it is not installed.

    python benchmarks/rates.py [--quick] [--write]
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from measuring import interleaved, machine, table, write
from scipy.optimize import curve_fit
from scipy.stats import t as student

from sweep import fit_rate

try:
    import statsmodels.api as statsmodels
except ImportError:
    statsmodels = None

RADII = np.array([6.0, 8.0, 10.0, 13.0, 16.0, 20.0])
BURGERS = 2.74
NOISE = 0.1
# Rate, low end and high end of each curve: shape (3, curves).
Rates = np.ndarray
Method = Callable[[np.ndarray, "Case"], Rates]


@dataclass(frozen=True)
class Case:
    """Errors from a known law: rate, logarithm's exponent, replicas, and how the noise on the logarithm behaves."""

    name: str
    rate: float
    replicas: int
    log_exponent: float = 0.0
    noise: str = "independent"

    def draw(self, draws: int) -> np.ndarray:
        """Errors of shape (draws, replicas, radii), NaN where missing."""
        random = np.random.default_rng(0)
        shape = (draws, self.replicas, len(RADII))
        noise = random.normal(size=shape)
        if self.noise == "random walk":
            noise = noise.cumsum(axis=-1)
        elif self.noise == "skewed":
            noise = random.gamma(1.0, size=shape) - 1
        elif self.noise == "levels, missing":
            noise += 10 * random.normal(size=(draws, self.replicas, 1))
            noise[:, : self.replicas // 2, -2:] = np.nan
        law = 2 * RADII**-self.rate * np.log(RADII / BURGERS) ** self.log_exponent
        return law * np.exp(NOISE * noise)


CASES = (
    Case("R^-1, one replica", 1.0, 1),
    Case("R^-1, 5 replicas", 1.0, 5),
    Case("R^-1 log R, 5 replicas", 1.0, 5, log_exponent=1.0),
    Case("R^-2 log² R, one replica", 2.0, 1, log_exponent=2.0),
    Case("R^-1, 10 replicas, skewed noise", 1.0, 10, noise="skewed"),
    Case("R^-1, 6 replicas, levels of their own, points missing", 1.0, 6, noise="levels, missing"),
    Case("R^-1, 5 replicas, dependent along R", 1.0, 5, noise="random walk"),
)


def farfield(errors: np.ndarray, case: Case, **options: Any) -> Rates:
    da = xr.DataArray(errors, dims=("draw", "replica", "radius"), coords={"radius": RADII})
    if case.log_exponent:
        options = {"model": "power-log", "log_exponent": case.log_exponent, "length": BURGERS, **options}
    fit = fit_rate(da, "radius", **options)
    return np.stack([fit["rate"].values, fit["rate_low"].values, fit["rate_high"].values])


def each_curve(fit: Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[float, float, float]]) -> Method:
    """Make a method of a fit of one curve: radii, errors without their logarithm's factor, and whose they are."""

    def method(errors: np.ndarray, case: Case) -> Rates:
        known = errors / np.log(RADII / BURGERS) ** case.log_exponent
        places, replicas = np.meshgrid(np.arange(len(RADII)), np.arange(case.replicas))
        rates = []
        for curve in known:
            present = np.isfinite(curve)
            rates.append(fit(RADII[places[present]], curve[present], replicas[present]))
        return np.array(rates).T

    return method


def interval(slope: float, error: float, freedom: int) -> tuple[float, float, float]:
    half = student.ppf(0.975, freedom) * error
    return -slope, -slope - half, -slope + half


@each_curve
def curve_fit_of_values(radius: np.ndarray, error: np.ndarray, _: np.ndarray) -> tuple[float, float, float]:
    best, covariance = curve_fit(lambda r, c, a: c * r**a, radius, error, p0=(2.0, -1.0), maxfev=20_000)
    return interval(best[1], covariance[1, 1] ** 0.5, len(radius) - 2)


@each_curve
def curve_fit_of_logarithms(
    radius: np.ndarray, error: np.ndarray, _: np.ndarray
) -> tuple[float, float, float]:
    best, covariance = curve_fit(lambda r, c, a: c + a * r, np.log(radius), np.log(error), p0=(0.0, -1.0))
    return interval(best[1], covariance[1, 1] ** 0.5, len(radius) - 2)


@each_curve
def statsmodels_ols(radius: np.ndarray, error: np.ndarray, _: np.ndarray) -> tuple[float, float, float]:
    fit = statsmodels.OLS(np.log(error), statsmodels.add_constant(np.log(radius))).fit()
    low, high = fit.conf_int(0.05)[1]
    return -fit.params[1], -high, -low


@each_curve
def statsmodels_by_cluster(
    radius: np.ndarray, error: np.ndarray, replica: np.ndarray
) -> tuple[float, float, float]:
    model = statsmodels.OLS(np.log(error), statsmodels.add_constant(np.log(radius)))
    fit = model.fit(cov_type="cluster", cov_kwds={"groups": replica}, use_t=True)
    low, high = fit.conf_int(0.05)[1]
    return -fit.params[1], -high, -low


def methods(case: Case) -> dict[str, Method]:
    found: dict[str, Method] = {
        "fit_rate": farfield,
        "fit_rate, ends kept": partial(farfield, ends="keep"),
        "fit_rate, bootstrap": partial(farfield, interval="bootstrap"),
        "curve_fit, values": curve_fit_of_values,
        "curve_fit, logarithms": curve_fit_of_logarithms,
    }
    if statsmodels is not None:
        found["statsmodels OLS"] = statsmodels_ols
        if case.replicas > 1:
            found["statsmodels OLS, clusters"] = statsmodels_by_cluster
    return found


def recovery(draws: int) -> list[dict[str, Any]]:
    """Coverage, bias and width of every method in every case."""
    rows = []
    for case in CASES:
        errors = case.draw(draws)
        for name, method in methods(case).items():
            rate, low, high = method(errors, case)
            rows.append(
                {
                    "case": case.name,
                    "method": name,
                    "coverage": float(np.mean((low <= case.rate) & (high >= case.rate))),
                    "bias over standard error": float((rate.mean() - case.rate) / rate.std()),
                    "standard error": float(rate.std()),
                    "median width": float(np.median(high - low)),
                }
            )
    return rows


def ends(draws: int) -> list[dict[str, Any]]:
    """Fit curves with ends at which the law R^-1 does not hold."""
    radii = np.geomspace(6, 40, 8)
    laws = {
        "none": 2 / radii,
        "sharp floor, last 4 of 8": np.maximum(2 / radii, 2 / 18),
        "gradual floor": np.hypot(2 / radii, 0.08),
        "plateau, first 2 of 8": np.minimum(2 / radii, 2 / 10),
        "R^-2 first, 3 of 8": 2 / radii * np.maximum(1, 13 / radii),
    }
    rows = []
    for name, law in laws.items():
        noise = np.random.default_rng(1).normal(size=(draws, 10, len(radii)))
        coords = {"radius": radii}
        da = xr.DataArray(law * np.exp(0.05 * noise), dims=("draw", "replica", "radius"), coords=coords)
        for option in ("leave out", "keep"):
            fit = fit_rate(da, "radius", ends=option)
            held = (fit["rate_low"] <= 1) & (fit["rate_high"] >= 1)
            rows.append(
                {
                    "end": name,
                    "ends": option,
                    "median rate": float(fit["rate"].median()),
                    "coverage of 1": float(held.mean()),
                    "cut": float(fit["reason"].str.contains("left out at").mean()),
                }
            )
    return rows


def cost(curves: int, repeats: int) -> list[dict[str, Any]]:
    """Wall time a curve, taking turns."""
    case = CASES[1]
    errors = case.draw(curves)
    calls = {name: partial(method, errors, case) for name, method in methods(case).items()}
    taken = interleaved(calls, repeats)
    return [
        {"method": name, "µs a curve": 1e6 * wall / curves, "over fit_rate": wall / taken["fit_rate"]}
        for name, wall in taken.items()
    ]


def large(points: int, repeats: int) -> dict[str, float]:
    """Wall time of all the rates of one large store."""
    curves = points // (8 * len(RADII))
    errors = Case("large", 1.0, 8).draw(curves)
    taken = interleaved({"wall time, s": lambda: farfield(errors, CASES[1])}, repeats)
    return {"points": curves * 8 * len(RADII), **taken}


def markdown(rows: list[dict[str, Any]]) -> str:
    cells = [[f"{cell:.3g}" if isinstance(cell, float) else cell for cell in row.values()] for row in rows]
    return table(list(rows[0]), cells)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few draws: to try the script")
    parser.add_argument("--write", action="store_true", help="keep the figures in benchmarks/results")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="scipy.optimize")
    draws = 200 if options.quick else 4000
    data = {
        "draws": draws,
        "statsmodels": statsmodels.__version__ if statsmodels is not None else "not installed",
        "recovery": recovery(draws),
        "ends": ends(draws),
        "cost": cost(50 if options.quick else 500, 5),
        "large store": large(100_000 if options.quick else 1_000_000, 5),
    }
    text = "\n\n".join(
        [
            f"# Rates\n\n{draws} draws a case; noise of {NOISE} on the logarithm; statsmodels {data['statsmodels']}.",
            f"## Recovery of known rates by 95 % intervals\n\n{markdown(data['recovery'])}",
            f"## Ends at which the law does not hold (10 replicas, noise 0.05)\n\n{markdown(data['ends'])}",
            f"## Cost (medians of 5, in turns)\n\n{markdown(data['cost'])}",
            f"## A large store\n\n{markdown([data['large store']])}",
        ]
    )
    print(text, *(f"- {key}: {value}" for key, value in machine().items()), sep="\n")
    if options.write:
        write("rates", text, data)


if __name__ == "__main__":
    main()
