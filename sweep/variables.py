"""The store's variables: names, units and meanings, and which record each value comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, IntEnum

CONFIG_KINDS = ("bulk", "core")


class Status(IntEnum):
    """How far a point has come; the numbers are the store's and fixed for ever."""

    pending = 0
    estimated = 1
    relaxed = 2
    unconverged = 3
    other_minimum = 4
    failed = 5
    excluded = 6
    #: A point of the axes' product that the study's list of points leaves out.
    not_asked = 7


class StatusSource(IntEnum):
    """Which record gave a point its status: none yet, its block's, or its own."""

    none = 0
    block = 1
    point = 2


class Trust(IntEnum):
    """Whether a linear-response estimate can be trusted; the numbers are the store's and fixed for ever."""

    unknown = 0
    trusted = 1
    distrusted = 2


class Source(Enum):
    """Which record a variable's values come from."""

    #: The block's record alone: a fit's result, known for all its weightings at once.
    block = "block"
    #: The point's own record, or its block's while it has none.
    point = "point"
    #: The record of a cylinder: of the reference alone, whatever is fitted to it.
    cylinder = "cylinder"
    #: Computed from other variables when records are written.
    derived = "derived"


@dataclass(frozen=True)
class Variable:
    """One variable of the store, over all of the grid's dimensions; those of cylinders over the first two.

    Counts are float64 whole numbers, NaN where a point has none: an integer's stand-in for "none" would enter
    means unseen.

    Parameters
    ----------
    name, units, long_name
        As in the store; units in UDUNITS spelling, ``"1"`` where there are none.
    source
        Which record gives it.
    dtype
        NumPy name of its type in the store.
    extra_dims
        Dimensions after those of the grid.
    fill
        Value at points that have none; NaN never means pending, `status` says so.
    flags
        The enumeration whose numbers it holds, if it holds flags.
    along
        A dimension that not every grid has: a store without it has no such variable.
    optional
        Whether only stores of studies that ask for it have it.
    """

    name: str
    units: str
    long_name: str
    source: Source
    dtype: str = "float64"
    extra_dims: tuple[str, ...] = ()
    fill: float = math.nan
    flags: type[IntEnum] | None = None
    along: str | None = None
    optional: bool = False

    @property
    def in_every_store(self) -> bool:
        """Whether every store has it, whatever its study asks for."""
        return self.along is None and not self.optional

    @property
    def attributes(self) -> dict[str, object]:
        """CF attributes as the store writes them."""
        attributes: dict[str, object] = {"long_name": self.long_name, "units": self.units}
        if self.flags is not None:
            attributes["flag_values"] = [int(flag) for flag in self.flags]
            attributes["flag_meanings"] = " ".join(flag.name for flag in self.flags)
        return attributes


_RMSE_DIMS = ("config_kind",)
_BLOCK, _POINT = Source.block, Source.point

#: Every variable over the grid, in the order in which it is written: `status` last.
VARIABLES: tuple[Variable, ...] = (
    Variable("rmse_energy", "eV/atom", "held-out energy RMSE", _BLOCK, extra_dims=_RMSE_DIMS),
    Variable("rmse_forces", "eV/angstrom", "held-out force RMSE", _BLOCK, extra_dims=_RMSE_DIMS),
    Variable("rmse_virial", "eV/atom", "held-out virial RMSE", _BLOCK, extra_dims=_RMSE_DIMS),
    Variable(
        "rmse_force_constants",
        "eV/angstrom^2",
        "RMSE of the core's force constants within the largest domain radius",
        _BLOCK,
        extra_dims=_RMSE_DIMS,
        along="weight_force_constants",
    ),
    Variable("far_field_mismatch", "angstrom^2", "far-field mismatch s", _BLOCK),
    Variable("elastic_error", "GPa", "largest Voigt entry of the error of the elastic constants", _BLOCK),
    Variable("pressure", "GPa", "pressure of the bulk potential at the reference's lattice constant", _BLOCK),
    Variable("lattice_error", "angstrom", "error of the lattice constant at zero pressure", _BLOCK),
    Variable("c11", "GPa", "elastic constant C11 of the potential", _BLOCK),
    Variable("c12", "GPa", "elastic constant C12 of the potential", _BLOCK),
    Variable("c44", "GPa", "elastic constant C44 of the potential", _BLOCK),
    Variable("rank", "1", "number of coefficients that the data determine", _BLOCK),
    Variable("condition", "1", "condition number of the least-squares problem", _BLOCK),
    Variable("basis_size", "1", "number of basis functions", _BLOCK),
    Variable("labelled_atoms", "1", "number of atoms whose labels the training set takes", _BLOCK),
    Variable(
        "training_truncation_error",
        "angstrom",
        "geometry error of the reference's core that training clusters have in a domain of their own",
        _BLOCK,
        optional=True,
    ),
    Variable("geometry_estimate", "angstrom", "linear-response estimate of the geometry error", _BLOCK),
    Variable("energy_estimate", "eV", "linear-response estimate of the energy difference", _BLOCK),
    Variable(
        "energy_estimate_affine",
        "eV",
        "part of energy_estimate that is there before anything relaxes; the rest is quadratic",
        _BLOCK,
    ),
    Variable(
        "strain_error_profile_estimate",
        "angstrom",
        "linear-response estimate of the geometry error within each bin of distance from the line",
        _BLOCK,
        extra_dims=("radial_bin",),
    ),
    Variable(
        "stiffness_estimate",
        "1",
        "estimate of the core's lowest stiffness relative to the reference's, negative where it is no minimum",
        _BLOCK,
    ),
    Variable("trust_ratio", "1", "second step of linear response over the first, where measured", _BLOCK),
    Variable("geometry_error", "angstrom", "geometry error of the relaxed dislocation core", _POINT),
    Variable("energy_error", "eV", "absolute energy error of the relaxed dislocation core", _POINT),
    Variable("energy_difference", "eV", "signed energy error of the relaxed dislocation core", _POINT),
    Variable(
        "strain_error_profile",
        "angstrom",
        "geometry error within each bin of distance from the line",
        _POINT,
        extra_dims=("radial_bin",),
    ),
    Variable(
        "relative_stiffness",
        "1",
        "lowest stiffness relative to the reference's where the reference's core ended, negative at a saddle",
        _POINT,
    ),
    Variable(
        "saddle_geometry_error",
        "angstrom",
        "geometry error of the saddle that continues the reference's core, where it is one",
        _POINT,
    ),
    Variable("newton_steps", "1", "number of steps of the relaxation", _POINT),
    Variable("force_evaluations", "1", "number of force evaluations of the relaxation", _POINT),
    Variable("residual_force", "eV/angstrom", "largest force component on a free atom when it ended", _POINT),
    Variable(
        "wall_time", "s", "wall time of the point's own record, or else its share of its block's", _POINT
    ),
    Variable("effectivity", "1", "geometry_estimate over geometry_error", Source.derived),
    Variable(
        "estimate_trusted",
        "1",
        "whether the linear-response estimates can be trusted; unknown where that was not checked",
        Source.derived,
        dtype="uint8",
        fill=Trust.unknown,
        flags=Trust,
    ),
    Variable(
        "status_source",
        "1",
        "record that gave the status",
        Source.derived,
        dtype="uint8",
        fill=0,
        flags=StatusSource,
    ),
    Variable("status", "1", "status of the point", Source.derived, dtype="uint8", fill=0, flags=Status),
)

#: Every variable over (dislocation, simulation_radius), in the order in which it is written: its status last.
CYLINDER_VARIABLES: tuple[Variable, ...] = (
    Variable(
        "truncation_geometry_error",
        "angstrom",
        "geometry error of the reference's core that the clamped boundary makes",
        Source.cylinder,
    ),
    Variable(
        "truncation_energy_error",
        "eV",
        "absolute energy error of the reference's core that the clamped boundary makes",
        Source.cylinder,
    ),
    Variable(
        "truncation_status",
        "1",
        "status of the truncation errors; excluded where the study names no comparison radius",
        Source.cylinder,
        dtype="uint8",
        fill=Status.pending,
        flags=Status,
    ),
)

#: The variables over the grid by name.
VARIABLE_OF: dict[str, Variable] = {variable.name: variable for variable in VARIABLES}

#: Names that a block's or a point's values may have; wall time and status are fields of the record itself.
RECORDED: frozenset[str] = frozenset(
    variable.name
    for variable in VARIABLES
    if variable.source is not Source.derived and variable.name != "wall_time"
)
