"""One point's potential as a file that other programs read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sweep.artefacts import ArtefactFolder, Recipe
from sweep.exporting.choice import block_of, chosen_point, named, place_of
from sweep.exporting.errors import ExportError
from sweep.exporting.stored_study import stored_recipes
from sweep.exporting.whole_file import whole_file
from sweep.fingerprint import differences
from sweep.gang import Gang, GangError, GangOptions, KernelError
from sweep.grid import AxisValue
from sweep.kernel_arguments import resolved
from sweep.kernel_versions import KERNEL_VERSIONS
from sweep.location import StoreLike, location_of
from sweep.recipes import needs
from sweep.store import open_store, stored_fingerprint
from sweep.variables import Status

KERNEL = "kernels.exported:potential_file"
# Building and tabulating the largest basis takes a minute, s.
LIMIT_S = 600.0


def export_potential(
    store: StoreLike,
    path: str | os.PathLike[str],
    at: Mapping[str, str],
    *,
    artefacts: str | os.PathLike[str] | None = None,
) -> tuple[dict[str, AxisValue], Status]:
    """Write the potential of one point.

    Parameters
    ----------
    store
        The store; the folder of artefacts of the run that made it must still be there.
    path
        The file, replaced where it exists. Its suffix says the format: ``.npz`` for ace-jax, ``.yace`` for PACE.
    at
        Labels by axis, as text; an axis with a single label may be left out.
    artefacts
        Folder of artefacts; by default the one in the run folder beside the store.

    Returns
    -------
    labels : dict
        The point's label on each axis.
    status : Status
        How far the point came.

    Raises
    ------
    ExportError
        If no point is meant or several are, it has no fit or its fit is gone, or the format cannot hold it.
    StoreError
        As `sweep.open_store`.
    OSError
        If the file cannot be written.
    """
    location, path = location_of(store), Path(path)
    dataset = open_store(store)
    labels = chosen_point(dataset, at)
    status = Status(int(dataset["status"].sel(labels)))
    if status in _NO_FIT:
        raise ExportError(f"{named(labels)} is {status.name}: {_NO_FIT[status]}")
    folder = ArtefactFolder(location.run_folder / "artefacts" if artefacts is None else artefacts)
    recipes = stored_recipes(store, block_of(labels), folder)
    fit = recipes.fit(block_of(labels))
    _check_there(folder, (recipes.material, fit), labels, store)
    arguments = {name: fit.inputs[name] for name in ("basis", "material")}
    contents = _written(arguments | {"fit": fit, "weighting": place_of(recipes.grid, labels)}, folder, path)
    with whole_file(path) as temporary:
        temporary.write_bytes(contents)
    return labels, status


_NO_FIT = {
    Status.pending: "it has not been fitted yet; run the study to its end",
    Status.failed: "its journal and the run's output say why; `sweep run --retry-failed` tries it again",
    Status.excluded: "every weight is zero, which is no fit; choose another weighting",
    Status.not_asked: "the study's list of points leaves it out; add it there and run the study again",
}


def _check_there(
    folder: ArtefactFolder, recipes: tuple[Recipe, ...], labels: Mapping[str, AxisValue], store: StoreLike
) -> None:
    """Refuse where an artefact is gone or is not the one that the store's numbers are of, and say how it comes back."""
    made_with = stored_fingerprint(store).get("kernels", {})
    # in a shared folder the fit of a newer version may stand, of which this store says nothing
    same = all(made_with.get(each, version) == version for each, version in _behind(recipes).items())
    if same and all(folder.has(recipe) for recipe in recipes):
        return
    changed = differences(made_with, KERNEL_VERSIONS)
    why = f" (this version of Farfield has other kernels: {'; '.join(changed)})" if changed else ""
    raise ExportError(
        f"the fit of {named(labels)} is not in {folder.path}{why}. Name the folder that the run used with "
        "--artefacts; if it is gone, make the fits again by running the study into another store: "
        f"sweep run STUDY --store NEW.zarr --artefacts {folder.path}"
    )


def _behind(recipes: Iterable[Recipe]) -> dict[str, int]:
    """Give every kernel that recipes and what they draw on name, with its version."""
    found: dict[str, int] = {}
    for recipe in recipes:
        found |= {recipe.function: recipe.version} | _behind(needs(recipe))
    return found


def _written(inputs: Mapping[str, Any], folder: ArtefactFolder, path: Path) -> bytes:
    """Have the kernel write the file, in a gang of its own."""
    arguments = resolved(inputs, folder, {})
    try:
        with Gang(GangOptions(ranks=1)) as gang:
            answer = gang.call(KERNEL, timeout_s=LIMIT_S, suffix=path.suffix.lower(), **arguments)
    except KernelError as error:
        raise ExportError(f"{path} cannot be written: {error.reason}") from error
    except GangError as error:
        raise ExportError(f"{path} cannot be written: {error}") from error
    return bytes(answer["contents"].tobytes())
