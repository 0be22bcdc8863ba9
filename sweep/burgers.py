"""The Burgers vectors of a study's dislocations, read off its reference equilibria."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sweep.artefacts import Recipe
from sweep.prepared import Prepared
from sweep.store.burgers import read_burgers_lengths, write_burgers_lengths


def keep_burgers_lengths(prepared: Prepared) -> None:
    """Keep in the store how long each dislocation's Burgers vector is, as far as an equilibrium says it.

    Only the driver may call this, under its lock. Raises as `sweep.store.burgers.write_burgers_lengths`.
    """
    store, artefacts = prepared.folders.store, prepared.artefacts
    known = read_burgers_lengths(store)
    found = {}
    for dislocation in prepared.study.dislocations:
        if dislocation in known:
            continue
        made = next((each for each in _equilibria(prepared, dislocation) if artefacts.has(each)), None)
        if made is not None:
            found[dislocation] = float(np.linalg.norm(artefacts.read(made)["burgers"]))
    if found:
        write_burgers_lengths(store, found)


def _equilibria(prepared: Prepared, dislocation: str) -> Iterator[Recipe]:
    """Give what knows a dislocation's Burgers vector, the smallest first."""
    for radius in sorted(prepared.study.axes.simulation_radius):
        yield prepared.recipes.equilibrium(dislocation, radius)
    if prepared.recipes.comparing:
        yield prepared.recipes.comparison_equilibrium(dislocation)
