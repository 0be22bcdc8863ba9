"""Advice for people and for programs: tables, tab-separated lines, JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from sweep.advice.advice import Advice
from sweep.advice.conclusions import asked, conclusions
from sweep.advice.sections import ALL, NONE, Section, sections_of

#: Rows of a table on a terminal, at the most; the other forms have all of them.
LONGEST = 40
# The column of the labels that name a point, one below the other.
POINT = "point"


def advice_tables(advice: Advice) -> Group:
    """Give advice as tables for a terminal, one below the other."""
    tables = [part for section in sections_of(advice) for part in ("", _table(section))]
    return Group(f"[bold]{escape(asked(advice))}[/bold]", *map(escape, conclusions(advice)), *tables)


def advice_lines(advice: Advice) -> Iterator[str]:
    """Give advice as plain lines: for each section its name after a #, the columns' names, and rows between tabs."""
    yield f"# {asked(advice)}"
    for sentence in conclusions(advice):
        yield f"# {sentence}"
    for section in sections_of(advice):
        yield ""
        yield f"# {section.name}: {section.note}" if section.note else f"# {section.name}"
        if section.columns:
            yield "\t".join(section.columns)
        for row in section.rows:
            yield "\t".join(row)


def advice_json(advice: Advice) -> str:
    """Give advice as a JSON object, of the shape of `Advice`; null is unknown."""
    return json.dumps(_plain(asdict(advice)), indent=1, allow_nan=False, ensure_ascii=False)


def _table(section: Section) -> Table:
    columns, rows, fixed = _narrowed(section)
    cut = f"{LONGEST} of {len(rows)} rows; pipe the command, or --json, for all"
    notes = [cut if len(rows) > LONGEST else "", fixed, section.note]
    table = Table(
        title=section.title,
        title_justify="left",
        title_style="bold",
        caption=escape("; ".join(filter(None, notes))) or None,
        caption_justify="left",
        caption_style="",
        show_header=bool(columns),
    )
    for heading in columns:
        table.add_column(escape(heading), overflow="fold", no_wrap=heading == POINT)
    for row in rows[:LONGEST]:
        table.add_row(*map(escape, row))
    return table


def _narrowed(section: Section) -> tuple[list[str], list[list[str]], str]:
    """Make a section narrow enough for a terminal.

    What all rows share is said once, beneath; the other labels that name a point go into one column.
    """
    rows = [dict(zip(section.columns, row, strict=True)) for row in section.rows]
    kinds = {
        name: list(dict.fromkeys(row[name] for row in rows if row[name] not in (ALL, NONE)))
        for name in (*section.places, *section.labels)
    }
    # a single point's labels are what one came for
    shared = [name for name, labels in kinds.items() if len(labels) == 1 and len(rows) > 1]
    shared += [name for name in section.places if len(kinds[name]) < 2 and name not in shared]
    fixed = ", ".join(f"{name} {kinds[name][0]}" for name in shared if kinds[name])
    named = [name for name in section.labels if name not in shared]
    columns = [name for name in section.columns if name not in (*shared, *named)]
    if named:
        # the sentences above say why, at length
        columns = [*(name for name in columns if name != "reason"), POINT]
        for row in rows:
            row[POINT] = "\n".join(f"{name} {row[name]}" for name in named if row[name] != NONE) or NONE
    return columns, [[row[name] for name in columns] for row in rows], f"each: {fixed}" if fixed else ""


def _plain(value: Any) -> Any:
    """Give a value as JSON knows it."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
