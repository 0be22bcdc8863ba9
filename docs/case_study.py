"""The case study's numbers and figures, from the stores that are shipped in docs/case-study/.

    python docs/case_study.py            # draws, and writes what docs/case-study.md has between its markers
    python docs/case_study.py FOLDER     # first puts the stores of a FOLDER in place of those that are shipped

Before stores are replaced, every finding of the new ones is compared with the shipped ones' intervals; exit status 1
says that one fell outside. `make case-study` does all of it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from case_study_tables import (
    ARCHIVE,
    SHIPPED,
    advised,
    combinations,
    estimates,
    findings,
    names,
    opened,
    own_domains,
    own_lattices,
    places,
    provenance,
    shipped_findings,
    verdicts,
)

import sweep
from sweep.figures.against_cost import picture_against_cost
from sweep.figures.against_fit import picture_against_fit
from sweep.figures.along_axis import picture_along
from sweep.figures.heat_map import picture_of_weights
from sweep.figures.profile import picture_of_profile
from sweep.figures.saving import save
from sweep.figures.style import Picture
from sweep.figures.transfers import picture_of_transfers
from sweep.location import location_of
from sweep.zipped_store import zip_store

PAGE = SHIPPED.with_suffix(".md")
STUDIES = PAGE.parents[1] / "studies" / "case"
FORM = "svg"
_BLOCK = re.compile(r"(<!-- from the stores: (table|figure) (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)

#: What stands where a store that a figure or a table is of has not been shipped.
MISSING = "*The store of this is not among those that are shipped yet: `make case-study` makes it.*"

#: Each figure: its store, and what draws it.
FIGURES: dict[str, tuple[str, Callable[[xr.Dataset], Picture]]] = {
    "size": ("tungsten-screw-mixed", picture_against_cost),
    "size-edge": ("tungsten-edge", picture_against_cost),
    "size-silicon": ("silicon", picture_against_cost),
    "size-finnis-sinclair": ("finnis-sinclair", picture_against_cost),
    "observations": ("tungsten-observations", picture_of_weights),
    "forces": ("tungsten-screw-mixed", partial(picture_against_fit, fit_error="rmse_forces")),
    "virials": ("tungsten-screw-mixed", partial(picture_against_fit, fit_error="rmse_virial")),
    "growth": ("tungsten-growth", partial(picture_along, along="simulation_radius")),
    "growth-silicon": ("silicon-growth", partial(picture_along, along="simulation_radius")),
    "growth-finnis-sinclair": ("finnis-sinclair-growth", partial(picture_along, along="simulation_radius")),
    "profile": ("tungsten-growth", picture_of_profile),
    "profile-finnis-sinclair": ("finnis-sinclair-growth", picture_of_profile),
    "transfer": ("tungsten-transfer", picture_of_transfers),
}

#: What stands between the page's markers, by name.
TABLES: dict[str, Callable[[], str]] = {
    "H1 and H2": partial(verdicts, "H1", "H2", "H2, departures"),
    "H3": partial(verdicts, "H3"),
    "H4": partial(verdicts, "H4"),
    "fit accuracy": partial(verdicts, "fit, forces", "fit, virials"),
    "front": partial(advised, "tungsten-screw-mixed", "front"),
    "own domains": partial(own_domains, "tungsten-screw-mixed", "tungsten-own"),
    "own lattices": partial(own_lattices, "tungsten-screw-mixed", "tungsten-lattice"),
    "observations": partial(advised, "tungsten-observations", "observations"),
    "combinations": partial(combinations, "tungsten-observations"),
    "transfer": partial(advised, "tungsten-transfer", "elsewhere"),
    "weighting": partial(advised, "tungsten-transfer", "transfers"),
    "place": partial(places, "tungsten-growth", "finnis-sinclair-growth", "silicon-growth"),
    "estimates": estimates,
    "provenance": provenance,
}


def figure(name: str) -> str:
    """Draw a figure, and give the page's lines for it."""
    store, draw = FIGURES[name]
    if store not in names():
        return MISSING
    picture = draw(opened(store))
    save(picture, SHIPPED / f"{name}.{FORM}", FORM)
    return f"![{picture.alt}](case-study/{name}.{FORM})"


def page(text: str) -> str:
    """Fill a page's markers from the shipped stores."""

    def filled(match: re.Match[str]) -> str:
        begin, kind, name, end = match.groups()
        return f"{begin}\n{figure(name) if kind == 'figure' else TABLES[name]() or MISSING}\n\n{end}"

    return _BLOCK.sub(filled, text)


def outside(name: str, new: xr.Dataset) -> Iterator[str]:
    """Compare a new store's findings with the shipped one's intervals, and give those that fall outside."""
    known = {(row["hypothesis"], row["group"]): row for row in shipped_findings(name)}
    for row in findings(new):
        if (old := known.get((row["hypothesis"], row["group"]))) is None:
            continue
        value, low, high = float(row["value"]), float(old["low"]), float(old["high"])
        if np.isfinite(low) and not low <= value <= high:
            yield f"{name}, {row['hypothesis']}, {row['group']}: {value:.3g} outside [{low:.3g}, {high:.3g}]"


def ship(folder: Path) -> int:
    """Put stores in place of those that are shipped; count findings that left the shipped intervals."""
    strays = 0
    for study in sorted(STUDIES.glob("*.yaml")):
        store = folder / f"{study.stem}.zarr"
        if not store.is_dir():
            continue
        if study.stem in names():
            for line in outside(study.stem, sweep.open_store(store).load()):
                print(line)
                strays += 1
        zip_store(location_of(store), SHIPPED / f"{study.stem}{ARCHIVE}")
    # what was read of those before
    for read in (opened, shipped_findings):
        read.cache_clear()
    print(f"{strays} findings outside the intervals of the stores that were shipped")
    return strays


def main() -> int:
    """Ship, draw, write the page."""
    SHIPPED.mkdir(exist_ok=True)
    strays = ship(Path(sys.argv[1])) if len(sys.argv) > 1 else 0
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 1 if strays else 0


if __name__ == "__main__":
    raise SystemExit(main())
