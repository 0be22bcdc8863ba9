"""Dislocations that matscipy has no class for, on its base classes."""

from __future__ import annotations

import numpy as np
from matscipy.dislocation import (
    CubicCrystalDislocation,
    CubicCrystalDissociatedDislocation,
    FCCEdge110Dislocation,
    FCCScrewShockleyPartial,
)


class FCC60Degree110Dislocation(CubicCrystalDissociatedDislocation):  # type: ignore[misc]
    """Mixed ½⟨110⟩{111} dislocation of fcc, its Burgers vector at 60° to the line [1-10]."""

    burgers_dimensionless = np.array([1.0, 0.0, -1.0]) / 2
    # partials at 30° and 90° to the line
    new_left_burgers = np.array([2.0, -1.0, -1.0]) / 6
    new_right_burgers = np.array([1.0, 1.0, -2.0]) / 6
    left_dislocation = FCCScrewShockleyPartial
    right_dislocation = FCCScrewShockleyPartial
    name = "1/2<110>{111} 60 degree"


class DiamondGlideEdge(CubicCrystalDislocation):  # type: ignore[misc]
    """Edge ½⟨110⟩{111} dislocation in the glide set of diamond, its line along [-1-12]."""

    crystalstructure = "diamond"
    axes = np.array(FCCEdge110Dislocation.axes)
    burgers_dimensionless = np.array([1.0, -1.0, 0.0]) / 2
    # midway between the two near planes of the glide set, at 1/4 and 1/3 of √3
    unit_cell_core_position_dimensionless = np.array([0.0, 7 * np.sqrt(3) / 24, 0.0])
    glide_distance_dimensionless = FCCEdge110Dislocation.glide_distance_dimensionless
    n_planes = 6
    name = "1/2<110>{111} edge"


#: By name.
CLASSES = {each.__name__: each for each in (FCC60Degree110Dislocation, DiamondGlideEdge)}
