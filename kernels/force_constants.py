"""Force constants of a dislocation core as observations: the reference's Hessian, column by column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix

from kernels.assembly import triangle
from kernels.environments import Environments, cylinder_environments
from kernels.inputs import load_arrays
from kernels.linear_basis import LinearBasis, basis_of
from kernels.rows import Configuration, design_rows

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

KIND = "force_constants_core"
# Central differences of design rows are exact to about 1e-8 of the largest at this step, Å: between the truncation
# error ~ step² and the rounding ~ 1e-16/step.
STEP = 1e-4


def force_constant_factors(
    comm: Any, *, basis: Mapping[str, Any], equilibrium: str, domain_radius: float
) -> dict[str, Any]:
    """Factorise the design rows of the force constants of a core's atoms at the reference equilibrium.

    An observation is an entry −∂F_i/∂r_j of the Hessian, j an atom nearer to the line than the domain radius, i any
    free atom that either potential lets feel j; atoms move with their images along the line.

    Parameters
    ----------
    comm : mpi4py communicator
        Atoms j are dealt to its ranks.
    basis : mapping
        ACE basis: element, order, degree, cutoff (Å).
    equilibrium : str
        Path of `kernels.equilibrium.polish_equilibrium`.
    domain_radius : float
        Å.

    Returns
    -------
    dict
        ``force_constants_core``: R of the QR of [0 | Φ | y], at most (L + 2, L + 2), in the layout of
        `kernels.assembly.factors`, labels in eV/Å²; ``force_constants_core_rows``. Empty on ranks other than 0.

    Raises
    ------
    ValueError
        If no free atom is nearer to the line than the domain radius, or the equilibrium keeps no Hessian.

    Notes
    -----
    theory.md, header (the companion paper's fourth observation). Rows stream: at any time those of three columns
    exist, 9·(atoms within twice the cutoff)·(L + 2)·8 bytes, and a factor.
    """
    functions, state = basis_of(basis), load_arrays(equilibrium)
    if "hessian_data" not in state:
        raise ValueError(f"{equilibrium} keeps no Hessian: observe force constants in a smaller cylinder")
    inside = np.hypot(state["sites"][:, 0], state["sites"][:, 1]) < domain_radius
    moved = np.flatnonzero(inside & state["free"])
    if not len(moved):
        raise ValueError(f"no free atom is within {domain_radius} Å of the line: enlarge domain_radius")
    factor, count = np.zeros((0, functions.length + 2)), 0
    for rows in force_constant_rows(functions, state, moved[comm.rank :: comm.size]):
        factor, count = triangle(np.vstack([factor, rows])), count + len(rows)
    shares = comm.gather((factor, count), root=0)
    if comm.rank != 0:
        return {}
    return {
        KIND: triangle(np.vstack([share for share, _ in shares])),
        f"{KIND}_rows": sum(rows for _, rows in shares),
    }


def force_constant_rows(
    basis: LinearBasis, state: Mapping[str, NDArray[Any]], moved: Integers
) -> Iterator[Floats]:
    """Make the rows of the force constants of atoms, atom by atom.

    Parameters
    ----------
    basis : LinearBasis
        L functions.
    state : mapping
        An equilibrium artefact with its Hessian.
    moved : (m,) int
        Atoms j, free ones.

    Yields
    ------
    (9 n, L + 2) ndarray
        [0 | Φ | y] for j along x, then y, then z; within each, the n free atoms i that feel j, ascending, by xyz. Φ in
        1/Å², y in eV/Å².
    """
    free = np.flatnonzero(state["free"])
    unknown = np.full(len(state["free"]), -1)
    unknown[free] = np.arange(len(free))
    size = 3 * len(free)
    hessian = csc_matrix(
        (state["hessian_data"], state["hessian_indices"], state["hessian_indptr"]), shape=(size, size)
    )
    positions = state["sites"] + state["predictor"] + state["corrector"]
    # a little further than the cutoff, so that the list stays right while an atom moves by the step
    reach, period = basis.cutoff + 4.0 * STEP, float(state["period"])
    for atom in moved:
        around = cylinder_environments(positions, period, reach, np.array([atom]))
        # the sites whose energy atom j enters: all that its displacement changes
        sites = np.union1d(around.index[around.mask], [atom])
        changed = cylinder_environments(positions, period, reach, sites)
        columns = hessian[:, 3 * unknown[atom] : 3 * unknown[atom] + 3].toarray()
        felt = np.union1d(
            np.intersect1d(np.union1d(changed.index[changed.mask], sites), free),
            free[np.unique(np.flatnonzero(np.any(columns, axis=1)) // 3)],
        )
        labels = columns.reshape(len(free), 3, 3)[unknown[felt]]
        yield np.concatenate(
            [
                np.column_stack([np.zeros(3 * len(felt)), rows, labels[:, :, axis].ravel()])
                for axis, rows in enumerate(bent_rows(basis, positions, changed, felt, int(atom)))
            ]
        )


def bent_rows(
    basis: LinearBasis, positions: Floats, changed: Environments, felt: Integers, atom: int
) -> Iterator[Floats]:
    """Difference the force rows of some atoms as another moves along each axis, with the sign of the Hessian.

    Parameters
    ----------
    basis : LinearBasis
        L functions.
    positions : (n, 3)
        Of all atoms, Å.
    changed : Environments
        Of every site whose energy the atom enters, with a reach that stays right while it moves by `STEP`.
    felt : (m,) int
        Atoms whose forces are differenced.
    atom : int
        The one that moves.

    Yields
    ------
    (3 m, L) ndarray
        −∂Φ/∂r along x, then y, then z, 1/Å².
    """
    placed = []
    for axis in range(3):
        for step in (STEP, -STEP):
            there = positions.copy()
            there[atom, axis] += step
            placed.append(Configuration(there, changed, felt))
    rows = [each.forces for each in design_rows(basis, placed)]
    for axis in range(3):
        yield (rows[2 * axis + 1] - rows[2 * axis]) / (2.0 * STEP)
