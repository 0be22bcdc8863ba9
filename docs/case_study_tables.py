"""Tables of the case study's page, each made from the stores that are shipped in docs/case-study/."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml

import sweep
from sweep.advice import advise
from sweep.advice.sections import sections_of
from sweep.effectivity import Spread, effectivities
from sweep.figures.labels import number
from sweep.figures.replicas import median_interval
from sweep.hypotheses import examine
from sweep.hypotheses.table import hypotheses_lines
from sweep.summary import status_counts
from sweep.variables import Status

SHIPPED = Path(__file__).resolve().parent / "case-study"
ARCHIVE = ".zarr.zip"
#: Tolerance (Å) that advice is asked for.
TOLERANCE = 0.05
#: Kinds of observation as a table's cells name them.
KINDS = {"weight_energy": "E", "weight_forces": "F", "weight_virial": "V", "weight_force_constants": "FC"}

Rows = list[list[str]]


def names() -> list[str]:
    """Name the studies whose stores are shipped."""
    return sorted(path.name.removesuffix(ARCHIVE) for path in SHIPPED.glob(f"*{ARCHIVE}"))


@cache
def opened(name: str) -> xr.Dataset:
    """Read a shipped store."""
    return sweep.open_store(SHIPPED / f"{name}{ARCHIVE}").load()


def table(heads: list[str], rows: Rows) -> str:
    """Write a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def findings(ds: xr.Dataset) -> list[dict[str, str]]:
    """Test the hypotheses on a store: the rows that `sweep hypotheses` prints where its output is piped."""
    lines = hypotheses_lines(examine(ds))
    return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


@cache
def shipped_findings(name: str) -> list[dict[str, str]]:
    """Test the hypotheses on a shipped store."""
    return findings(opened(name))


def interval(value: float, low: float, high: float) -> str:
    """Write a value with its interval."""
    if not np.isfinite(value):
        return "–"
    return number(value, 2) + (f" [{number(low, 2)}, {number(high, 2)}]" if np.isfinite(low) else "")


def median_words(values: xr.DataArray) -> str:
    """Write the median over replicas of an array over replicas alone."""
    found = median_interval(values)
    return interval(*(float(found[name]) for name in ("median", "low", "high")))


def verdicts(*tests: str) -> str:
    """Tabulate the verdicts of all stores on some hypotheses; groups without a statistic are left out."""
    rows = [
        [
            name,
            row["hypothesis"],
            _group(row["group"], ds),
            interval(*(float(row[each]) for each in ("value", "low", "high"))),
            row["verdict"],
            row["data"],
        ]
        for name in names()
        for ds in [opened(name)]
        for row in shipped_findings(name)
        if row["hypothesis"] in tests and np.isfinite(float(row["value"]))
    ]
    return (
        table(["study", "hypothesis", "group", "statistic [95 %]", "verdict", "data"], rows) if rows else ""
    )


def _group(group: str, ds: xr.Dataset) -> str:
    """Name a group by the labels of which its store has several."""
    pairs = [pair.partition("=")[::2] for pair in group.split(",") if pair]
    return ", ".join(f"{name} {label}" for name, label in pairs if ds.sizes.get(name, 1) > 1) or "all"


def combinations(name: str) -> str:
    """Tabulate geometry errors by which kinds of observation are fitted, the best first."""
    if name not in names():
        return ""
    ds = opened(name)
    weights = [dim for dim in KINDS if ds.sizes.get(dim, 1) > 1]
    rows = [
        row
        for used in product([False, True], repeat=len(weights))
        if any(used)
        for row in [_combination(ds, dict(zip(weights, used, strict=True)))]
    ]
    heads = ["fitted", "median geometry error, Å [range of replicas]", "at weights", "relaxed of all"]
    return table(heads, [cells for _, cells in sorted(rows, key=lambda row: row[0])])


def _combination(ds: xr.Dataset, used: dict[str, bool]) -> tuple[float, list[str]]:
    """Give one kind of fit's lowest median over the weights above 0, and its row."""
    chosen = {dim: np.flatnonzero((ds[dim].values > 0) == on) for dim, on in used.items()}
    some = ds[["geometry_error", "status"]].isel(chosen)
    relaxed = some["status"] == Status.relaxed
    errors = some["geometry_error"].where(relaxed)
    # a weighting some of whose replicas did not relax is not better for it
    errors = errors.where(relaxed.sum("replica") >= 0.8 * relaxed.sizes["replica"])
    found = median_interval(errors)
    label = " + ".join(KINDS[dim] for dim, on in used.items() if on)
    count = f"{int(relaxed.sum())} of {relaxed.size}"
    medians = found["median"].values
    if not np.isfinite(medians).any():
        return np.inf, [label, "–", "–", count]
    place = np.unravel_index(np.nanargmin(medians), medians.shape)
    best = found.isel(dict(zip(found["median"].dims, place, strict=True)))
    at = [f"{KINDS[dim]} {best[dim].item():g}" for dim, on in used.items() if on and len(chosen[dim]) > 1]
    error = interval(*(float(best[each]) for each in ("median", "low", "high")))
    return float(best["median"]), [label, error, ", ".join(at) or "–", count]


def advised(name: str, section: str) -> str:
    """Give one section of `sweep advise` for a store, without what all its rows share."""
    if name not in names():
        return ""
    found = {each.name: each for each in sections_of(advise(opened(name), TOLERANCE))}[section]
    kept = [
        at
        for at, head in enumerate(found.columns)
        if head != "reason" and len({row[at] for row in found.rows}) > 1
    ]
    return table([found.columns[at] for at in kept], [[row[at] for at in kept] for row in found.rows])


def places(*stores: str) -> str:
    """Tabulate where the geometry error is in the largest cylinder: within what radius lies half of its square."""
    rows: Rows = []
    for name in sorted(set(stores) & set(names())):
        ds = opened(name).isel(simulation_radius=[-1])
        half = half_radius(ds["strain_error_profile"].where(ds["status"] == Status.relaxed))
        kept = ("dislocation", "weight_virial", "replica")
        half = half.median([dim for dim in half.dims if dim not in kept])
        rows += [
            [
                name,
                str(dislocation),
                f"{float(ds['simulation_radius'][0]):g}",
                f"{virial:g}",
                median_words(half.sel(dislocation=dislocation, weight_virial=virial)),
            ]
            for dislocation, virial in product(ds["dislocation"].values, ds["weight_virial"].values)
        ]
    heads = [
        "study",
        "dislocation",
        "R (Å)",
        "virial weight",
        "half of the square within, Å [range of replicas]",
    ]
    return table(heads, rows) if rows else ""


def own_domains(large: str, own: str) -> str:
    """Tabulate errors of fits by where their training clusters were relaxed, at the largest number of clusters."""
    if not {large, own} <= set(names()):
        return ""
    errors, rows = {}, []
    for name in (large, own):
        ds = opened(name).sel(dislocation="screw")
        relaxed = ds["geometry_error"].where(ds["status"] == Status.relaxed)
        # each radius was asked with two numbers of clusters of its own
        kept = ("domain_radius", "n_train", "weight_virial", "replica")
        errors[name] = relaxed.squeeze([dim for dim in relaxed.dims if dim not in kept], drop=True)
    truncation = opened(own)["training_truncation_error"]
    off = truncation.max([dim for dim in truncation.dims if dim != "domain_radius"])
    for radius in errors[own]["domain_radius"].values:
        for virial in errors[own]["weight_virial"].values:
            cells = []
            for name in (large, own):
                found = errors[name].sel(domain_radius=radius, weight_virial=virial)
                most = found.dropna("n_train", how="all")["n_train"]
                cells.append(median_words(found.sel(n_train=most.max())) if most.size else "–")
            rows.append(
                [
                    f"{radius:g}",
                    number(float(off.sel(domain_radius=radius)), 2),
                    f"{virial:g}",
                    *cells,
                ]
            )
    heads = ["domain radius (Å)", "‖D(ū − ū_own)‖ (Å)", "virial weight"]
    source = [f"median geometry error, Å [range of replicas], source: {each}" for each in ("large", "own")]
    return table([*heads, *source], rows)


def matched(reference: str, potential: str) -> tuple[xr.Dataset, xr.Dataset]:
    """Read two studies of the same fits, the second in lattices of their own: what both relaxed, NaN elsewhere."""
    both = []
    for name in (reference, potential):
        ds = opened(name).sel(dislocation="screw")
        some = ds[["geometry_error", "lattice_error", "elastic_error"]]
        both.append(some.where(ds["status"] == Status.relaxed))
    one, other = xr.align(*both, join="inner")
    shared = one["geometry_error"].notnull() & other["geometry_error"].notnull()
    return one.where(shared), other.where(shared)


def own_lattices(reference: str, potential: str) -> str:
    """Tabulate errors of the same fits in the reference's lattice and in their own, by virial weight."""
    if not {reference, potential} <= set(names()):
        return ""
    one, other = matched(reference, potential)
    sizes = [dim for dim in one["geometry_error"].dims if dim not in ("weight_virial", "replica")]
    # medians over the sizes of training sets, so that replicas are what an interval is over
    columns = [
        abs(other["lattice_error"]).median(sizes),
        other["elastic_error"].median(sizes),
        one["geometry_error"].median(sizes),
        other["geometry_error"].median(sizes),
        (other["geometry_error"] / one["geometry_error"]).median(sizes),
    ]
    counts = other["geometry_error"].notnull().sum([*sizes, "replica"])
    rows = [
        [
            f"{virial:g}",
            f"{int(counts.sel(weight_virial=virial))}",
            *(median_words(column.sel(weight_virial=virial)) for column in columns),
        ]
        for virial in other["weight_virial"].values
    ]
    errors = [f"geometry error (Å), predictor: {each}" for each in ("reference", "potential")]
    heads = [
        "virial weight",
        "fits",
        "lattice error (Å)",
        "elastic error (GPa)",
        *errors,
        "second over first",
    ]
    return table(heads, rows)


def half_radius(profile: xr.DataArray) -> xr.DataArray:
    """Find the distance from the line within which half of the squared geometry error lies (Å).

    Parameters
    ----------
    profile
        Over ``radial_bin``: Å, NaN where there is none. Within a bin its square is spread evenly over the radius.
    """
    share = (profile**2).cumsum("radial_bin") / (profile**2).sum("radial_bin")
    lower, upper = (profile[f"radial_bin_{end}"].values for end in ("lower", "upper"))
    values = np.insert(share.transpose(..., "radial_bin").values, 0, 0.0, axis=-1)
    # the bin in which the half is passed
    at = np.clip((values[..., 1:] < 0.5).sum(axis=-1), 0, len(lower) - 1)
    before, after = (np.take_along_axis(values, (at + step)[..., None], -1)[..., 0] for step in (0, 1))
    part = (0.5 - before) / np.where(after > before, after - before, np.nan)
    return profile.isel(radial_bin=0, drop=True).copy(data=lower[at] + part * (upper[at] - lower[at]))


def estimates() -> str:
    """Tabulate how good linear-response estimates were: what `sweep status` says."""
    rows = [
        [
            name,
            each.dislocation,
            f"{each.degree}",
            *map(_spread, (each.geometry, each.continued, each.trusted)),
        ]
        for name in names()
        for each in effectivities(opened(name))
    ]
    heads = ["study", "dislocation", "degree", "of all relaxed", "of the continued core", "of the trusted"]
    return table(heads, rows)


def _spread(spread: Spread) -> str:
    return f"{interval(spread.median, spread.low, spread.high)} ({spread.count})" if spread.count else "–"


def provenance() -> str:
    """Tabulate what each store was made from and what became of its points; name the packages' versions."""
    rows = [list(_made(name, opened(name))) for name in names()]
    packages: dict[str, Any] = json.loads(opened(names()[0]).attrs["packages"])
    versions = ", ".join(f"{package} {version}" for package, version in sorted(packages.items()))
    return f"{table(['study', 'seed', 'points', 'MiB'], rows)}\n\nMade with {versions}."


def _made(name: str, ds: xr.Dataset) -> Iterator[str]:
    yield f"`studies/case/{name}.yaml`"
    yield f"{yaml.safe_load(ds.attrs['study'])['seed']}"
    yield ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in status_counts(ds).items())
    yield f"{(SHIPPED / f'{name}{ARCHIVE}').stat().st_size / 2**20:.1f}"
