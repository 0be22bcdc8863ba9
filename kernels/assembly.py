"""Triangular factors: all that a fit needs of its training set, in a few small matrices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.environments import cell_environments, cylinder_environments
from kernels.inputs import load_arrays
from kernels.labelled_sets import LabelledCell, LabelledCore, common_arrays, labelled_cells, labelled_cores
from kernels.linear_basis import LinearBasis, basis_of
from kernels.rows import Configuration, design_rows, sites_around

Floats = NDArray[np.float64]
Factors = dict[str, Any]

# Kinds of observation, each with the kind of configuration it is made on.
KINDS = ("energy_bulk", "energy_core", "forces_bulk", "forces_core", "virial_bulk")
# What may be observed here; force constants have factors of their own (`kernels.force_constants`).
OBSERVATIONS = ("energy", "forces", "virial")
# Configurations are taken together up to this many sites: it bounds the rows that exist at once.
SITES_PER_BATCH = 1024


class AssemblyError(ValueError):
    """Training sets or factors that do not fit together."""


def factors(
    comm: Any,
    *,
    basis: Mapping[str, Any],
    core: str | None = None,
    bulk: str | None = None,
    files: str | None = None,
    previous: str | None = None,
    observations: Sequence[str] = OBSERVATIONS,
) -> Factors:
    """Factorise the design rows of training sets, by kind of observation.

    A factor is R of the QR of [1 | Φ | y]: the column of E0, which only bulk energies have, the L functions, and
    the labels. Energies and virials count per atom (bulk) or per observed atom (core), eV; forces in eV/Å.

    Parameters
    ----------
    comm : mpi4py communicator
        Configurations are shared over its ranks.
    basis : mapping
        ACE basis: element, order, degree, cutoff (Å).
    core, bulk, files : str, optional
        Paths of `kernels.training.core_set`, `kernels.training.bulk_set` and
        `kernels.labelled_files.labelled_set`. Files count as bulk.
    previous : str, optional
        Path of the factors of the configurations before these: R of [previous; new] is R of them all.
    observations : sequence of str
        Kinds of observation: energy, forces, virial.

    Returns
    -------
    dict
        For each kind, as ``energy_bulk``: R, at most (L + 2, L + 2), upper triangular with diagonal ≥ 0, and
        ``energy_bulk_rows``, the number of rows behind it. ``basis_size`` (L), and ``labelled_atoms``, the atoms
        whose forces were, or would be, observed. Empty on ranks other than 0.

    Raises
    ------
    AssemblyError
        If the previous factors belong to another basis or other observations, a label is not finite, or there is
        nothing to observe.

    Notes
    -----
    theory.md, "The loss, and the weight grid". Configurations are read one by one. Memory of a rank, in units of
    8·(L + 2) bytes: twice the rows of one batch (3 for each observed atom of at most `SITES_PER_BATCH` sites and
    one configuration more), one for each of its sites; 3 K for each of the `kernels.linear_basis.SITES_PER_CHUNK`
    sites of a chunk with K slots (`kernels.rows.design_rows`), about three times; and (L + 2) for each of the five
    factors, twice. Merging follows the ranks' order, and R is unique: the number of ranks changes rounding only.
    """
    functions = basis_of(basis)
    unknown = sorted(set(observations) - set(OBSERVATIONS))
    if unknown or not observations:
        raise AssemblyError(f"observations {list(observations)}; choose from {', '.join(OBSERVATIONS)}")
    merged: Factors = {}
    shares = (comm.rank, comm.size)
    if core is not None:
        merged = _with_rows(merged, _core_rows(functions, core, *shares), observations)
    for path in (bulk, files):
        if path is not None:
            merged = _with_rows(merged, _cell_rows(functions, path, *shares), observations)
    gathered = comm.gather(merged, root=0)
    if comm.rank != 0:
        return {}
    total = _previous(previous, functions.length, observations)
    for share in gathered:
        total = merged_factors(total, share)
    if not any(kind in total for kind in KINDS):
        raise AssemblyError("there is no configuration to observe: name a core set, a bulk set or files")
    return total | {"basis_size": functions.length}


def triangle(rows: Floats) -> Floats:
    """R of the QR of rows, with its diagonal made non-negative so that it is unique.

    Parameters
    ----------
    rows : (m, L + 2)
        [1 | Φ | y], the first column of ones or of zeros.

    Returns
    -------
    (k, L + 2) ndarray
        k ≤ min(m, L + 2). A first column of zeros stays zero.
    """
    # without its column of zeros R stays triangular in the others, and unique
    silent = not np.any(rows[:, 0])
    upper: Floats = np.asarray(np.linalg.qr(rows[:, 1:] if silent else rows, mode="r"), dtype=float)
    upper = upper * np.where(np.diagonal(upper) < 0.0, -1.0, 1.0)[:, None]
    return np.hstack([np.zeros((len(upper), 1)), upper]) if silent else upper


def merged_factors(first: Mapping[str, Any], second: Mapping[str, Any]) -> Factors:
    """Factors of two disjoint sets of configurations taken together.

    Parameters
    ----------
    first, second : mapping
        As `factors` returns; kinds that one of them lacks are the other's.

    Returns
    -------
    dict
        Kinds, their numbers of rows, and ``labelled_atoms``.
    """
    merged: Factors = {"labelled_atoms": sum(int(each.get("labelled_atoms", 0)) for each in (first, second))}
    for kind in KINDS:
        parts = [each[kind] for each in (first, second) if kind in each]
        if parts:
            merged[kind] = triangle(np.vstack(parts)) if len(parts) > 1 else parts[0]
            merged[f"{kind}_rows"] = sum(int(each.get(f"{kind}_rows", 0)) for each in (first, second))
    return merged


@dataclass(frozen=True)
class _Rows:
    """Rows [1 | Φ | y] of a batch by kind, and the atoms behind them."""

    of: Mapping[str, Floats]
    atoms: int


def _with_rows(merged: Factors, batches: Iterable[_Rows], observations: Sequence[str]) -> Factors:
    """Take rows into factors as they come: no more than one batch exists at once."""
    for batch in batches:
        new: Factors = dict(merged) | {"labelled_atoms": int(merged.get("labelled_atoms", 0)) + batch.atoms}
        for kind, rows in batch.of.items():
            if kind.partition("_")[0] not in observations:
                continue
            if not np.isfinite(rows).all():
                raise AssemblyError(
                    f"the {kind} rows hold a value that is not finite: check the training set"
                )
            before = [merged[kind]] if kind in merged else []
            new[kind] = triangle(np.vstack([*before, rows]))
            new[f"{kind}_rows"] = int(merged.get(f"{kind}_rows", 0)) + len(rows)
        merged = new
    return merged


def _previous(path: str | None, length: int, observations: Sequence[str]) -> Factors:
    if path is None:
        return {}
    stored = load_arrays(path)
    size = int(stored["basis_size"])
    if size != length:
        raise AssemblyError(f"the previous factors {path} have {size} functions, the basis has {length}")
    held = {kind.partition("_")[0] for kind in KINDS if kind in stored}
    # cores have no virials
    if not set(observations) - {"virial"} <= held <= set(observations):
        raise AssemblyError(
            f"the previous factors {path} hold {', '.join(sorted(held))}, now {', '.join(observations)} are wanted: "
            "a mean over some configurations only would follow; assemble all of them anew"
        )
    return merged_factors(stored, {})


def _batches(placed: Iterable[tuple[Configuration, Any]]) -> Iterator[tuple[list[Configuration], list[Any]]]:
    """Take configurations together, each with its labels, up to `SITES_PER_BATCH` sites."""
    batch: list[tuple[Configuration, Any]] = []
    sites = 0
    for each in placed:
        batch.append(each)
        sites += len(each[0].environments.centres)
        if sites >= SITES_PER_BATCH:
            yield [one for one, _ in batch], [labels for _, labels in batch]
            batch, sites = [], 0
    if batch:
        yield [one for one, _ in batch], [labels for _, labels in batch]


def _labelled(ones: float, functions: Floats, labels: Any) -> Floats:
    """Rows [1 | Φ | y]."""
    return np.column_stack([np.full(len(functions), ones), functions, np.ravel(labels)])


def _core_rows(basis: LinearBasis, path: str, share: int, shares: int) -> Iterator[_Rows]:
    """Rows of a share of a core set: energies less the anchor's, forces on the observed atoms."""
    common = common_arrays(path, "anchor", "observed", "energy_sites", "period")
    period, counted = float(common["period"]), common["energy_sites"]
    observed, summed = np.flatnonzero(common["observed"]), np.flatnonzero(counted)

    def configuration(where: Floats, sites: Any, atoms: Any) -> Configuration:
        return Configuration(where, cylinder_environments(where, period, basis.cutoff, sites), atoms)

    def placed() -> Iterator[tuple[Configuration, LabelledCore]]:
        for each in labelled_cores(path, share, shares):
            sites = sites_around(each.positions, period, basis.cutoff, common["observed"], counted)
            yield configuration(each.positions, sites, observed), each

    anchor = None
    for batch, labels in _batches(placed()):
        if anchor is None:
            nobody = np.zeros(0, dtype=np.int64)
            anchor = design_rows(basis, [configuration(common["anchor"], summed, nobody)])[0].sites
        rows = design_rows(basis, batch)
        # site by site before the sum: totals would lose the digits of their small difference
        energies = [
            (each.sites[counted[one.environments.centres]] - anchor).sum(axis=0)
            for each, one in zip(rows, batch, strict=True)
        ]
        atoms = len(observed)
        known = np.array([each.energy for each in labels])
        forces = [each.forces.ravel() for each in labels]
        yield _Rows(
            {
                "energy_core": _labelled(0.0, np.stack(energies) / atoms, known / atoms),
                "forces_core": _labelled(
                    0.0, np.concatenate([each.forces for each in rows]), np.concatenate(forces)
                ),
            },
            atoms * len(batch),
        )


def _cell_rows(basis: LinearBasis, path: str, share: int, shares: int) -> Iterator[_Rows]:
    """Rows of a share of a set of periodic cells: energies and virials per atom, forces on every atom."""

    def placed() -> Iterator[tuple[Configuration, LabelledCell]]:
        for each in labelled_cells(path, share, shares):
            around = cell_environments(each.positions, each.cell, basis.cutoff)
            yield Configuration(each.positions, around, np.arange(len(each.positions))), each

    for batch, labels in _batches(placed()):
        rows = design_rows(basis, batch)
        atoms = np.array([len(each.positions) for each in labels])
        energies = np.stack([each.sites.sum(axis=0) for each in rows])
        virials = np.stack([each.virial for each in rows])
        known = np.array([each.energy for each in labels])
        tensors = np.stack([each.virial for each in labels])
        forces = [each.forces.ravel() for each in labels]
        per_atom = atoms[:, None, None]
        yield _Rows(
            {
                "energy_bulk": _labelled(1.0, energies / atoms[:, None], known / atoms),
                "forces_bulk": _labelled(
                    0.0, np.concatenate([each.forces for each in rows]), np.concatenate(forces)
                ),
                "virial_bulk": _labelled(
                    0.0, (virials / per_atom).reshape(-1, basis.length), tensors / atoms[:, None]
                ),
            },
            int(atoms.sum()),
        )
