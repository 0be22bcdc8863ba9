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

Floats = NDArray[np.float64]

FIELDS_KEPT, CORES_KEPT = 8, 64


def core_shift(equilibrium: str, material: Mapping[str, Any], dislocation: str, corrector: Floats) -> float:
    """Distance between a relaxed core and the reference's, both located alike.

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

    Returns
    -------
    float
        Å.
    """
    state = load_arrays(equilibrium)
    relaxed = state["corrector"].copy()
    relaxed[state["free"]] = corrector
    elastic = tuple(float(material[name]) for name in ("C11", "C12", "C44", "lattice_constant"))
    described = (dislocation, str(material["structure"]), elastic)
    here = locate_core(state["sites"], state["predictor"] + relaxed, _field(*described), state["burgers"])
    return float(np.linalg.norm(here - np.array(_reference_core(equilibrium, *described))))


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
