"""How far the core of a relaxed potential lies from the reference's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.cores import locate_core
from kernels.dislocations import elastic_field
from kernels.elastic_fields import ElasticField
from kernels.inputs import load_arrays
from kernels.own_lattice import SimulatedCylinder

Floats = NDArray[np.float64]

FIELDS_KEPT, CORES_KEPT = 8, 64


def core_shift(
    equilibrium: str,
    material: Mapping[str, Any],
    dislocation: str,
    corrector: Floats,
    simulated: SimulatedCylinder | None = None,
) -> float:
    """Distance between a relaxed core and the reference's, each located by the elasticity of its predictor.

    Parameters
    ----------
    equilibrium : str
        Path of the reference equilibrium.
    material : mapping
        ``structure``, ``lattice_constant`` (Å), ``C11``, ``C12``, ``C44`` (GPa).
    dislocation : str
        Kind of dislocation.
    corrector : (n_free, 3)
        Of the relaxed potential, on the free sites, Å.
    simulated : SimulatedCylinder, optional
        The potential's; by default the reference's.

    Returns
    -------
    float
        In the reference's lattice, Å.
    """
    cylinder = simulated or SimulatedCylinder.of_reference(load_arrays(equilibrium), material)
    own = _described(dislocation, cylinder.material)
    here = locate_core(cylinder.sites, cylinder.displacement(corrector), _field(*own), cylinder.burgers)
    scale = float(cylinder.material["lattice_constant"]) / float(material["lattice_constant"])
    there = np.array(_reference_core(equilibrium, *_described(dislocation, material)))
    return float(np.linalg.norm(here / scale - there))


def _described(dislocation: str, material: Mapping[str, Any]) -> tuple[str, str, tuple[float, ...]]:
    """Say what determines an elastic field."""
    elastic = tuple(float(material[name]) for name in ("C11", "C12", "C44", "lattice_constant"))
    return dislocation, str(material["structure"]), elastic


@lru_cache(maxsize=FIELDS_KEPT)
def _field(dislocation: str, structure: str, elastic: tuple[float, ...]) -> ElasticField:
    """Solve the sextic problem once: locating a core asks for the field a hundred times."""
    return elastic_field(dislocation, structure, *elastic)


@lru_cache(maxsize=CORES_KEPT)
def _reference_core(
    equilibrium: str, dislocation: str, structure: str, elastic: tuple[float, ...]
) -> tuple[float, float]:
    state = load_arrays(equilibrium)
    field = _field(dislocation, structure, elastic)
    x, y = locate_core(state["sites"], state["predictor"] + state["corrector"], field, state["burgers"])
    return float(x), float(y)
