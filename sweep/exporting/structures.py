"""The dislocation cores that a store keeps, as extended XYZ."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import zarr
from ase import Atoms

from sweep.exporting.errors import ExportError
from sweep.exporting.whole_file import whole_file
from sweep.location import StoreLike
from sweep.store import StoreError, open_store, stored_fingerprint
from sweep.store.configurations import GROUP
from sweep.store.root import open_root

CORRECTOR = "displacement_corrector"
# Room beside a cylinder in its box, Å: it is periodic along its line alone.
VACUUM = 20.0


def export_structures(store: StoreLike, path: str | os.PathLike[str]) -> int:
    """Write the relaxed cores of a store's group ``configurations``, a frame each.

    A frame holds the positions (Å), and for each atom its ``site`` of the perfect crystal (Å), its
    ``displacement_corrector`` (Å) and whether it was ``free``; its ``kind`` says whether it is the reference's core or
    a potential's. The line runs along z through the origin, periodic with the store's period where it knows it.

    Parameters
    ----------
    store
        The store.
    path
        The file, replaced where it exists.

    Returns
    -------
    int
        Number of frames.

    Raises
    ------
    ExportError
        If the store keeps no configuration, or they cannot be read.
    StoreError
        As `sweep.open_store`.
    OSError
        If the file cannot be written.
    """
    open_store(store)
    element = stored_fingerprint(store).get("potential", {}).get("element")
    if not isinstance(element, str):
        raise ExportError(f"{store} does not name the element of its atoms; use the version that made it")
    try:
        frames = list(_frames(open_root(store, "r"), element))
    except StoreError:
        raise
    # what a damaged chunk raises is the codec's affair
    except (RuntimeError, ValueError, KeyError) as error:
        raise ExportError(f"the configurations of {store} cannot be read: {error}") from error
    if not frames:
        raise ExportError(f"{store} keeps no configuration yet; run the study to its end")
    with whole_file(Path(path)) as temporary:
        ase.io.write(temporary, frames, format="extxyz")
    return len(frames)


def _frames(root: zarr.Group, element: str) -> Iterator[Atoms]:
    """Give the reference's cores, and beneath each what potentials made of it."""
    for name in sorted(path for path, _ in root.members(max_depth=None) if path.startswith(f"{GROUP}/")):
        group = root[name]
        if isinstance(group, zarr.Group) and "sites" in group:
            arrays: dict[str, Any] = dict(group.arrays())
            reference = {each: np.asarray(array[...]) for each, array in arrays.items()}
            yield _frame(element, reference, {"kind": "reference", **group.attrs})
            for below, member in sorted(group.members(max_depth=None)):
                if isinstance(member, zarr.Group) and CORRECTOR in member:
                    own: Any = member[CORRECTOR]
                    labels = {"kind": "potential", "group": below, **group.attrs, **member.attrs}
                    yield _frame(element, reference | {CORRECTOR: np.asarray(own[...])}, labels)


def _frame(element: str, arrays: dict[str, np.ndarray], labels: dict[str, Any]) -> Atoms:
    positions = arrays["sites"] + arrays["displacement_predictor"] + arrays[CORRECTOR]
    period = labels.get("period")
    atoms = Atoms([element] * len(positions), positions=positions)
    if period is not None:
        width, height, _ = np.ptp(positions, axis=0) + VACUUM
        atoms.set_cell([width, height, float(period)])
        atoms.set_pbc([False, False, True])
    atoms.info.update({name: value for name, value in labels.items() if isinstance(value, str | int | float)})
    atoms.arrays["site"], atoms.arrays[CORRECTOR] = arrays["sites"], arrays[CORRECTOR]
    atoms.arrays["free"] = arrays["free"].astype(bool)
    return atoms
