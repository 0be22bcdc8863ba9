"""Design rows: what a linear ACE predicts of configurations, by function.

They stream over chunks of sites: the sites' Jacobian, by far the largest array, never exists whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from kernels.environments import Environments, cylinder_environments
from kernels.evaluations import VOIGT
from kernels.linear_basis import LinearBasis

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Configuration:
    """Atoms whose design rows are wanted.

    Attributes
    ----------
    positions : (n, 3)
        Å.
    environments : Environments
        Of S sites: every site whose functions or whose pull on an observed atom is wanted.
    observed : (m,) int
        Atoms whose force rows are wanted.
    """

    positions: Floats
    environments: Environments
    observed: Integers


@dataclass(frozen=True)
class DesignRows:
    """Design rows of one configuration.

    Attributes
    ----------
    sites : (S, L)
        Functions of each site: a row of coefficients' factors of its energy.
    forces : (3 m, L)
        Of the observed atoms, (atom, xyz), 1/Å: F = -dE/dr.
    virial : (6, L)
        -dE/d(strain) of the listed sites' energies, in the order of `VOIGT`.
    """

    sites: Floats
    forces: Floats
    virial: Floats


def design_rows(basis: LinearBasis, configurations: Sequence[Configuration]) -> list[DesignRows]:
    """Make the design rows of configurations.

    The sites of all configurations are evaluated as one stream: small cells share chunks.

    Parameters
    ----------
    basis : LinearBasis
        L functions.
    configurations : sequence of Configuration
        Their energies, forces and virials under coefficients c are the rows times c.

    Returns
    -------
    list of DesignRows
        One a configuration. Memory: the result, and 3·8·L·K bytes for each of the
        `kernels.linear_basis.SITES_PER_CHUNK` sites of a chunk.

    Notes
    -----
    theory.md, "Training data".
    """
    if not configurations:
        return []
    stream = _Stream.of(configurations)
    count, length = len(configurations), basis.length
    sites = np.empty((len(stream.mask), length))
    forces = np.zeros((stream.observed_count, length * 3))
    virials = np.zeros((count, 6, length))
    for rows, functions, jacobian in basis.edge_rows(stream.vectors, stream.mask):
        sites[rows] = functions
        # only the rows that this chunk touches: the whole array for each would cost as much as there are atoms
        incidence = stream.incidence(rows)
        touched = np.flatnonzero(np.diff(incidence.indptr))
        forces[touched] += incidence[touched] @ jacobian.reshape(-1, length * 3)
        np.add.at(virials, stream.configuration[rows], _site_virials(jacobian, stream.vectors[rows]))
    by_component = forces.reshape(-1, length, 3).transpose(0, 2, 1)
    return [
        DesignRows(sites[own], by_component[seen].reshape(-1, length), virials[number])
        for number, (own, seen) in enumerate(zip(stream.sites_of, stream.observed_of, strict=True))
    ]


def _site_virials(jacobian: Floats, vectors: Floats) -> Floats:
    """(s, 6, L) contributions -½(J_a r_b + J_b r_a) to the virials, from (s, K, L, 3) and (s, K, 3)."""
    sites, slots, length, _ = jacobian.shape
    moments = jacobian.reshape(sites, slots, 3 * length).transpose(0, 2, 1) @ vectors
    moments = moments.reshape(sites, length, 3, 3)
    return np.stack([-0.5 * (moments[..., a, b] + moments[..., b, a]) for a, b in VOIGT], axis=1)


@dataclass(frozen=True)
class _Stream:
    """Configurations laid end to end."""

    vectors: Floats
    mask: NDArray[np.bool_]
    configuration: Integers
    centre_row: Integers
    slot_row: Integers
    sites_of: list[slice]
    observed_of: list[slice]

    @staticmethod
    def of(configurations: Sequence[Configuration]) -> _Stream:
        sizes = [len(c.environments.centres) for c in configurations]
        slots = max(c.environments.mask.shape[1] for c in configurations)
        sites_of, observed_of = _ranges(sizes), _ranges([len(c.observed) for c in configurations])
        total = sum(sizes)
        vectors, mask = np.zeros((total, slots, 3)), np.zeros((total, slots), dtype=bool)
        centre_row, slot_row = np.full(total, -1), np.full((total, slots), -1)
        for each, own, seen in zip(configurations, sites_of, observed_of, strict=True):
            listed, width = each.environments, each.environments.mask.shape[1]
            row_of = np.full(len(each.positions), -1)
            row_of[each.observed] = np.arange(seen.start, seen.stop)
            vectors[own, :width] = np.where(listed.mask[..., None], listed.vectors(each.positions), 0.0)
            mask[own, :width] = listed.mask
            centre_row[own] = row_of[listed.centres]
            slot_row[own, :width] = np.where(listed.mask, row_of[listed.index], -1)
        number = np.repeat(np.arange(len(sizes)), sizes)
        return _Stream(vectors, mask, number, centre_row, slot_row, sites_of, observed_of)

    @property
    def observed_count(self) -> int:
        return int(self.observed_of[-1].stop)

    def incidence(self, rows: slice) -> csr_matrix:
        """(observed atoms, slots of the chunk) signs with which slots' derivatives enter F = -dE/dr."""
        slot_row, mask = self.slot_row[rows].ravel(), self.mask[rows]
        neighbour = np.flatnonzero(slot_row >= 0)
        centre = np.flatnonzero((mask & (self.centre_row[rows, None] >= 0)).ravel())
        centre_row = np.repeat(self.centre_row[rows], mask.shape[1])[centre]
        signs = np.concatenate([-np.ones(len(neighbour)), np.ones(len(centre))])
        where = (np.concatenate([slot_row[neighbour], centre_row]), np.concatenate([neighbour, centre]))
        return csr_matrix((signs, where), shape=(self.observed_count, slot_row.size))


def _ranges(sizes: Sequence[int]) -> list[slice]:
    return [slice(start, stop) for start, stop in pairwise(np.cumsum([0, *sizes]).tolist())]


def sites_around(
    positions: Floats, period: float, cutoff: float, atoms: NDArray[np.bool_], also: NDArray[np.bool_]
) -> Integers:
    """Find the sites whose energies pull on atoms: those within the cutoff of one, and others named.

    Parameters
    ----------
    positions : (n, 3)
        Of a cylinder, Å.
    period, cutoff : float
        Å.
    atoms : (n,) bool
        Atoms pulled on.
    also : (n,) bool
        Sites wanted in any case.

    Returns
    -------
    (S,) ndarray of int
        Ascending.
    """
    around = cylinder_environments(positions, period, cutoff, np.flatnonzero(atoms))
    reached = atoms | also
    reached[around.index[around.mask]] = True
    return np.flatnonzero(reached)


def cylinder_rows(comm: Any, basis: LinearBasis, state: Mapping[str, NDArray[Any]]) -> tuple[Floats, Floats]:
    """Make the design rows of a reference equilibrium: forces on its free atoms, and its energy difference.

    Parameters
    ----------
    comm : mpi4py communicator
        Sites are shared over its ranks.
    basis : LinearBasis
        L functions.
    state : mapping
        An equilibrium artefact: sites, predictor, corrector, free, period.

    Returns
    -------
    (3 n_free, L) ndarray
        Φ(ū): forces at the equilibrium, (free atom, xyz), 1/Å.
    (L,) ndarray
        ψ = Σ_ℓ [B_ℓ(D(u0 + ū)) - B_ℓ(D u0)], site by site.
        Both on rank 0; on the other ranks, this rank's share.

    Notes
    -----
    theory.md, "The linear-response estimate".
    """
    free, period = state["free"], float(state["period"])
    placed = state["sites"] + state["predictor"]
    relaxed = placed + state["corrector"]
    nowhere = np.zeros(len(free), dtype=bool)
    needed = np.union1d(
        *(sites_around(where, period, basis.cutoff, free, nowhere) for where in (placed, relaxed))
    )
    own = np.array_split(needed, comm.size)[comm.rank]
    at_rest, before = (
        design_rows(
            basis,
            [Configuration(where, cylinder_environments(where, period, basis.cutoff, own), observed)],
        )[0]
        for where, observed in ((relaxed, np.flatnonzero(free)), (placed, np.zeros(0, dtype=np.int64)))
    )
    forces, energy = at_rest.forces, (at_rest.sites - before.sites).sum(axis=0)
    return _summed(comm, forces), _summed(comm, energy)


def _summed(comm: Any, share: Floats) -> Floats:
    """Sum over ranks, on rank 0."""
    total: Floats = np.empty_like(share)
    comm.Reduce(np.ascontiguousarray(share), total if comm.rank == 0 else None, op=MPI.SUM, root=0)
    return total if comm.rank == 0 else share
