"""The reference Hessian of a cylinder by coloured differences of forces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix, identity

from kernels.colouring import Integers, colour_columns
from kernels.evaluations import Floats, Reference
from kernels.factorisation import factor_fits
from kernels.inputs import load_arrays
from kernels.pairs import Pairs, pairs_within
from kernels.references import open_reference

# Added to every distance that decides who feels whom, Å: more than a difference step moves an atom.
MARGIN = 1e-2
# Of the differences, Å: see `hessian_columns`.
STEP = 1e-5


@dataclass(frozen=True)
class _Reach:
    """Who feels whom in a cylinder.

    Attributes
    ----------
    positions : (n, 3) ndarray
        Å.
    period : float
        Å.
    unknown : (n,) ndarray of int
        Index of a site among the free ones, −1 where it is fixed.
    sharing : csc_matrix of bool, (n, n)
        Pairs within twice the cutoff: some site energy depends on both.
    seeing : csc_matrix of bool, (n, n)
        Pairs within the cutoff: the site energy of one depends on the other.
    """

    positions: Floats
    period: float
    unknown: Integers
    sharing: Any
    seeing: Any

    @classmethod
    def of(cls, cylinder: Mapping[str, NDArray[Any]], cutoff: float) -> _Reach:
        positions = cylinder["sites"] + cylinder["predictor"] + cylinder["corrector"]
        period, free = float(cylinder["period"]), cylinder["free"]
        pairs = pairs_within(positions, period, 2 * cutoff + MARGIN)
        unknown = np.where(free, np.cumsum(free) - 1, -1)
        sharing = _pattern(pairs, len(positions), np.inf)
        return cls(positions, period, unknown, sharing, _pattern(pairs, len(positions), cutoff + MARGIN))

    def colours(self) -> list[Integers]:
        """Free sites by colour: no free site feels two sites of one colour."""
        sites = np.flatnonzero(self.unknown >= 0)
        return [sites[group] for group in colour_columns(self.sharing[sites][:, sites])]


def hessian_columns(
    comm: Any, potential: Mapping[str, Any], rough_path: str, part: int, parts: int, step: float = STEP
) -> dict[str, Any] | None:
    """Difference the forces on the free atoms of a cylinder for one part of its columns.

    All sites of a colour move together, along x, y, z in turn. Only atoms that can feel a moved one are
    evaluated (those within twice the cutoff), and of their site energies only those that it changes. So the
    work is proportional to the number of columns, whatever the number of colours.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        Colours are dealt to its ranks.
    potential : mapping
        See `kernels.references.open_reference`.
    rough_path : str
        An artefact of `kernels.equilibrium.rough_equilibrium`.
    part, parts : int
        Colours ``part``, ``part + parts``, … are done here.
    step : float
        Å. Forward differences: against central ones, for SNAP tungsten, the symmetrised Hessian differed by 3e-6
        relative (Frobenius) at 1e-5 Å, at two thirds of the cost.

    Returns
    -------
    dict or None
        On rank 0 ``rows``, ``columns`` (int) and ``values`` (eV/Å²), the part's entries of −∂F/∂u over
        free degrees of freedom, 3·(free site) + xyz; none where the cylinder is so large that a factor of its
        Hessian would not fit (`kernels.factorisation.factor_fits`). None on other ranks.

    Raises
    ------
    ValueError
        If there is no such part.
    PotentialError
        If the reference fails.

    Notes
    -----
    theory.md, "Relaxing with the reference's Hessian". Analytic Hessians of matscipy are no gain: for a silicon screw
    of 25 Å its Stillinger–Weber's took 24 s, differences of its own forces 20 s, and of LAMMPS's 0.9 s; its EAM's took
    14 s where LAMMPS's differences took 5.7 s, and was off by the 1e-4 that its splines differ by.
    """
    if not 0 <= part < parts:
        raise ValueError(f"part {part} of {parts}: parts are numbered from 0")
    return _columns(comm, potential, load_arrays(rough_path), part, parts, step)


def cylinder_hessian(comm: Any, potential: Mapping[str, Any], cylinder: Mapping[str, NDArray[Any]]) -> Any:
    """Difference the whole Hessian of a cylinder at once.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        Colours are dealt to its ranks.
    potential : mapping
        See `kernels.references.open_reference`.
    cylinder : mapping
        The arrays of `kernels.equilibrium.rough_equilibrium`.

    Returns
    -------
    csc_matrix or None
        As `assembled_hessian` gives it, on rank 0; None on other ranks, and where it would be too large.
    """
    entries = _columns(comm, potential, cylinder, 0, 1, STEP)
    return None if entries is None else _assembled([entries], 3 * int(cylinder["free"].sum()))


def _columns(
    comm: Any,
    potential: Mapping[str, Any],
    cylinder: Mapping[str, NDArray[Any]],
    part: int,
    parts: int,
    step: float,
) -> dict[str, Any] | None:
    # each rank differences its own colours by itself: no communication until the end
    blocks = []
    with open_reference(MPI.COMM_SELF, potential) as reference:
        if _is_wanted(cylinder, reference.cutoff):
            reach = _Reach.of(cylinder, reference.cutoff)
            colours = reach.colours()[part::parts][comm.rank :: comm.size]
            blocks = [_differences(reference, reach, colour, step) for colour in colours]
    gathered = comm.gather(blocks)
    if comm.rank != 0:
        return None
    every = [block for rank in gathered for block in rank] or [
        (np.empty(0, int), np.empty(0, int), np.empty(0))
    ]
    rows, columns, values = (np.concatenate(kind) for kind in zip(*every, strict=True))
    return {"rows": rows, "columns": columns, "values": values}


def assembled_hessian(paths: list[str], unknowns: int) -> Any:
    """Put the parts of a Hessian together and symmetrise it.

    Parameters
    ----------
    paths : list of str
        Artefacts of `hessian_columns`, every part once.
    unknowns : int
        Three times the number of free sites.

    Returns
    -------
    csc_matrix, (unknowns, unknowns), or None
        eV/Å²; None where every part is empty, because the cylinder is too large for it.

    Raises
    ------
    ValueError
        If a column is missing: a part was left out.
    """
    return _assembled([load_arrays(path) for path in paths], unknowns)


def _assembled(parts: Sequence[Mapping[str, NDArray[Any]]], unknowns: int) -> Any:
    rows, columns, values = (
        np.concatenate([part[name] for part in parts]) for name in ("rows", "columns", "values")
    )
    if not len(values):
        return None
    if (found := len(np.unique(columns))) != unknowns:
        raise ValueError(f"{found} of {unknowns} columns of the Hessian were given; pass every part")
    matrix = csc_matrix((values, (rows, columns)), shape=(unknowns, unknowns))
    return csc_matrix(0.5 * (matrix + matrix.T))


def _is_wanted(cylinder: Mapping[str, NDArray[Any]], cutoff: float) -> bool:
    """Whether the Hessian could be factorised, judged by the sites per area: the pairs would be many to count."""
    sites, free = cylinder["sites"], int(cylinder["free"].sum())
    outermost = float(np.max(np.hypot(sites[:, 0], sites[:, 1])))
    # a site's images along the line are one unknown
    sharing = len(sites) * (2.0 * cutoff / outermost) ** 2
    return factor_fits(3 * free, int(9 * free * sharing))


def _pattern(pairs: Pairs, sites: int, reach: float) -> Any:
    near = pairs.distance < reach
    entries = (np.ones(int(near.sum()), dtype=bool), (pairs.first[near], pairs.second[near]))
    return csc_matrix(csr_matrix(entries, shape=(sites, sites), dtype=bool) + identity(sites, dtype=bool))


def _differences(
    reference: Reference, reach: _Reach, moving: Integers, step: float
) -> tuple[Integers, Integers, Floats]:
    """Entries of the columns of the moving sites."""
    kept = np.unique(reach.sharing[:, moving].indices)
    bystanders = np.ones(len(kept), dtype=bool)
    bystanders[np.searchsorted(kept, np.unique(reach.seeing[:, moving].indices))] = False
    positions = reach.positions[kept]
    system = reference.cylinder(positions, reach.period, bystanders)
    at_rest = system.forces(positions)
    felt, mover = reach.sharing[:, moving].nonzero()
    free = reach.unknown[felt] >= 0
    felt, mover = felt[free], mover[free]
    local, moving_local = np.searchsorted(kept, felt), np.searchsorted(kept, moving)
    axes = np.arange(3)
    blocks = np.empty((len(felt), 3, 3))
    for axis in axes:
        moved = positions.copy()
        moved[moving_local, axis] += step
        blocks[:, :, axis] = ((at_rest - system.forces(moved)) / step)[local]
    rows = np.broadcast_to(3 * reach.unknown[felt][:, None, None] + axes[:, None], blocks.shape)
    columns = np.broadcast_to(3 * reach.unknown[moving[mover]][:, None, None] + axes, blocks.shape)
    return rows.ravel(), columns.ravel(), blocks.ravel()
