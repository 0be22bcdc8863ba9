"""The page itself: what a store says, put into the template, in one file."""

from __future__ import annotations

import base64
import io
import os
import secrets
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

import xarray as xr
from jinja2 import Environment, PackageLoader, StrictUndefined

from sweep.figures.gallery import pictures
from sweep.figures.saving import save
from sweep.figures.style import Picture
from sweep.location import StoreLike, location_of
from sweep.report.advised import advised
from sweep.report.conclusions import conclusions
from sweep.report.examined import examined
from sweep.report.provenance import provenance_of
from sweep.report.slices import views

# Of text that stands for a study's name where its file gives none.
_UNTITLED = "a study"


@dataclass(frozen=True)
class EmbeddedPicture:
    """A picture as the page holds it.

    Parameters
    ----------
    name
        Unique on the page.
    title, alt
        As in `sweep.figures.style.Picture`.
    source
        A ``data:`` address.
    width, height
        In CSS pixels.
    """

    name: str
    title: str
    alt: str
    source: str
    width: int
    height: int


def write_report(store: StoreLike, target: str | os.PathLike[str], *, tolerance: float | None = None) -> Path:
    """Write the report of a store: one HTML file that needs nothing else, no network either.

    Parameters
    ----------
    store
        The store.
    target
        The file; its folder is made where missing. It is replaced at once, or not at all.
    tolerance
        An error that would do: the page then says what is the cheapest way to it.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    sweep.store.StoreError
        As `sweep.open_store`.
    sweep.advice.AdviceError
        If the tolerance is no number above 0.
    OSError
        If the file cannot be written.
    """
    from sweep.store import open_store

    target = Path(target)
    page = report_html(open_store(store), store, tolerance=tolerance)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        temporary.write_text(page, encoding="utf-8")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def report_html(ds: xr.Dataset, store: StoreLike | None = None, *, tolerance: float | None = None) -> str:
    """Make the report of a store.

    Parameters
    ----------
    ds
        A store, as `sweep.open_store` gives it.
    store
        Its path, for the configurations it keeps; without it no cores are drawn.
    tolerance
        As in `write_report`.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    sweep.advice.AdviceError
        If the tolerance is no number above 0.
    """
    # before the figures, which take longer: a bad tolerance is refused at once
    advice = advised(ds, tolerance)
    shown, missing = [], []
    for name, picture in pictures(ds, store):
        if isinstance(picture, Picture):
            shown.append(_embedded(name, picture))
        else:
            missing.append((name, str(picture)))
    provenance = provenance_of(ds)
    found = views(ds)
    environment = Environment(
        loader=PackageLoader("sweep.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("page.html.j2").render(
        study=_study_name(provenance.study),
        store="" if store is None else location_of(store).name,
        conclusions=conclusions(ds),
        advice=advice,
        hypotheses=examined(ds),
        pictures=shown,
        missing=missing,
        views=found,
        data=[view.data() for view in found],
        provenance=provenance,
        version=_version(),
        style=_part("page.css"),
        script=_part("page.js"),
    )


def _part(name: str) -> str:
    return files("sweep.report").joinpath(name).read_text(encoding="utf-8")


def _embedded(name: str, picture: Picture) -> EmbeddedPicture:
    """Turn a figure into SVG within a data: address: an image of its own, whose ids meet no other's."""
    buffer = io.BytesIO()
    save(picture, buffer, "svg")
    width, height = (round(96 * inches) for inches in picture.figure.get_size_inches())
    source = f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return EmbeddedPicture(name, picture.title, picture.alt, source, width, height)


def _study_name(text: str) -> str:
    """Read the study's name off its text, without a YAML library's opinion of the rest."""
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() == "study":
            return value.partition("#")[0].strip().strip("'\"") or _UNTITLED
    return _UNTITLED


def _version() -> str:
    try:
        return version("farfield")
    except PackageNotFoundError:
        return "unknown"
