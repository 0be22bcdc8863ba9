"""The template of a store: every array, coordinate and attribute, set up before anything is known."""

from __future__ import annotations

import json
import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import zarr
from zarr.abc.store import Store

from sweep.grid import CYLINDER_DIMENSIONS, Grid
from sweep.grid.dimensions import WHOLE_DIMENSIONS
from sweep.location import GROUP_FILE, StoreLike, location_of
from sweep.measured import measured_variables
from sweep.store.codecs import COMPRESSORS
from sweep.store.errors import StoreError, StoreExistsError
from sweep.store.layout import chunk_shape, shortened
from sweep.variables import CONFIG_KINDS, CYLINDER_VARIABLES, VARIABLES, Status, Variable

FORMAT_VERSION = 1
CONVENTIONS = "CF-1.11"

_REQUIRED_ATTRIBUTES = ("study", "fingerprint", "packages")
# Name, dimensions, values, attributes.
_Coordinate: TypeAlias = tuple[str, tuple[str, ...], np.ndarray, dict[str, Any]]


def create_store(
    path: StoreLike,
    grid: Grid,
    radial_bins: Sequence[float],
    attributes: Mapping[str, Any],
    *,
    truncation: bool = False,
    optional: Collection[str] = (),
) -> None:
    """Set up an empty store: every variable over the whole grid, every point pending.

    It appears under its name only when it is whole and on the disk. Nothing of the grid's size is held in
    memory.

    Parameters
    ----------
    path
        Where: a path, whose folder is made where missing, or a URL.
    grid
        The study's grid.
    radial_bins
        Edges of the bins of distance from the dislocation line (Å), increasing from 0 or more.
    attributes
        Attributes of the root: ``study`` (the study's text), ``fingerprint`` and ``packages`` (mappings,
        kept as JSON), ``measures`` (`sweep.measured`) where the user has some, and any others that are strings
        or numbers.
    truncation
        Whether truncation errors are to come: they are pending then, and excluded otherwise.
    optional
        Names of the optional variables that the study asks for.

    Raises
    ------
    StoreExistsError
        If the path exists.
    StoreError
        If an attribute is missing or cannot be stored, or the bins do not increase.
    OSError
        If the store cannot be written; nothing is left behind.
    """
    location = location_of(path)
    root_attributes = _root_attributes(attributes)
    coordinates = [*_grid_coordinates(grid), *_further_coordinates(radial_bins)]
    if location.exists():
        raise StoreExistsError(f"{path} exists; open it, or name another store")
    with location.new_group() as store:
        root = zarr.create_group(store, zarr_format=3, attributes=root_attributes)
        for name, dims, values, coordinate_attributes in coordinates:
            write_array(root, name, dims, values, coordinate_attributes)
        sizes = dict(zip(grid.dims, grid.shape, strict=True))
        sizes |= {name: len(values) for name, _, values, _ in coordinates if name not in sizes}
        for variable in (*VARIABLES, *measured_variables(root_attributes)):
            wanted = not variable.optional or variable.name in optional
            if wanted and (variable.along is None or variable.along in grid.dims):
                _create_variable(root, variable, grid, sizes)
        for variable in CYLINDER_VARIABLES:
            _create_cylinder_variable(root, variable, sizes, truncation=truncation)
        consolidate(store)


def consolidate(path: StoreLike | Store, group: str = "") -> None:
    """Gather all metadata below a group in its own, replaced whole: one read then opens it.

    What is gathered is what readers see from then on: `sweep.store.undo_growth` comes before anything is written.
    """
    if not isinstance(path, Store):
        location = location_of(path)
        consolidate(location.zarr_store(), group)
        location.sync([f"{group}/{GROUP_FILE}" if group else GROUP_FILE])
        return
    with warnings.catch_warnings():
        # Zarr 3 warns that this is not in its specification yet; xarray warns where it is missing.
        warnings.filterwarnings("ignore", "Consolidated metadata is currently not part", UserWarning)
        zarr.consolidate_metadata(path, path=group or None)


def write_array(
    group: zarr.Group, name: str, dims: tuple[str, ...], values: np.ndarray, attributes: Mapping[str, Any]
) -> None:
    """Write a small array whole, in one chunk, with its dimensions' names and its attributes."""
    array = group.create_array(
        name,
        shape=values.shape,
        chunks=tuple(max(1, length) for length in values.shape),
        dtype="str" if values.dtype.kind == "U" else values.dtype,
        compressors=COMPRESSORS,
        dimension_names=dims,
        attributes=dict(attributes),
    )
    array[...] = values


def _root_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    if missing := [name for name in _REQUIRED_ATTRIBUTES if name not in attributes]:
        raise StoreError(
            f"store attributes: {', '.join(missing)} missing; a store says what it was made from"
        )
    given: dict[str, Any] = {}
    for name, value in attributes.items():
        try:
            # JSON text, since netCDF attributes cannot be mappings.
            given[name] = json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else value
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise StoreError(f"store attribute {name} cannot be written as JSON: {error}") from error
    own = {"Conventions": CONVENTIONS, "farfield_format": FORMAT_VERSION}
    title = "Generalisation of machine-learned potentials to dislocations"
    return {"title": title, **given, **own}


def _grid_coordinates(grid: Grid) -> list[_Coordinate]:
    # An axis may be written 6, 8 in the study and still be a length.
    dtypes: dict[str, type] = {"dislocation": np.str_, **dict.fromkeys(WHOLE_DIMENSIONS, np.int64)}
    return [
        (
            axis.name,
            (axis.name,),
            np.asarray(axis.values, dtype=dtypes.get(axis.name, np.float64)),
            {"long_name": axis.long_name, "units": axis.units},
        )
        for axis in grid.axes
    ]


def _further_coordinates(
    radial_bins: Sequence[float],
) -> list[_Coordinate]:
    edges = np.asarray(radial_bins, dtype=np.float64)
    if (
        not (edges.ndim == 1 and len(edges) >= 2 and np.isfinite(edges).all() and edges[0] >= 0)
        or (np.diff(edges) <= 0).any()
    ):
        raise StoreError(
            f"radial_bins are {shortened(edges.ravel().tolist())}; give at least two edges (Å), "
            "increasing from 0 or more"
        )
    what = "distance from the dislocation line"
    kind = {"long_name": "kind of held-out configuration", "units": "1"}
    return [
        ("config_kind", ("config_kind",), np.asarray(CONFIG_KINDS), kind),
        *(
            (name, ("radial_bin",), values, {"long_name": f"{part} of a bin of {what}", "units": "angstrom"})
            for name, values, part in (
                ("radial_bin", (edges[:-1] + edges[1:]) / 2, "centre"),
                ("radial_bin_lower", edges[:-1], "lower edge"),
                ("radial_bin_upper", edges[1:], "upper edge"),
            )
        ),
    ]


def _create_variable(root: zarr.Group, variable: Variable, grid: Grid, sizes: Mapping[str, int]) -> None:
    extra = tuple(sizes[name] for name in variable.extra_dims)
    attributes: dict[str, Any] = dict(variable.attributes)
    if "radial_bin" in variable.extra_dims:
        # So that readers take the edges for coordinates.
        attributes["coordinates"] = "radial_bin_lower radial_bin_upper"
    root.create_array(
        variable.name,
        shape=grid.shape + extra,
        chunks=chunk_shape(grid.shape, len(grid.block_axes)) + extra,
        dtype=variable.dtype,
        compressors=COMPRESSORS,
        fill_value=variable.fill if variable.dtype.startswith("float") else int(variable.fill),
        dimension_names=grid.dims + variable.extra_dims,
        attributes=attributes,
    )


def _create_cylinder_variable(
    root: zarr.Group, variable: Variable, sizes: Mapping[str, int], *, truncation: bool
) -> None:
    """Make an array over (dislocation, simulation_radius), in one chunk: a study has a handful of each."""
    shape = tuple(sizes[name] for name in CYLINDER_DIMENSIONS)
    fill = variable.fill if truncation or variable.flags is None else Status.excluded
    attributes: dict[str, Any] = dict(variable.attributes)
    root.create_array(
        variable.name,
        shape=shape,
        chunks=shape,
        dtype=variable.dtype,
        compressors=COMPRESSORS,
        fill_value=fill if variable.dtype.startswith("float") else int(fill),
        dimension_names=CYLINDER_DIMENSIONS,
        attributes=attributes,
    )
