"""Figures of a store: from a dataset to a matplotlib figure, nothing more loaded than is drawn."""

from sweep.figures.against_cost import error_against_cost
from sweep.figures.against_fit import error_against_fit_error
from sweep.figures.along_axis import error_along
from sweep.figures.cores import core_pictures
from sweep.figures.errors import FigureError
from sweep.figures.estimates import effectivity
from sweep.figures.heat_map import weight_heat_map
from sweep.figures.profile import strain_profile
from sweep.figures.transfers import transfer_matrix

__all__ = [
    "FigureError",
    "core_pictures",
    "effectivity",
    "error_against_cost",
    "error_against_fit_error",
    "error_along",
    "strain_profile",
    "transfer_matrix",
    "weight_heat_map",
]
