"""How good linear-response estimates are, and how good those that were trusted: against relaxations of every point.

    python benchmarks/effectivity.py [--quick] [--write] [--folder DIR] [--workers N]

Screw, edge and mixed dislocations of tungsten; SNAP and Finnis–Sinclair; degrees 6, 8 and 12; a grid of weights. Each
study is an ordinary one, run by `sweep run` in the folder (running again resumes). Effectivity is the estimated over
the relaxed geometry error; the energy's miss is |estimated − true| over the sizes of the estimate's two parts, since
the signed energy crosses zero. The *continued core* is the saddle where the reference's core became one: of it linear
response speaks, while a user gets the minimum below. Trust is decided before anything is relaxed.

The minimiser: in each block, the relaxed error of the fit with the smallest trusted estimate (or, where none is
trusted, the smallest) over the smallest relaxed error. 1 where the estimate found the best weighting.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
import yaml
from measuring import RESULTS, table, write

import sweep
from sweep.effectivity import GOOD, effectivities
from sweep.grid import BLOCK_DIMENSIONS
from sweep.trust import LARGEST_RATIO, SOFTEST, trust_of
from sweep.variables import Status, Trust

REFERENCES = ("tungsten-snap", "tungsten-fs")
DISLOCATIONS, DEGREES = ["screw", "edge", "mixed"], [6, 8, 12]
RADIUS = 20.0
WEIGHTS = {
    "weight_energy": [0.1, 1.0, 10.0],
    "weight_forces": [1.0],
    "weight_virial": [0.0, 0.3, 1.0, 3.0, 10.0, 100.0],
}
QUICK = {"weight_energy": [1.0], "weight_forces": [1.0], "weight_virial": [0.0, 1.0, 10.0]}
RATIOS = (0.0, 0.05, 0.1, 1 / 6, 0.25, 0.5, np.inf)
COMMAND = "python benchmarks/effectivity.py --write"


def study(reference: str, *, quick: bool) -> dict[str, Any]:
    """Give the study of one reference as plain data."""
    return {
        "study": f"effectivity-{reference}",
        "material": {"element": "W", "structure": "bcc"},
        "reference": {"preset": reference},
        "dislocations": DISLOCATIONS[:1] if quick else DISLOCATIONS,
        "axes": {
            "simulation_radius": [RADIUS],
            "degree": DEGREES[::2] if quick else DEGREES,
            "domain_radius": [8.0],
            "n_train": [8],
            "replica": 1,
            **(QUICK if quick else WEIGHTS),
        },
    }


def made(folder: Path, reference: str, *, quick: bool, workers: int) -> xr.Dataset:
    """Run a study, or what is left of it, and open its store."""
    plain = study(reference, quick=quick)
    path = folder / f"{plain['study']}.yaml"
    path.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-P", "-m", "sweep.cli", "run", path.name, "--workers", str(workers)]
    ended = subprocess.run(command, cwd=folder, check=False).returncode
    if ended not in (0, 1):
        raise SystemExit(f"{path} ended with status {ended}")
    ds = sweep.open_store(path.with_suffix(".zarr")).load()
    # anew, by the limits of today: a store keeps those of its own day
    ds["estimate_trusted"].values[...] = trust_of(ds["trust_ratio"], ds["stiffness_estimate"])
    return ds


def blocks(ds: xr.Dataset) -> Iterator[dict[str, Any]]:
    """Give the minimiser of each block's estimates beside that of its relaxed errors."""
    outer = [name for name in BLOCK_DIMENSIONS if name in ds.dims]
    inner = [str(name) for name in ds["status"].dims if name not in outer]
    flat = ds[["status", "geometry_estimate", "geometry_error", "estimate_trusted"]].stack(
        block=outer, weighting=inner
    )
    for block in flat["block"].values:
        one = flat.sel(block=block)
        relaxed = one["status"].values == Status.relaxed
        if not relaxed.any():
            continue
        estimate, error = one["geometry_estimate"].values[relaxed], one["geometry_error"].values[relaxed]
        trusted = one["estimate_trusted"].values[relaxed] == Trust.trusted
        candidates = np.flatnonzero(trusted) if trusted.any() else np.arange(len(error))
        best = candidates[np.argmin(estimate[candidates])]
        yield {
            "dislocation": str(block[outer.index("dislocation")]),
            "degree": int(block[outer.index("degree")]),
            "points": int(relaxed.sum()),
            "trusted": int(trusted.sum()),
            "over the best": round(float(error[best] / error.min()), 4),
            "rank": int(np.sum(error < error[best])) + 1,
        }


def trust_told(ds: xr.Dataset) -> dict[str, int]:
    """Count relaxed points by whether the estimate was good and whether it had been trusted."""
    relaxed = (ds["status"] == Status.relaxed).values
    ratio, flag = ds["effectivity"].values[relaxed], ds["estimate_trusted"].values[relaxed]
    good = (ratio >= GOOD[0]) & (ratio <= GOOD[1])
    return {
        f"{name}, {word}": int(np.sum((flag == value) & which))
        for value, name in ((Trust.trusted, "trusted"), (Trust.distrusted, "distrusted"))
        for which, word in ((good, "good"), (~good, "not good"))
    }


def calibrated(stores: dict[str, xr.Dataset]) -> list[list[object]]:
    """Tabulate how far estimates were off by the second step of linear response, θ, of the core they speak of."""
    columns: list[list[float]] = [[], [], [], []]
    for ds in stores.values():
        relaxed = (ds["status"] == Status.relaxed).values
        saddle, minimum = ds["saddle_geometry_error"].values[relaxed], ds["geometry_error"].values[relaxed]
        estimate = ds["geometry_estimate"].values[relaxed]
        columns[0] += ds["trust_ratio"].values[relaxed].tolist()
        columns[1] += (estimate / np.where(np.isfinite(saddle), saddle, minimum)).tolist()
        columns[2] += (estimate / minimum).tolist()
        columns[3] += ds["stiffness_estimate"].values[relaxed].tolist()
    ratio, continued, effectivity, stiffness = np.array(columns)
    rows: list[list[object]] = []
    for low, high in pairwise(RATIOS):
        inside = (ratio >= low) & (ratio < high)
        stiff = inside & (stiffness >= SOFTEST)
        rows.append([f"{low:.3g}–{high:.3g}", int(inside.sum()), spread(continued[inside])])
        rows[-1] += [int(stiff.sum()), spread(effectivity[stiff]), spread(effectivity[inside & ~stiff])]
    return rows


def spread(values: np.ndarray) -> str:
    """Write the median and the whole range of some values."""
    return f"{np.median(values):.2f} ({values.min():.2f}–{values.max():.2f})" if values.size else "–"


def text_of(data: dict[str, Any], calibration: list[list[object]]) -> str:
    """Write the tables."""
    told = [[reference, *found["trust"].values()] for reference, found in data.items()]
    best = [[reference, *row.values()] for reference, found in data.items() for row in found["minimiser"]]
    heads = ["reference", "dislocation", "degree", "relaxed", "trusted", "other minimum", "effectivity"]
    stiff = ["stiff points", "effectivity", "effectivity of the others"]
    legend = (
        "Median (whole range) by θ, the second step of linear response over the first. Stiff: the core's estimated "
        f"stiffness is at least {SOFTEST:g} of the reference's. Trusted: stiff, and θ at most {LARGEST_RATIO:.3f}."
    )
    return "\n\n".join(
        [
            "# Linear-response estimates against relaxations",
            f"`{COMMAND}`; R = {RADIUS:g} Å. Medians, and the range from the 5th to the 95th percentile.",
            table(
                [*heads, "of the trusted", "of the continued core", "energy: miss over parts"], slices(data)
            ),
            f"Good: effectivity in {GOOD[0]}–{GOOD[1]}. Trust is decided beforehand:",
            table(["reference", *next(iter(data.values()))["trust"]], told),
            legend,
            table(["θ", "points", "effectivity of the continued core", *stiff], calibration),
            verdict(data),
            table(["reference", *next(iter(data.values()))["minimiser"][0]], best),
            "![estimated against relaxed errors](effectivity.png)",
        ]
    )


def slices(data: dict[str, Any]) -> list[list[object]]:
    """Give a row for each reference, dislocation and degree."""
    rows: list[list[object]] = []
    for reference, found in data.items():
        for each in found["effectivity"]:
            counts = [each["geometry"]["count"], each["trusted"]["count"], each["elsewhere"]]
            spreads = [each[name] for name in ("geometry", "trusted", "continued", "energy")]
            written = [
                "{median:.2f} ({low:.2f}–{high:.2f})".format(**one) if one["count"] else "–"
                for one in spreads
            ]
            rows.append([reference, each["dislocation"], each["degree"], *counts, *written])
    return rows


def verdict(data: dict[str, Any]) -> str:
    """Say how good the estimates' minimisers are."""
    each_block = [row for found in data.values() for row in found["minimiser"]]
    ratios = np.array([row["over the best"] for row in each_block])
    trusted = np.array([row["over the best"] for row in each_block if row["trusted"]])
    of_trusted = (
        f"in the {len(trusted)} blocks with a trusted estimate {np.median(trusted):.3f} and {trusted.max():.2f}"
        if trusted.size
        else "no block has a trusted estimate"
    )
    return (
        f"The estimate's minimiser over the weight grid, {sum(row['points'] for row in each_block)} relaxed points in "
        f"{len(ratios)} blocks: its relaxed error over the smallest is {np.median(ratios):.3f} in the median and "
        f"{ratios.max():.2f} at the worst; {of_trusted}."
    )


def drawn(stores: dict[str, xr.Dataset], path: Path) -> None:
    """Draw relaxed against estimated errors, those that were trusted filled."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter

    figure, panels = plt.subplots(1, len(stores), figsize=(4.2 * len(stores), 4.0), squeeze=False)
    for panel, (reference, ds) in zip(panels[0], stores.items(), strict=True):
        everything = [ds["geometry_estimate"].values, ds["geometry_error"].values]
        ends = [np.nanmin(everything) / 1.3, np.nanmax(everything) * 1.3]
        panel.fill_between(ends, np.divide(ends, GOOD[1]), np.divide(ends, GOOD[0]), color="0.9")
        panel.plot(ends, ends, color="0.5", linewidth=0.8)
        for dislocation, mark, colour in zip(
            ds["dislocation"].values, "os^", ("#0072B2", "#D55E00", "#009E73"), strict=False
        ):
            one = ds.sel(dislocation=dislocation)
            relaxed = one["status"].values == Status.relaxed
            trusted = one["estimate_trusted"].values == Trust.trusted
            for which, face, word in ((trusted, colour, "trusted"), (~trusted, "none", "not trusted")):
                chosen = relaxed & which
                x, y = one["geometry_estimate"].values[chosen], one["geometry_error"].values[chosen]
                panel.scatter(
                    x,
                    y,
                    s=16,
                    marker=mark,
                    edgecolors=colour,
                    facecolors=face,
                    linewidths=0.7,
                    label=f"{dislocation}, {word}",
                )
        panel.set(xscale="log", yscale="log", xlim=ends, ylim=ends, title=reference)
        panel.set(xlabel="estimated geometry error (Å)", ylabel="relaxed geometry error (Å)")
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=20))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
        panel.legend(fontsize=7, frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="one dislocation, few weights, the first reference"
    )
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--folder", type=Path, help="where the studies run [default: a temporary folder]")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="effectivity-"))
    folder.mkdir(parents=True, exist_ok=True)
    references = REFERENCES[:1] if arguments.quick else REFERENCES
    stores = {
        name: made(folder.resolve(), name, quick=arguments.quick, workers=arguments.workers)
        for name in references
    }
    data = {
        name: {
            "effectivity": [asdict(each) for each in effectivities(ds)],
            "trust": trust_told(ds),
            "minimiser": list(blocks(ds)),
        }
        for name, ds in stores.items()
    }
    text = text_of(data, calibrated(stores))
    print(text)
    drawn(stores, (RESULTS if arguments.write else folder) / "effectivity.png")
    if arguments.write:
        write("effectivity", text, {"command": COMMAND, "radius": RADIUS, "references": data})


if __name__ == "__main__":
    main()
