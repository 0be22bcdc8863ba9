"""Tested hypotheses for people and for programs: a table, tab-separated lines, JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr
from rich.console import Group
from rich.markup import escape
from rich.table import Table

#: Rows of each hypothesis on a terminal, at the most; the other forms have all of them.
LONGEST = 20

_COLUMNS = ("value", "low", "high", "verdict", "data")


def hypotheses_tables(found: Mapping[str, xr.Dataset]) -> Group:
    """Give findings as tables for a terminal: what each hypothesis claims, then a row for each group tested.

    Parameters
    ----------
    found
        What `sweep.hypotheses.examine` gives.
    """
    parts: list[Any] = []
    for name, finding in found.items():
        claim = escape(f"{finding.attrs['claim']}.")
        parts += [f"[bold]{escape(name)}[/bold]: {claim}", _table(finding), ""]
    return Group(*parts[:-1])


def _table(finding: xr.Dataset) -> Table:
    rows = list(_rows(finding))
    more = f"{LONGEST} of {len(rows)} groups; pipe the command, or --json, for all"
    table = Table(
        caption=more if len(rows) > LONGEST else None, caption_justify="left", caption_style="", expand=False
    )
    dims = [str(name) for name in finding["value"].dims if finding.sizes[name] > 1]
    statistic = f"{finding.attrs['statistic']}"
    for heading in (*dims, statistic, f"{100 * finding.attrs['confidence']:g} %", "verdict", "data used"):
        table.add_column(escape(heading), overflow="fold")
    for labels, row in rows[:LONGEST]:
        span = f"{_number(row['low'])} to {_number(row['high'])}" if _finite(row) else "-"
        group = [escape(f"{labels[name]}") for name in dims]
        table.add_row(*group, _number(row["value"]), span, row["verdict"], escape(row["data"]))
    return table


def hypotheses_lines(found: Mapping[str, xr.Dataset]) -> Iterator[str]:
    """Give findings as tab-separated lines, the first of them the columns' names; groups as NAME=LABEL."""
    yield "\t".join(("hypothesis", "group", *_COLUMNS))
    for name, finding in found.items():
        for labels, row in _rows(finding):
            group = ",".join(f"{dim}={label}" for dim, label in labels.items())
            words = [f"{row[key]:.6g}" if isinstance(row[key], float) else row[key] for key in _COLUMNS]
            yield "\t".join((name, group, *words))


def hypotheses_json(found: Mapping[str, xr.Dataset]) -> str:
    """Give findings as a JSON object by hypothesis: claim, statistic, and the groups tested; null is unknown."""
    answer = {
        name: {
            **{key: _plain(value) for key, value in finding.attrs.items()},
            "groups": [
                {**labels, **{key: _plain(value) for key, value in row.items()}}
                for labels, row in _rows(finding)
            ],
        }
        for name, finding in found.items()
    }
    return json.dumps(answer, indent=1, allow_nan=False, ensure_ascii=False)


def _rows(finding: xr.Dataset) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Go through a finding's groups in C order: their labels, and what was found."""
    dims = tuple(map(str, finding["value"].dims))
    axes = [
        finding[name].values if name in finding.coords else np.arange(finding.sizes[name]) for name in dims
    ]
    columns = {name: finding[name].transpose(*dims).values for name in _COLUMNS}
    for place in np.ndindex(*(finding.sizes[name] for name in dims)):
        labels = {name: _plain(axis[at]) for name, axis, at in zip(dims, axes, place, strict=True)}
        yield labels, {name: _item(values[place]) for name, values in columns.items()}


def _item(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _finite(row: Mapping[str, Any]) -> bool:
    return math.isfinite(row["low"]) and math.isfinite(row["high"])


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "-"


def _plain(value: Any) -> Any:
    """Give a value as JSON knows it."""
    value = _item(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
