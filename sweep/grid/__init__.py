"""The grid of a study: labelled axes, the cylinders, blocks and weightings they span, and where a block lies."""

from sweep.grid.dimensions import (
    BLOCK_DIMENSIONS,
    CYLINDER_DIMENSIONS,
    DIMENSIONS,
    OPTIONAL_DIMENSIONS,
    WEIGHTING_DIMENSIONS,
    Axis,
    AxisValue,
    GridError,
)
from sweep.grid.places import Block, Cylinder
from sweep.grid.point_list import PointList
from sweep.grid.product import Grid, grid_of
from sweep.grid.weighting import Weighting

__all__ = [
    "BLOCK_DIMENSIONS",
    "CYLINDER_DIMENSIONS",
    "DIMENSIONS",
    "OPTIONAL_DIMENSIONS",
    "WEIGHTING_DIMENSIONS",
    "Axis",
    "AxisValue",
    "Block",
    "Cylinder",
    "Grid",
    "GridError",
    "PointList",
    "Weighting",
    "grid_of",
]
