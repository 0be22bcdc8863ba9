"""Dislocation cores as differential displacement maps, after Vitek."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.spatial import Delaunay, QhullError

from sweep.figures.burgers import burgers_vector
from sweep.figures.errors import FigureError
from sweep.figures.labels import number
from sweep.figures.style import COLOURS, Picture, drawing, footnote, panels, wrapped

Floats = NDArray[np.float64]

CORRECTOR = "displacement_corrector"
_NEEDED = ("sites", "displacement_predictor", CORRECTOR)
#: An arrow as long as the distance of its columns stands for this part of the Burgers vector.
FULL_ARROW = 1.0 / 3.0
#: Distance from the line up to which columns are drawn, in Burgers vectors.
REACH = 4.0
# Pairs of columns further apart than this many usual distances are no neighbours.
_NEIGHBOURS = 1.5
# Sites closer than this in projection are one column; layers closer than this along the line, one layer, Å.
_SAME = 0.1


def core_pictures(
    configuration: xr.Dataset, potential: xr.Dataset | None = None, *, reach: float | None = None
) -> Figure:
    """Draw a dislocation's core as a differential displacement map, the reference's beside a potential's.

    Each circle is a column of atoms seen along the line, its shade the layer. Between neighbouring columns an arrow
    shows by how much one is displaced against the other along the Burgers vector, modulo that vector; an arrow as
    long as the columns' distance is a third of it.

    Parameters
    ----------
    configuration
        The reference's: ``xarray.open_zarr(store, group=sweep.store.configuration_path(dislocation, radius))``.
    potential
        A potential's relaxed core on the same sites: ``displacement_corrector`` (site, xyz), Å, and a
        ``name`` among its attributes.
    reach
        Distance from the line up to which columns are drawn, Å; four Burgers vectors unless given.

    Raises
    ------
    FigureError
        If arrays are missing or do not belong together, or no Burgers vector can be seen.

    References
    ----------
    V. Vitek, R. C. Perrin, D. K. Bowen, Phil. Mag. 21:1049 (1970).
    """
    return picture_of_cores(configuration, potential, reach=reach).figure


def picture_of_cores(
    configuration: xr.Dataset, potential: xr.Dataset | None = None, *, reach: float | None = None
) -> Picture:
    """Draw what `core_pictures` draws, with its description."""
    if missing := [name for name in _NEEDED if name not in configuration]:
        raise FigureError(
            f"the configuration has no {', '.join(missing)}; run the study again to have it written"
        )
    sites, predictor, corrector = (np.asarray(configuration[name].values, dtype=float) for name in _NEEDED)
    cores = [("reference", corrector)]
    if potential is not None:
        other = np.asarray(potential[CORRECTOR].values, dtype=float)
        if other.shape != corrector.shape:
            raise FigureError(
                f"the potential's core has {len(other)} sites, the reference's {len(corrector)}: they are not of one "
                "dislocation and radius"
            )
        cores.append((str(potential.attrs.get("name", "potential")), other))
    burgers = burgers_vector(sites, predictor)
    length = float(np.linalg.norm(burgers))
    columns = _columns(sites, reach if reach is not None else REACH * length)
    pairs = _neighbours(sites[columns, :2])
    with drawing():
        figure, axes = panels(len(cores), columns=len(cores), height=3.6 if len(cores) > 1 else 4.6)
        told = []
        for axis, (name, displacement) in zip(axes, cores, strict=True):
            along = (predictor + displacement)[columns] @ burgers / length
            largest = _draw(axis, sites[columns], pairs, along, length)
            axis.set_title(wrapped(name, 60 if len(cores) == 1 else 38))
            told.append(f"{name}: largest difference between neighbouring columns {number(largest, 2)} Å.")
        arrow = f"an arrow from column to column: |b|/3 = {number(length * FULL_ARROW)} Å"
        footnote(figure, f"differential displacements along the Burgers vector; {arrow}")
    title = "Dislocation core"
    if "dislocation" in configuration.attrs:
        title = f"Core of the {configuration.attrs['dislocation']} dislocation"
    if "simulation_radius" in configuration.attrs:
        title += f", simulation radius {configuration.attrs['simulation_radius']:g} Å"
    return Picture(figure, title, f"{title}: differential displacement map. {' '.join(told)}")


def _columns(sites: Floats, reach: float) -> NDArray[np.intp]:
    """Take one site of each column that is near enough."""
    near = np.flatnonzero(np.hypot(sites[:, 0], sites[:, 1]) <= reach)
    _, first = np.unique(np.round(sites[near, :2] / _SAME), axis=0, return_index=True)
    if len(first) < 4:
        raise FigureError(f"{len(first)} columns within {reach:.3g} Å of the line; give a larger reach")
    return np.asarray(near[np.sort(first)], dtype=np.intp)


def _neighbours(points: Floats) -> NDArray[np.intp]:
    """Pair columns that stand next to each other."""
    try:
        triangles = Delaunay(points).simplices
    except QhullError as error:
        raise FigureError("the columns near the line lie on one line: the sites are no crystal's") from error
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    lengths = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    return np.asarray(edges[lengths < _NEIGHBOURS * np.median(lengths)], dtype=np.intp)


def differences(along: Floats, pairs: NDArray[np.intp], length: float) -> Floats:
    """Give the differences of displacement of pairs of columns, from minus half to half the Burgers vector's length.

    Examples
    --------
    >>> differences(np.array([0.0, 0.3, 2.9]), np.array([[0, 1], [0, 2]]), 3.0).round(1).tolist()
    [0.3, -0.1]
    """
    change = along[pairs[:, 1]] - along[pairs[:, 0]]
    return np.asarray(change - length * np.round(change / length), dtype=float)


def _draw(axis: Axes, sites: Floats, pairs: NDArray[np.intp], along: Floats, length: float) -> float:
    """Draw columns and arrows; give the largest difference."""
    points = sites[:, :2]
    change = differences(along, pairs, length)
    apart = points[pairs[:, 1]] - points[pairs[:, 0]]
    middle = (points[pairs[:, 0]] + points[pairs[:, 1]]) / 2
    arrow = apart * (change / (FULL_ARROW * length))[:, None]
    axis.quiver(
        *(middle - arrow / 2).T,
        *arrow.T,
        angles="xy",
        scale_units="xy",
        scale=1,
        units="dots",
        width=1.6,
        headwidth=4,
        headlength=5,
        headaxislength=4.5,
        minlength=0,
        color=COLOURS[0],
        zorder=3,
    )
    layers = np.unique(np.round(sites[:, 2] / _SAME), return_inverse=True)[1].ravel()
    shades = np.linspace(1.0, 0.35, int(layers.max()) + 1)
    axis.scatter(
        points[:, 0],
        points[:, 1],
        s=22,
        c=[str(shades[layer]) for layer in layers],
        edgecolors="#333333",
        linewidths=0.6,
    )
    axis.plot(0, 0, marker="+", color=COLOURS[1], markersize=9, linestyle="")
    axis.set_aspect("equal")
    axis.grid(visible=False)
    axis.set_xlabel("x (Å)")
    axis.set_ylabel("y (Å)")
    return float(np.abs(change).max())
