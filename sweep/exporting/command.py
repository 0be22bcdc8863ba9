"""What `sweep export` does: choose by the file's suffix, write, say what was written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import xarray as xr
from rich.console import Console

from sweep.exporting.choice import labels_in
from sweep.exporting.errors import ExportError
from sweep.exporting.structures import export_structures
from sweep.exporting.tables import export_csv, export_netcdf, export_parquet
from sweep.location import FolderLocation, StoreLike, location_of
from sweep.store import StoreError, open_store
from sweep.zipped_store import zip_store

DONE, REFUSED = 0, 2
TABLES: dict[str, Callable[[xr.Dataset, Path], int]] = {
    ".csv": export_csv,
    ".nc": export_netcdf,
    ".parquet": export_parquet,
}
STRUCTURES, ARCHIVE = ".xyz", ".zip"
POTENTIALS = (".npz", ".yace")


def export(store: StoreLike, output: Path, at: Sequence[str] = (), artefacts: Path | None = None) -> int:
    """Export what a file's suffix asks for, and print a line about it.

    Parameters
    ----------
    store
        The store.
    output
        The file: a potential (``.npz``, ``.yace``), every point (``.csv``, ``.nc``, ``.parquet``), the dislocation
        cores (``.xyz``), or the whole store (``.zarr.zip``).
    at
        Of a potential: texts of NAME=LABEL, separated by commas, that say which point.
    artefacts
        Of a potential: folder of artefacts, where it is not in the run folder beside the store.

    Returns
    -------
    int
        Exit status: 0, or 2 for bad input, after one message on stderr.
    """
    try:
        line = _exported(store, output, at, artefacts)
    except (ExportError, StoreError, OSError) as refusal:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"sweep: {refusal}", markup=False)
        return REFUSED
    Console(soft_wrap=True, highlight=False).print(line, markup=False)
    return DONE


def _exported(store: StoreLike, output: Path, at: Sequence[str], artefacts: Path | None) -> str:
    suffix = output.suffix.lower()
    if suffix in POTENTIALS:
        # only this starts a kernel
        from sweep.exporting.potential import export_potential

        labels, status = export_potential(store, output, labels_in(at), artefacts=artefacts)
        named = ", ".join(f"{name} {label}" for name, label in labels.items())
        return f"{output}: the potential of {named} ({status.name})"
    if at or artefacts is not None:
        raise ExportError(
            f"--at and --artefacts are for potentials ({', '.join(POTENTIALS)}); {output.name} is none"
        )
    if suffix == STRUCTURES:
        frames = export_structures(store, output)
        return f"{output}: {frames} dislocation core{'s' * (frames != 1)}"
    if suffix == ARCHIVE:
        place = location_of(store)
        if not isinstance(place, FolderLocation):
            raise ExportError(
                f"{store}: only a store in a folder is put into an archive; copy it to one first"
            )
        points = open_store(place)["status"].size
        zip_store(place, output)
        return f"{output}: a store of {points} point{'s' * (points != 1)}, to be read as it is"
    if suffix in TABLES:
        points = TABLES[suffix](open_store(store), output)
        return f"{output}: {points} point{'s' * (points != 1)}"
    known = (*POTENTIALS, *TABLES, STRUCTURES, ARCHIVE)
    raise ExportError(f"{output}: the suffix says the format; give one of {', '.join(known)}")
