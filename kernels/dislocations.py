"""Straight dislocations in cubic crystals: their names, orientations and Burgers vectors.

The line is z, the cut along which the crystal has slipped the half-plane y = 0, x < 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from matscipy import dislocation as matscipy_dislocation
from numpy.typing import NDArray

from kernels.dislocation_classes import CLASSES
from kernels.elastic_fields import ElasticField, GeometryError, stroh_field
from kernels.environments import cell_environments
from kernels.lattices import structure_named

__all__ = [
    "NAMES",
    "ElasticField",
    "GeometryError",
    "OrientedCell",
    "elastic_field",
    "oriented_cell",
    "stroh_displacement",
]

Floats = NDArray[np.float64]

#: What a study may call a dislocation in each structure, besides by its class.
NAMES: dict[str, dict[str, str]] = {
    "bcc": {
        "screw": "BCCScrew111Dislocation",
        "edge": "BCCEdge111Dislocation",
        "mixed": "BCCMixed111Dislocation",
    },
    "fcc": {
        "screw": "FCCScrew110Dislocation",
        "edge": "FCCEdge110Dislocation",
        "60degree": "FCC60Degree110Dislocation",
    },
    "diamond": {"screw": "DiamondGlideScrew", "edge": "DiamondGlideEdge", "60degree": "DiamondGlide60Degree"},
}


@dataclass(frozen=True)
class OrientedCell:
    """The crystal in a dislocation's axes: an orthogonal cell, in lattice constants.

    Attributes
    ----------
    positions : (n, 3) ndarray
        Atoms.
    edges : (3,) ndarray
        Lengths; the third is the period along the line.
    core : (3,) ndarray
        Where the line passes.
    axes : (3, 3) ndarray
        Directions of x, y and z in the crystal's cube axes, not normalised.
    burgers : (3,) ndarray
        In the crystal's cube axes.
    partials : (2, 3) or (0, 3) ndarray
        Burgers vectors into which it dissociates, that to the left (x < 0) first, where it does so freely: in fcc.
        In diamond the partials have to overcome a barrier.
    sublattices : (n,) ndarray of int
        Of two sites that an inversion exchanges, -1 for that with a neighbour at +[111] and +1 for the other; 0
        where all sites are translations of one.
    """

    positions: Floats
    edges: Floats
    core: Floats
    axes: Floats
    burgers: Floats
    partials: Floats
    sublattices: NDArray[np.int64]

    @property
    def rotation(self) -> Floats:
        """Rows are x, y and z in the crystal's cube axes, normalised."""
        return np.asarray(self.axes / np.linalg.norm(self.axes, axis=1)[:, None])


def stroh_displacement(
    kind: str, structure: str, C11: float, C12: float, C44: float, lattice_constant: float, points: Floats
) -> Floats:
    """Anisotropic elastic displacement of a dislocation, not self-consistent: for the far field.

    Parameters
    ----------
    kind, structure : str
        See `oriented_cell`.
    C11, C12, C44 : float
        Elastic constants in one unit.
    lattice_constant : float
        Å; the Burgers vector scales with it.
    points : (m, 2) or (m, 3) ndarray
        Relative to the line, in the frame of the cylinder, Å.

    Returns
    -------
    (m, 3) ndarray
        Å.

    Raises
    ------
    GeometryError
        If the dislocation is not known, or the constants are not those of a stable cubic crystal.

    Notes
    -----
    theory.md, "Why virials matter".

    Examples
    --------
    >>> ahead, behind = np.array([[9.0, 0.0]]), np.array([[-9.0, 1e-9]])
    >>> turn = stroh_displacement("screw", "bcc", 522.0, 204.0, 161.0, 3.16, np.vstack([ahead, behind]))
    >>> bool(np.isclose(abs(turn[1, 2] - turn[0, 2]), 0.5 * np.sqrt(0.75) * 3.16))  # half a Burgers vector
    True
    """
    field = elastic_field(kind, structure, C11, C12, C44, lattice_constant)
    return field(np.asarray(points, dtype=float))


def elastic_field(
    kind: str, structure: str, C11: float, C12: float, C44: float, lattice_constant: float
) -> ElasticField:
    """Give the elastic displacement of a dislocation as a function (see `stroh_displacement`)."""
    # the element does not enter
    cell = oriented_cell(kind, structure, "X")
    return stroh_field(cell.axes, lattice_constant * cell.burgers, C11, C12, C44)


@lru_cache(maxsize=64)
def oriented_cell(kind: str, structure: str, element: str) -> OrientedCell:
    """Look up the crystal in a dislocation's axes.

    Parameters
    ----------
    kind : str
        A name of `NAMES`, or of a class of matscipy.dislocation of one straight dislocation in a cubic crystal. A
        class of two partials stands for the two at one place: the undissociated dislocation, which dissociates as
        it relaxes.
    structure : str
        ``bcc``, ``fcc`` or ``diamond``.
    element : str
        Chemical symbol.

    Returns
    -------
    OrientedCell

    Raises
    ------
    GeometryError
        If the dislocation is not known for the structure, or is not one straight dislocation.

    Examples
    --------
    >>> oriented_cell("60degree", "fcc", "Cu").burgers.tolist()
    [0.5, 0.0, -0.5]
    """
    known = _class_named(NAMES.get(structure, {}).get(kind, kind))
    if known is None or known.crystalstructure != structure:
        raise GeometryError(
            f"dislocation {kind!r} in {structure!r} is not known; known are "
            f"{', '.join(NAMES.get(structure, {})) or 'none'}, and the classes of matscipy.dislocation of one "
            f"straight dislocation in {structure}"
        )
    # elastic constants do not enter the cell, but matscipy's constructor insists on some
    made = known(1.0, C11=2.0, C12=1.0, C44=1.0, symbol=element)
    positions, edges = np.array(made.unit_cell.positions), np.diag(made.unit_cell.cell.array).copy()
    axes = np.array(made.axes, dtype=float)
    sides = [made.left_dislocation, made.right_dislocation] if hasattr(made, "left_dislocation") else []
    free = [side.burgers_dimensionless for side in sides if structure == "fcc"]
    return OrientedCell(
        positions=positions,
        edges=edges,
        core=np.array(made.unit_cell_core_position, dtype=float),
        axes=axes,
        burgers=np.array(made.burgers_dimensionless, dtype=float),
        partials=np.array(free, dtype=float).reshape(-1, 3),
        sublattices=_sublattices(structure, positions, edges, axes),
    )


def _sublattices(structure: str, positions: Floats, edges: Floats, axes: Floats) -> NDArray[np.int64]:
    lattice = structure_named(structure)
    if not lattice.has_internal_freedom:
        return np.zeros(len(positions), dtype=np.int64)
    around = cell_environments(positions, np.diag(edges), lattice.nearest_reach)
    first = around.vectors(positions)[:, 0] @ (axes / np.linalg.norm(axes, axis=1)[:, None])
    # (1, 1, 1), (1, -1, -1), … around one of the two, their opposites around the other
    return np.where(np.prod(first, axis=1) > 0.0, -1, 1)


def _class_named(name: str) -> Any | None:
    """Find a class of one straight dislocation; None where there is no such."""
    found = CLASSES.get(name, getattr(matscipy_dislocation, name, None))
    if not isinstance(found, type) or not issubclass(found, matscipy_dislocation.CubicCrystalDislocation):
        return None
    if issubclass(found, matscipy_dislocation.CubicCrystalDislocationQuadrupole):
        raise GeometryError(f"dislocation {name!r} is two of opposite sign; name the class of one of them")
    # matscipy's abstract classes have no name of their own
    return found if isinstance(getattr(found, "name", None), str) else None
