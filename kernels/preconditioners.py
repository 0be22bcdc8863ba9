"""What stands for a potential's stiffness in a relaxation: the reference's Hessian, or the neighbour Laplacian."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kernels.factorisation import factor_of
from kernels.inputs import load_arrays
from kernels.laplacian import NeighbourLaplacian

Floats = NDArray[np.float64]

# Cheap to make, but a block's points follow one another on the same equilibrium.
LAPLACIANS_KEPT = 2


class Preconditioner(Protocol):
    """A symmetric positive definite stiffness over the free sites' displacements, of shape (n_free, 3)."""

    def solve(self, right: Floats) -> Floats:
        """Displace under forces, eV/Å: Å, in the forces' shape."""
        ...

    def product(self, displacement: Floats) -> Floats:
        """Hold displacements, Å, by forces: eV/Å, in the displacements' shape."""
        ...


def has_hessian(equilibrium: str) -> bool:
    """Say whether an equilibrium artefact holds its Hessian: whether its factor fits (`kernels.factorisation`)."""
    return "hessian_data" in load_arrays(equilibrium)


def preconditioner_of(equilibrium: str, material: Mapping[str, Any]) -> Preconditioner:
    """Take the factorised Hessian of an equilibrium, or its Laplacian where there is no Hessian.

    Parameters
    ----------
    equilibrium : str
        Path of an equilibrium artefact.
    material : mapping
        ``structure``, ``lattice_constant`` (Å), ``C11`` and ``C44`` (GPa): how stiff the Laplacian is to be.

    Returns
    -------
    Preconditioner
        Made once per process.
    """
    if has_hessian(equilibrium):
        return factor_of(equilibrium)
    elastic = tuple(float(material[name]) for name in ("lattice_constant", "C11", "C44"))
    return _laplacian_of(equilibrium, str(material["structure"]), *elastic)


@lru_cache(maxsize=LAPLACIANS_KEPT)
def _laplacian_of(
    equilibrium: str, structure: str, lattice_constant: float, c11: float, c44: float
) -> NeighbourLaplacian:
    material = {"structure": structure, "lattice_constant": lattice_constant, "C11": c11, "C44": c44}
    return NeighbourLaplacian.of(load_arrays(equilibrium), material)
