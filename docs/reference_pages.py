"""Pages of the reference that the code knows best: keys of the study file, variables of the store, commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from sweep.cli import application
from sweep.grid.dimensions import DIMENSIONS
from sweep.study import Study
from sweep.study.presets import PRESETS
from sweep.variables import CYLINDER_VARIABLES, VARIABLES, Source, Status, Trust

NAMES = ("study-file", "store", "commands")


TOP = "What is swept over, on which material, with which reference."


def write(folder: Path) -> None:
    """Write each page as ``<name>.md`` into a folder, where it differs from what is there."""
    for name, text in zip(NAMES, (study_page(), store_page(), commands_page()), strict=True):
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def sections(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Go through the sections of a study file, each before those within it."""
    yield path, model
    for name, field in model.model_fields.items():
        for kind in models_in(field.annotation):
            yield from sections(kind, f"{path}.{name}".lstrip("."))


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Find the sections that a field's type speaks of."""
    if isinstance(annotation, type):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [kind for part in getattr(annotation, "__args__", ()) for kind in models_in(part)]


def default_of(field: Any) -> str:
    """Write a field's default; nothing where it must be given."""
    if field.default is PydanticUndefined:
        return "must be given"
    if isinstance(field.default, BaseModel):
        return "see below"
    if isinstance(field.default, tuple):
        return f"`[{', '.join(map(str, field.default))}]`"
    return "left out" if field.default in (None, {}) else f"`{field.default}`"


def study_page() -> str:
    """Describe every key of a study file."""
    parts = [
        "# The study file",
        (
            "YAML, in UTF-8. A wrong key or value is refused with its path and what would be accepted, before anything "
            "is written. This page is made from the code that reads the file."
        ),
    ]
    for path, model in sections(Study, ""):
        described = TOP if model is Study else (model.__doc__ or "").strip()
        rows = []
        for name, field in model.model_fields.items():
            within = f"{path}.{name}".lstrip(".")
            rows.append(
                [f"`{name}`", field.description or f"a section: [{within}](#{within})", default_of(field)]
            )
        heading = f"## {path or 'At the top'}"
        anchor = f"({path})=\n" if path else ""
        parts += [anchor + heading, cleandoc(described)]
        parts.append(table(["key", "accepts", "default"], rows))
    parts += ["## Presets", "References by name, `reference: {preset: …}`."]
    presets = [
        [f"`{name}`", each.element, each.structure, f"{each.cutoff:g}", each.source]
        for name, each in PRESETS.items()
    ]
    parts.append(table(["preset", "element", "structure", "cutoff (Å)", "publication"], presets))
    return "\n\n".join(parts) + "\n"


#: Where values come from, in words.
SOURCES = {
    Source.block: "fit",
    Source.point: "relaxation",
    Source.cylinder: "reference",
    Source.derived: "computed from others",
}


def store_page() -> str:
    """Describe the dimensions and variables of a store."""
    dimensions = [
        [f"`{name}`", units, long_name] for name, (units, long_name) in described_dimensions().items()
    ]
    rows = [
        [f"`{each.name}`", each.units, each.long_name, ", ".join(each.extra_dims), SOURCES[each.source]]
        for each in (*VARIABLES, *CYLINDER_VARIABLES)
    ]
    flags = [[f"`{flag.name}`", str(int(flag))] for flag in Status]
    trust = [[f"`{flag.name}`", str(int(flag))] for flag in Trust]
    return (
        "\n\n".join(
            [
                "# The store",
                "`sweep.open_store(path)` or `xarray.open_zarr(path)`. This page is made from the code that writes it.",
                "## Dimensions",
                table(["dimension", "unit", "meaning"], dimensions),
                "## Variables",
                (
                    "Each has the dimensions above, in that order, and those named here; those of the reference alone "
                    "have (`dislocation`, `simulation_radius`)."
                ),
                table(["variable", "unit", "meaning", "further dimensions", "comes from"], rows),
                "## Status",
                table(["status", "number"], flags),
                "`NaN` never means pending: look at `status`.",
                "## Trust of estimates",
                table(["estimate_trusted", "number"], trust),
            ]
        )
        + "\n"
    )


def described_dimensions() -> dict[str, tuple[str, str]]:
    """Give each dimension's unit and meaning."""
    return {name: (str(about[0]), str(about[1])) for name, about in DIMENSIONS.items()}


def commands_page() -> str:
    """Describe every command with its arguments and options."""
    group = typer.main.get_command(application)
    parts = [
        "# Commands",
        (
            "Exit status: 0 done, 1 done with failed points, 2 bad input (nothing written), 3 stopped by "
            "the machine, 130 interrupted; after the last two, running again goes on."
        ),
    ]
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        rows = []
        for parameter in command.params:
            if parameter.name == "help":
                continue
            flag = (
                parameter.opts[0]
                if parameter.param_type_name == "option"
                else str(parameter.metavar or parameter.name)
            )
            rows.append([f"`{flag}`", getattr(parameter, "help", None) or ""])
        parts += [f"## sweep {name}", command.help or "", table(["argument or option", "meaning"], rows)]
    return "\n\n".join(parts) + "\n"
