"""How often advice is wrong, and what it costs: points chosen after looking, beside the limits of single points.

Of the points that a method says to meet a tolerance the cheapest is taken, as a user would; it is wrong where the true
median of that point's errors is above the tolerance. Each statement is made with 95 % confidence.
"""

from __future__ import annotations

import argparse
import resource
from collections.abc import Callable

import numpy as np
import xarray as xr
from measuring import interleaved, machine, table, write

from sweep.advice import advise
from sweep.advice.limits import limits_of

Scatter = Callable[[np.random.Generator, int], np.ndarray]
SCATTERS: dict[str, Scatter] = {
    "one for all": lambda _, points: np.full(points, 0.2),
    "log-normal": lambda random, points: 0.2 * np.exp(0.7 * random.normal(size=points)),
    "small or large": lambda random, points: random.choice([0.03, 1.0], size=points),
}


def wrong(points: int, replicas: int, shared: float, scatter: Scatter, draws: int) -> dict[str, float]:
    """Shares of stores in which the cheapest point said to meet the tolerance does not, and in which one is named."""
    counts = dict.fromkeys(("together", "alone", "named"), 0)
    for draw in range(draws):
        random = np.random.default_rng(draw)
        median, deviation = 0.6 * random.normal(size=points), scatter(random, points)
        noise = np.sqrt(shared) * random.normal(size=(1, replicas))
        noise = noise + np.sqrt(1 - shared) * random.normal(size=(points, replicas))
        limits = limits_of(median[:, None] + deviation[:, None] * noise, np.ones(points, bool), 0.95, 0.5)
        dearness = -median + 0.3 * random.normal(size=points)
        for name, upper in (("together", limits.upper), ("alone", limits.alone)):
            meets = np.flatnonzero(upper <= 1)
            counts["named"] += name == "together" and len(meets) > 0
            counts[name] += len(meets) > 0 and median[meets[dearness[meets].argmin()]] > 0
    return {name: float(count) / draws for name, count in counts.items()}


def store_of(replicas: int) -> xr.Dataset:
    """50,000 points by replicas: 2 dislocations, 2 radii, 100 recipes, 125 weightings."""
    labels = {
        "dislocation": ["screw", "edge"],
        "simulation_radius": [20.0, 40.0],
        "degree": [6, 8, 10, 12, 14],
        "domain_radius": [6.0, 8.0, 10.0, 13.0, 16.0],
        "n_train": [2, 4, 8, 16],
        "replica": list(range(replicas)),
        **{f"weight_{kind}": [0.0, 0.1, 1.0, 10.0, 100.0] for kind in ("energy", "forces", "virial")},
    }
    shape, dims = tuple(map(len, labels.values())), tuple(labels)
    ds = xr.Dataset({"status": (dims, np.full(shape, 2, dtype=np.uint8))}, labels)
    law = (1 + 20 / ds.degree**2) * (1 + 3 / ds.n_train**0.5) * (2 - (ds.weight_virial > 0))
    noise = 0.02 * np.exp(0.3 * np.random.default_rng(0).normal(size=shape))
    values = {"geometry_error": law * xr.DataArray(noise, dims=dims), "basis_size": ds.degree**2}
    values["labelled_atoms"] = ds.n_train * (54 + 3 * ds.domain_radius**2)
    return ds.assign(
        {name: array.broadcast_like(ds["status"]).transpose(*dims) for name, array in values.items()}
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer draws, a smaller store")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results/advice.{md,json}")
    arguments = parser.parse_args()
    draws, replicas, repeats = (100, 4, 2) if arguments.quick else (2000, 20, 5)
    rows = [
        {"points": points, "replicas": number, "shared": shared, "scatter": name, **found}
        for points in (72, 1000)
        for number in (3, 5)
        for shared in (0.0, 0.8)
        for name, scatter in SCATTERS.items()
        for found in [wrong(points, number, shared, scatter, draws)]
    ]
    ds = store_of(replicas)
    seconds = interleaved({"advise": lambda: advise(ds, 0.06)}, repeats)["advise"]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    headings = ["points", "replicas", "shared scatter", "scatter", "named", "wrong: alone", "wrong: together"]
    text = table(
        headings,
        [
            [
                f"{row['points']}",
                f"{row['replicas']}",
                f"{row['shared']:g}",
                f"{row['scatter']}",
                *(f"{100 * row[name]:.1f} %" for name in ("named", "alone", "together")),
            ]
            for row in rows
        ],
    )
    text += (
        f"\n\n{ds['status'].size:,} points: {seconds:.2f} s, {memory:.2f} GiB at most; median of {repeats}\n"
    )
    print(text + "\n" + ", ".join(f"{name} {value}" for name, value in machine().items()))
    if arguments.write:
        write("advice", text, {"wrong": rows, "seconds": seconds, "memory_GiB": memory})


if __name__ == "__main__":
    main()
