"""Rates of the clamped boundary's errors in tungsten, against the published bounds R^-1 log(R/b) and its square.

    sweep run studies/truncation.yaml                  # both at once: make truncation
    sweep run studies/truncation-snap.yaml
    python benchmarks/truncation.py truncation.zarr truncation-snap.zarr [--write]
    python benchmarks/truncation.py --quick            # a smaller study of its own, in a minute

The bounds are upper bounds (theory.md, "Rates in the domain radius"), so the test is one-sided: with the logarithm's
exponent fixed at the bound's, the whole 95 % interval of the rate over all radii must lie at or above 1 (geometry) or
2 (energy). Where small cylinders' errors fall faster, that interval covers the local rates at both ends. Beside it:
the rate of the straight part alone, and the slowest local rate, from one radius to the next.

What is measured is the error against the comparison radius, which has an error of its own: left as it is, it would
steepen the rate. It is added back, by the law that the widest cylinders follow.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
import yaml
from measuring import machine, table, write

import sweep
from sweep.variables import Status

STUDIES = Path(__file__).resolve().parents[1] / "studies"
# Half the cube's diagonal, Å, of the lattice constants that the presets' own tests hold them to.
BURGERS = {"tungsten-fs": 0.5 * 3**0.5 * 3.1652, "tungsten-snap": 0.5 * 3**0.5 * 3.18046}
#: The power of the bound R^-1 log(R/b) that each error is held to.
POWERS = {"geometry": 1, "energy": 2}
HEADS = (
    *("potential", "dislocation", "error", "rate [95 %]"),
    *("straight part", "over (Å)", "slowest local", "at least", "verdict"),
)
# The widest cylinders, whose law is taken for the comparison's too, and how often each is found from the other.
WIDEST, ROUNDS = 4, 50


def added_back(errors: xr.DataArray, kind: str, comparison: float, burgers: float) -> xr.DataArray:
    """Errors against no boundary at all, of errors against the comparison radius, radii increasing.

    The narrower core's difference from the wider one is orthogonal, in the energy's inner product, to the wider one's
    from the unbounded one: squares of the geometry errors add, and so do the energy errors.
    """
    radius = errors["simulation_radius"].values
    squares = errors.values ** (2 / POWERS[kind])
    logarithms, beyond = np.log(radius / burgers), np.log(comparison / burgers)
    total = squares
    for _ in range(ROUNDS):
        level = np.log(total / logarithms**2)
        slope, _ = np.polyfit(np.log(radius[-WIDEST:]), level[-WIDEST:], 1)
        share = (comparison / radius[-1]) ** slope * (beyond / logarithms[-1]) ** 2
        total = squares + squares[-1] * share / (1 - share)
    return errors.copy(data=total ** (POWERS[kind] / 2))


def rate(errors: xr.DataArray, kind: str, burgers: float, ends: Literal["leave out", "keep"]) -> xr.Dataset:
    """Fit the rate that is left beside the bound's logarithm."""
    power = float(POWERS[kind])
    return sweep.fit_rate(
        errors,
        "simulation_radius",
        model="power-log",
        log_exponent=power,
        length=burgers,
        at_least=power,
        tolerance=0.0,
        ends=ends,
    )


def slowest(errors: xr.DataArray, kind: str, burgers: float) -> float:
    """Smallest rate between neighbouring radii, beside the bound's logarithm."""
    radius = errors["simulation_radius"].values
    level = np.log(errors.values / np.log(radius / burgers) ** POWERS[kind])
    return float(np.min(-np.diff(level) / np.diff(np.log(radius))))


def rows_of(store: Path) -> Iterator[dict[str, Any]]:
    """Give a row for each dislocation and error of a store."""
    ds = sweep.open_store(store).load().sortby("simulation_radius")
    study = yaml.safe_load(ds.attrs["study"])
    potential, comparison = study["reference"]["preset"], float(study["simulation"]["comparison_radius"])
    burgers = BURGERS[potential]
    for name, kind in itertools.product(ds["dislocation"].values, POWERS):
        core = ds.sel(dislocation=name)
        known = core["truncation_status"] == Status.relaxed
        errors = core[f"truncation_{kind}_error"].where(known, drop=True)
        unbounded = added_back(errors, kind, comparison, burgers)
        fit = rate(unbounded, kind, burgers, "keep")
        straight = rate(unbounded, kind, burgers, "leave out")
        yield {
            "potential": potential,
            "dislocation": str(name),
            "error": kind,
            "comparison radius": comparison,
            "errors": {float(r): float(e) for r, e in zip(errors["simulation_radius"], errors, strict=True)},
            "rate": [float(fit[part]) for part in ("rate", "rate_low", "rate_high")],
            "straight part": [float(straight[part]) for part in ("rate", "rate_low", "rate_high")],
            "straight over": [float(straight[part]) for part in ("first", "last")],
            "slowest local": slowest(unbounded, kind, burgers),
            "bound": POWERS[kind],
            "verdict": str(fit["verdict"].item()),
            "reason": str(fit["reason"].item()),
        }


def shown(row: dict[str, Any]) -> list[str]:
    """Write a row in words."""
    interval = "{:.2f} [{:.2f}, {:.2f}]"
    return [
        *(row[name] for name in ("potential", "dislocation", "error")),
        interval.format(*row["rate"]),
        interval.format(*row["straight part"]),
        "{:g} to {:g}".format(*row["straight over"]),
        f"{row['slowest local']:.2f}",
        f"{row['bound']}",
        row["verdict"],
    ]


def quick_store(folder: Path) -> Path:
    """Run a small study of the same kind."""
    study = yaml.safe_load((STUDIES / "truncation.yaml").read_text(encoding="utf-8"))
    study["study"] = "quick"
    study["dislocations"] = ["screw", "mixed"]
    study["simulation"]["comparison_radius"] = 80.0
    study["axes"]["simulation_radius"] = [12.5, 16.0, 20.0, 25.0]
    path = folder / "quick.yaml"
    path.write_text(yaml.safe_dump(study), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "sweep.cli", "run", str(path)], cwd=folder, check=True)
    return folder / "quick.zarr"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stores", nargs="*", type=Path, help="stores of the truncation studies")
    parser.add_argument("--quick", action="store_true", help="run a small study and fit that")
    parser.add_argument("--write", action="store_true", help="keep the table under benchmarks/results")
    options = parser.parse_args()
    if options.quick == bool(options.stores):
        parser.error("give stores, or --quick")
    with tempfile.TemporaryDirectory() as folder:
        stores = [quick_store(Path(folder))] if options.quick else options.stores
        rows = [row for store in stores for row in rows_of(store)]
    text = table(HEADS, [shown(row) for row in rows])
    text += (
        "\n\nRates are the a of C R^-a log^n(R/b), n the bound's, the comparison's own error added back.\n"
    )
    text += "\n".join(
        f"- {row['potential']} {row['dislocation']} {row['error']}: {row['reason']}" for row in rows
    )
    print(text)
    print(" ".join(f"{name} {value};" for name, value in machine().items()))
    if options.write:
        commands = __doc__.split("\n\n")[1]
        write("truncation", f"# Truncation errors\n\n```\n{commands}\n```\n\n{text}\n", {"rows": rows})


if __name__ == "__main__":
    main()
