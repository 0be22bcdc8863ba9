"""Triangular factors: all that a fit needs of its training set, in a few small matrices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.environments import cell_environments, cylinder_environments
from kernels.inputs import load_arrays
from kernels.linear_basis import LinearBasis, basis_of
from kernels.rows import Configuration, design_rows, sites_around

Floats = NDArray[np.float64]
Factors = dict[str, Any]

# Kinds of observation, each with the kind of configuration it is made on.
KINDS = ("energy_bulk", "energy_core", "forces_bulk", "forces_core", "virial_bulk")
# Configurations are taken together up to this many sites: it bounds the rows that exist at once.
SITES_PER_BATCH = 1024


class AssemblyError(ValueError):
    """Training sets or factors that do not fit together."""


def factors(
    comm: Any, *, basis: Mapping[str, Any], core: str, bulk: str, previous: str | None = None
) -> Factors:
    """Factorise the design rows of a core and a bulk set, by kind of observation.

    A factor is R of the QR of [1 | Φ | y]: the column of E0, which only bulk energies have, the L functions, and
    the labels. Energies and virials count per atom (bulk) or per observed atom (core), eV; forces in eV/Å.

    Parameters
    ----------
    comm : mpi4py communicator
        Configurations are shared over its ranks.
    basis : mapping
        ACE basis: element, order, degree, cutoff (Å).
    core, bulk : str
        Paths of training sets.
    previous : str, optional
        Path of the factors of the configurations before these: R of [previous; new] is R of them all.

    Returns
    -------
    dict
        For each kind, as ``energy_bulk``: R, at most (L + 2, L + 2), upper triangular with diagonal ≥ 0, and
        ``energy_bulk_rows``, the number of rows behind it. ``basis_size`` (L), and ``labelled_atoms``, the atoms
        whose forces were observed. Empty on ranks other than 0.

    Raises
    ------
    AssemblyError
        If the previous factors belong to another basis, or a label is not finite.

    Notes
    -----
    theory.md, "The loss, and the weight grid". Memory of a rank: the rows of one batch, at most
    3·`SITES_PER_BATCH` and those of one configuration, (L + 2)·8 bytes each; a chunk's Jacobian
    (`kernels.rows.design_rows`); and five factors of (L + 2)²·8 bytes. Merging follows the ranks' order, and R is
    unique: the number of ranks changes rounding only.
    """
    functions = basis_of(basis)
    merged: Factors = {}
    for rows in _core_rows(functions, load_arrays(core), comm.rank, comm.size):
        merged = _with_rows(merged, rows)
    for rows in _bulk_rows(functions, load_arrays(bulk), comm.rank, comm.size):
        merged = _with_rows(merged, rows)
    shares = comm.gather(merged, root=0)
    if comm.rank != 0:
        return {}
    total = _previous(previous, functions.length)
    for share in shares:
        total = merged_factors(total, share)
    observed = sum(int(total[f"forces_{kind}_rows"]) for kind in ("bulk", "core")) // 3
    return total | {"basis_size": functions.length, "labelled_atoms": observed}


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
        Kinds and their numbers of rows.
    """
    merged: Factors = {}
    for kind in KINDS:
        parts = [each[kind] for each in (first, second) if kind in each]
        if parts:
            merged[kind] = triangle(np.vstack(parts)) if len(parts) > 1 else parts[0]
            merged[f"{kind}_rows"] = sum(int(each.get(f"{kind}_rows", 0)) for each in (first, second))
    return merged


def _with_rows(merged: Factors, rows: Mapping[str, Floats]) -> Factors:
    for kind, values in rows.items():
        if not np.isfinite(values).all():
            raise AssemblyError(f"the {kind} rows hold a value that is not finite: check the training set")
    new = {kind: triangle(values) for kind, values in rows.items()}
    return merged_factors(merged, new | {f"{kind}_rows": len(values) for kind, values in rows.items()})


def _previous(path: str | None, length: int) -> Factors:
    if path is None:
        return {}
    stored = load_arrays(path)
    size = stored["energy_bulk"].shape[1] - 2
    if size != length:
        raise AssemblyError(f"the previous factors {path} have {size} functions, the basis has {length}")
    return merged_factors(stored, {})


def _batches(configurations: Sequence[Configuration]) -> Iterator[list[Configuration]]:
    """Take configurations together up to `SITES_PER_BATCH` sites."""
    batch: list[Configuration] = []
    for each in configurations:
        batch.append(each)
        if sum(len(one.environments.centres) for one in batch) >= SITES_PER_BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _labelled(ones: float, functions: Floats, labels: Floats) -> Floats:
    """Rows [1 | Φ | y]."""
    return np.column_stack([np.full(len(labels), ones), functions, labels])


def _core_rows(
    basis: LinearBasis, core: Mapping[str, NDArray[Any]], rank: int, ranks: int
) -> Iterator[dict[str, Floats]]:
    """Rows of this rank's core configurations: energies less the anchor's, forces on the observed atoms."""
    positions, period = core["positions"], float(core["period"])
    observed, counted = np.flatnonzero(core["observed"]), core["energy_sites"]
    summed = np.flatnonzero(counted)
    own = np.array_split(np.arange(len(positions)), ranks)[rank]
    if not len(own):
        return

    def configuration(where: Floats, sites: Any, atoms: Any) -> Configuration:
        return Configuration(where, cylinder_environments(where, period, basis.cutoff, sites), atoms)

    nobody = np.zeros(0, dtype=np.int64)
    anchor = design_rows(basis, [configuration(core["anchor"], summed, nobody)])[0].sites
    placed = []
    for number in own:
        sites = sites_around(positions[number], period, basis.cutoff, core["observed"], counted)
        placed.append(configuration(positions[number], sites, observed))
    start = 0
    for batch in _batches(placed):
        numbers = own[start : start + len(batch)]
        start += len(batch)
        rows = design_rows(basis, batch)
        # site by site before the sum: totals would lose the digits of their small difference
        energies = [
            (each.sites[counted[one.environments.centres]] - anchor).sum(axis=0)
            for each, one in zip(rows, batch, strict=True)
        ]
        atoms = len(observed)
        labels = core["forces"][numbers].reshape(-1)
        yield {
            "energy_core": _labelled(0.0, np.stack(energies) / atoms, core["energies"][numbers] / atoms),
            "forces_core": _labelled(0.0, np.concatenate([each.forces for each in rows]), labels),
        }


def _bulk_rows(
    basis: LinearBasis, bulk: Mapping[str, NDArray[Any]], rank: int, ranks: int
) -> Iterator[dict[str, Floats]]:
    """Rows of this rank's bulk configurations: energies and virials per atom, forces on every atom."""
    positions, cells = bulk["positions"], bulk["cells"]
    atoms = positions.shape[1]
    everyone = np.arange(atoms)
    own = np.array_split(np.arange(len(positions)), ranks)[rank]
    placed = [
        Configuration(positions[i], cell_environments(positions[i], cells[i], basis.cutoff), everyone)
        for i in own
    ]
    start = 0
    for batch in _batches(placed):
        numbers = own[start : start + len(batch)]
        start += len(batch)
        rows = design_rows(basis, batch)
        energies = np.stack([each.sites.sum(axis=0) for each in rows])
        virials = np.concatenate([each.virial for each in rows])
        yield {
            "energy_bulk": _labelled(1.0, energies / atoms, bulk["energies"][numbers] / atoms),
            "forces_bulk": _labelled(
                0.0, np.concatenate([each.forces for each in rows]), bulk["forces"][numbers].reshape(-1)
            ),
            "virial_bulk": _labelled(0.0, virials / atoms, bulk["virials"][numbers].reshape(-1) / atoms),
        }
