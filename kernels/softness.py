"""Whether a fit keeps the reference's core: its stiffness there, known without relaxing anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from kernels.environments import cylinder_environments
from kernels.factorisation import HessianFactor
from kernels.force_constants import STEP, bent_rows
from kernels.linear_basis import LinearBasis

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Atoms no further from the line than this, Å, bend freely: cores of fits go soft within about a bond length. Of those,
# this many at the most, or the eigenvalues of a million fits would take hours.
CORE_RADIUS, MOST_ATOMS = 4.5, 24
# Distances from the line that differ by less belong to one shell, Å, which is taken whole.
SAME_SHELL = 0.05
# Stiffnesses of some fits exist at a time in about this much memory, bytes.
WORKING_BYTES = 2**26


def core_atoms(state: Mapping[str, NDArray[Any]]) -> Integers:
    """Choose the atoms whose stiffness is judged.

    Parameters
    ----------
    state : mapping
        An equilibrium artefact.

    Returns
    -------
    (m,) ndarray of int
        Free atoms nearest to the line in whole shells, ascending: never none, and no more than `MOST_ATOMS` unless
        the first shell alone has.
    """
    free = np.flatnonzero(state["free"])
    away = np.hypot(state["sites"][free, 0], state["sites"][free, 1])
    order = np.argsort(away, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(away[order]) > SAME_SHELL) + 1, len(order))
    fits = ends[(ends <= MOST_ATOMS) & (away[order][ends - 1] <= CORE_RADIUS)]
    return np.sort(free[order[: fits[-1] if len(fits) else ends[0]]])


def stiffness_map(
    comm: Any, basis: LinearBasis, state: Mapping[str, NDArray[Any]], factor: HessianFactor | None
) -> dict[str, Floats]:
    """Make the map from a fit to the stiffness of its core, in units of the reference's.

    Parameters
    ----------
    comm : mpi4py communicator
        Atoms are dealt to its ranks.
    basis : LinearBasis
        L functions.
    state : mapping
        The equilibrium artefact.
    factor : HessianFactor or None
        The reference's Hessian; needed on rank 0 only.

    Returns
    -------
    dict
        ``stiffness_rows`` (k (k + 1) / 2, L) and ``stiffness_surroundings`` (k (k + 1) / 2,): upper triangles of
        symmetric k × k matrices, k the degrees of freedom of `core_atoms`. Empty on ranks other than 0.

    Notes
    -----
    With H = [B, E; Eᵀ, D] the reference's Hessian, core first, S = B − E D⁻¹Eᵀ is the stiffness that the core has while
    its surroundings give way. A fit's Hessian differs from H; where that is neglected but in the core's own block, its
    condensed stiffness is B^δ − (B − S), linear in its coefficients. Both are given in coordinates in which S = 1.
    """
    core = core_atoms(state)
    columns = comm.gather(_bent_rows(basis, state, core, core[comm.rank :: comm.size]), root=0)
    if comm.rank != 0 or factor is None:
        return {}
    dealt = np.concatenate([core[rank :: comm.size] for rank in range(comm.size)])
    bent = np.concatenate(columns)[np.argsort(dealt, kind="stable")].reshape(3 * len(core), 3 * len(core), -1)
    unknown = np.cumsum(state["free"])[core] - 1
    within = (3 * unknown[:, None] + np.arange(3)).ravel()
    units = np.zeros((factor.matrix.shape[0], len(within)))
    units[within, np.arange(len(within))] = 1.0
    condensed = np.linalg.inv(factor.solve(units)[within])
    root = cholesky(0.5 * (condensed + condensed.T))
    surroundings = factor.matrix[np.ix_(within, within)].toarray() - condensed
    return {
        "stiffness_rows": _packed(_scaled(bent, root)),
        "stiffness_surroundings": _packed(_scaled(surroundings[..., None], root))[:, 0],
    }


def lowest_stiffness(rows: Floats, surroundings: Floats, coefficients: Floats) -> Floats:
    """Estimate the lowest stiffness of fits' cores relative to the reference's.

    Parameters
    ----------
    rows, surroundings
        What `stiffness_map` returned.
    coefficients : (W, L)
        Fits, without E0.

    Returns
    -------
    (W,) ndarray
        1 where a fit agrees with the reference, not positive where the reference's core is no minimum of it. NaN where
        the coefficients are.
    """
    size = int(np.sqrt(2 * len(rows)))
    upper = np.triu_indices(size)
    lowest = np.full(len(coefficients), np.nan)
    finite = np.flatnonzero(np.isfinite(coefficients).all(axis=1))
    step = max(1, WORKING_BYTES // (8 * size**2))
    for start in range(0, len(finite), step):
        some = finite[start : start + step]
        matrices = np.empty((len(some), size, size))
        matrices[:, upper[1], upper[0]] = coefficients[some] @ rows.T - surroundings
        lowest[some] = np.linalg.eigvalsh(matrices, UPLO="L")[:, 0]
    return lowest


def _bent_rows(
    basis: LinearBasis, state: Mapping[str, NDArray[Any]], core: Integers, moved: Integers
) -> Floats:
    """Difference the force rows of the core as some of its atoms move: −∂Φ/∂r, (moved, xyz, core · xyz, L)."""
    positions = state["sites"] + state["predictor"] + state["corrector"]
    period, reach = float(state["period"]), basis.cutoff + 4.0 * STEP
    found = np.empty((len(moved), 3, 3 * len(core), basis.length))
    for number, atom in enumerate(moved):
        around = cylinder_environments(positions, period, reach, np.array([atom]))
        sites = np.union1d(around.index[around.mask], [atom])
        changed = cylinder_environments(positions, period, reach, sites)
        for axis, rows in enumerate(bent_rows(basis, positions, changed, core, int(atom))):
            found[number, axis] = rows
    return found


def _scaled(matrices: Floats, root: Floats) -> Floats:
    """R⁻ᵀ M R⁻¹ of symmetric M[..., i] with S = RᵀR."""
    size = len(root)
    half = solve_triangular(root, matrices.reshape(size, -1), trans="T").reshape(matrices.shape)
    turned = half.transpose(1, 0, 2).reshape(size, -1)
    whole = solve_triangular(root, turned, trans="T").reshape(matrices.shape)
    return np.asarray(0.5 * (whole + whole.transpose(1, 0, 2)), dtype=float)


def _packed(matrices: Floats) -> Floats:
    """Upper triangles of (k, k, n) symmetric matrices, (k (k + 1) / 2, n)."""
    return matrices[np.triu_indices(len(matrices))]
