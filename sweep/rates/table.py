"""Fitted rates for people and for programs: a table, tab-separated lines, JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from rich.table import Table

#: Rows of a table on a terminal, at the most; the other forms have all of them.
LONGEST = 60

_COLUMNS = ("rate", "rate_low", "rate_high", "first", "last", "points", "replicas", "verdict", "reason")


def rates_table(fit: xr.Dataset) -> Table:
    """Give rates as a table for a terminal: a row for each, headed by the dimensions that vary.

    Parameters
    ----------
    fit
        What `sweep.fit_rate` gives.
    """
    dims, labels = _labels(fit)
    varying = [name for name in dims if fit.sizes[name] > 1]
    unit = _unit(fit["first"])
    along, error = fit.attrs["along"], fit.attrs["error"]
    kinds = set(fit["reason"].values.ravel().tolist())
    shared = f"each: {kinds.pop()}" if len(kinds) == 1 else ""
    caption = [_fixed(fit, varying), shared, _cut_note(math.prod(fit.sizes.values()))]
    table = Table(
        title=f"{error} along {along}: {fit.attrs['law']}",
        title_justify="left",
        caption="\n".join(line for line in caption if line) or None,
        caption_justify="left",
    )
    for name in varying:
        table.add_column(name, overflow="fold")
    for heading in ("rate a", f"{100 * fit.attrs['confidence']:g} %", f"{along}\n{unit} used", "points"):
        table.add_column(heading, justify="right")
    compared = fit.attrs["expected"] != "nothing"
    if compared:
        table.add_column(f"expected\n{fit.attrs['expected']}")
    if not shared:
        table.add_column("reason", overflow="fold", ratio=1)
    for place, row in enumerate(_rows(fit)):
        if place == LONGEST:
            break
        cells = [f"{labels[name][place]}" for name in varying]
        cells += [_number(row["rate"], 3), _span(row["rate_low"], row["rate_high"], 3)]
        cells += [
            _span(row["first"], row["last"], 4),
            f"{row['points']}",
            *([row["verdict"]] if compared else []),
        ]
        table.add_row(*cells, *(() if shared else [row["reason"]]))
    return table


def rates_lines(fit: xr.Dataset) -> Iterator[str]:
    """Give rates as tab-separated lines, the first of them the columns' names."""
    dims, labels = _labels(fit)
    yield "\t".join((*dims, *_COLUMNS))
    for place, row in enumerate(_rows(fit)):
        values = [row[name] for name in _COLUMNS]
        words = [f"{value:.6g}" if isinstance(value, float) else f"{value}" for value in values]
        yield "\t".join([f"{labels[name][place]}" for name in dims] + words)


def rates_json(fit: xr.Dataset) -> str:
    """Give rates as a JSON object: what was asked, and a list with an object for each rate; null is unknown."""
    dims, labels = _labels(fit)
    extra = ("standard_error", "prefactor", "log_exponent", "compared_low", "compared_high")
    rows = [
        {**{name: _plain(labels[name][place]) for name in dims}, **{name: _plain(row[name]) for name in row}}
        for place, row in enumerate(_rows(fit, (*_COLUMNS[:3], *extra, *_COLUMNS[3:])))
    ]
    fixed = {str(name): _plain(fit[name].values[()]) for name in fit.coords if fit[name].ndim == 0}
    return json.dumps(
        {**fit.attrs, "selected": fixed, "rates": rows}, indent=1, allow_nan=False, ensure_ascii=False
    )


def _rows(fit: xr.Dataset, names: tuple[str, ...] = _COLUMNS) -> Iterator[dict[str, Any]]:
    """Go through the rates in C order."""
    columns = [fit[name].values.ravel().tolist() for name in names]
    return (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))


def _labels(fit: xr.Dataset) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Give the rates' dimensions, and each rate's label along each."""
    dims = tuple(str(name) for name in fit["rate"].dims)
    axes = [fit[name].values if name in fit.coords else np.arange(fit.sizes[name]) for name in dims]
    spread = np.meshgrid(*axes, indexing="ij")
    return dims, {name: labels.ravel() for name, labels in zip(dims, spread, strict=True)}


def _fixed(fit: xr.Dataset, varying: list[str]) -> str:
    """Name the labels that all rates share."""
    shared = [
        f"{name} {fit[name].values.ravel()[0]}"
        for name in fit.coords
        if name not in varying and fit[name].size == 1
    ]
    return ", ".join(shared)


def _cut_note(rows: int) -> str:
    return f"{LONGEST} of {rows} rates; pipe the command, or --json, for all" if rows > LONGEST else ""


def _unit(array: xr.DataArray) -> str:
    unit = array.attrs.get("units", "1")
    return "" if unit == "1" else f"({unit})"


def _span(low: float, high: float, digits: int) -> str:
    return f"{_number(low, digits)} to {_number(high, digits)}" if math.isfinite(low + high) else "-"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}g}" if math.isfinite(value) else "-"


def _plain(value: Any) -> Any:
    """Give a value as JSON knows it."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
