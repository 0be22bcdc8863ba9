"""What tells two relaxed cores apart: another place, or another form."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from kernels.core_shift import core_shift
from kernels.cores import OTHER_MINIMUM
from kernels.errors import bond_differences, difference_from
from kernels.inputs import load_arrays
from kernels.own_lattice import SimulatedCylinder

Floats = NDArray[np.float64]

# A bond that differs by more than this fraction of the Burgers vector tells two cores apart. From 10 Å on boundaries
# made 0.0001 to 0.08 of it, most of that in edges; other cores of tungsten and iron differed by 0.15 to 0.64. Fits to
# SNAP's tungsten made up to 0.06 in the reference's core, and 0.2 to 0.39 in others, which mixed and edge dislocations
# fell into while their centres hardly moved.
OTHER_BOND = 0.1


def other_core(
    equilibrium: str,
    material: Mapping[str, object],
    dislocation: str,
    corrector: Floats,
    simulated: SimulatedCylinder | None = None,
) -> str:
    """Say why a relaxed core is another one than an equilibrium's, if it is.

    Parameters
    ----------
    equilibrium : str
        Path of the reference equilibrium.
    material : mapping
        See `kernels.core_shift.core_shift`.
    dislocation : str
        Kind of dislocation.
    corrector : (m, 3)
        Of the relaxed core, on the free sites, Å.
    simulated : SimulatedCylinder, optional
        Where that core is, if not on the equilibrium's lattice and predictor: bonds are compared by correctors alone.

    Returns
    -------
    str
        That its centre is more than a third of the Burgers vector away, or which bond differs most, if by more than a
        tenth; empty where neither holds.
    """
    state = load_arrays(equilibrium)
    burgers = float(np.linalg.norm(state["burgers"]))
    moved = core_shift(equilibrium, material, dislocation, corrector, simulated)
    if moved > OTHER_MINIMUM * burgers:
        return f"the two cores are {moved:.2f} Å apart, more than a third of the Burgers vector"
    lengths = np.linalg.norm(bond_differences(state["bonds"], difference_from(state, corrector)), axis=1)
    worst = int(np.argmax(lengths))
    if lengths[worst] <= OTHER_BOND * burgers:
        return ""
    x, y = state["sites"][state["bonds"][worst]].mean(axis=0)[:2]
    return (
        f"a bond at ({x:.1f}, {y:.1f}) Å differs by {lengths[worst]:.2f} Å between the two, more than a tenth of the "
        "Burgers vector: they are different cores"
    )
