"""Training configurations and what the reference says of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from kernels.environments import cell_environments, cylinder_environments
from kernels.evaluations import Flags, Floats, System
from kernels.inputs import load_arrays
from kernels.lattices import conventional_crystal, structure_named
from kernels.neighbourhoods import check_distances
from kernels.references import open_reference


def core_set(
    comm: Any,
    potential: Mapping[str, Any],
    material: Mapping[str, Any],
    equilibrium_path: str,
    domain_radius: float,
    cutoff: float,
    perturbation: float,
    seed: list[int],
    first: int,
    last: int,
) -> dict[str, Any] | None:
    """Make perturbed clusters around a dislocation core, with forces and gauge-free energy differences.

    Sites nearer to the line than the domain radius R_t are perturbed and observed; beyond them lie two
    cutoffs r_c of unperturbed buffer, so that every label equals the whole cylinder's.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        Configurations are dealt to its ranks.
    potential, material : mapping
        See `kernels.references.open_reference` and `kernels.materials.bulk_properties`.
    equilibrium_path : str
        Artefact of `kernels.equilibrium.polish_equilibrium`, or of `kernels.own_domain.own_core`.
    domain_radius, cutoff : float
        R_t, and the cutoff of the basis, Å; r_c is the larger of it and the reference's.
    perturbation : float
        Standard deviation of each displacement component, Å.
    seed : list of int
        Study seed, replica and the number of the kind (0). Configuration i draws from the stream
        ``[*seed, i]``: whoever makes it, with whatever others, makes the same one.
    first, last : int
        Configurations ``first`` to ``last - 1``.

    Returns
    -------
    dict or None
        On rank 0, for n configurations of m sites: ``positions`` (n, m, 3); ``anchor`` (m, 3), the
        configuration y0 that energies refer to: relaxed outside R_t, ℓ + u0 inside; ``site_radius`` (m,), |ℓ|;
        ``observed`` (m,), |ℓ| < R_t; ``energy_sites`` (m,), |ℓ| < R_t + r_c; ``forces`` (n, observed, 3),
        eV/Å; ``energies`` (n,), the sum over the energy sites of e(y) − e(y0), eV; ``period``, Å. None on
        other ranks.

    Raises
    ------
    ValueError
        If the cluster does not fit into the equilibrium's cylinder, perturbed atoms come closer than half a bond, or
        there is nothing to make.
    PotentialError
        If the reference fails.

    Notes
    -----
    theory.md, "Training data".
    """
    _check_range(first, last)
    equilibrium = load_arrays(equilibrium_path)
    reach = cluster_reach(equilibrium, material, domain_radius, cutoff, perturbation)
    cluster = _Cluster.cut(equilibrium, domain_radius, reach)
    limit = _closest(material)

    def label(system: System, index: int, anchor_energies: Floats) -> dict[str, Any]:
        positions = cluster.relaxed.copy()
        draws = np.random.default_rng([*seed, index])
        drawn = draws.normal(0.0, perturbation, (int(cluster.observed.sum()), 3))
        # beyond what the margin allows for, once in 1e10 atoms: rather too short a step than a wrong energy
        too_far = np.linalg.norm(drawn, axis=1, keepdims=True) / (LONGEST_DRAW * perturbation)
        positions[cluster.observed] += drawn / np.maximum(too_far, 1.0)
        close = cylinder_environments(positions, cluster.period, limit, np.flatnonzero(cluster.observed))
        check_distances(close, positions, f"core configuration {index}, perturbed by {perturbation} Å,")
        evaluation = system.evaluate(positions)
        # beyond these sites nothing changes: where only totals are known, the whole sum is theirs
        counted = cluster.energy_sites if evaluation.per_site else np.ones_like(cluster.energy_sites)
        changes = (evaluation.site_energies - anchor_energies)[counted]
        forces = evaluation.forces[cluster.observed]
        return {"positions": positions, "forces": forces, "energies": math.fsum(changes)}

    mine = range(first + comm.rank, last, comm.size)
    with open_reference(MPI.COMM_SELF, potential) as reference:
        # sites outside the energy's are there for the others' sake: their own energies would be cut short
        system = reference.cylinder(cluster.relaxed, cluster.period, ~cluster.energy_sites)
        anchor_energies = system.evaluate(cluster.anchor).site_energies
        made = _gathered(comm, mine, [label(system, index, anchor_energies) for index in mine])
    return made and {
        **made,
        "anchor": cluster.anchor,
        "site_radius": cluster.site_radius,
        "observed": cluster.observed,
        "energy_sites": cluster.energy_sites,
        "period": np.array(cluster.period),
    }


def bulk_set(
    comm: Any,
    potential: Mapping[str, Any],
    material: Mapping[str, Any],
    cells: list[int],
    strain: float,
    perturbation: float,
    seed: list[int],
    first: int,
    last: int,
) -> dict[str, Any] | None:
    """Make strained and perturbed periodic cells, with energies, forces and virials.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        Configurations are dealt to its ranks.
    potential, material : mapping
        See `kernels.references.open_reference` and `kernels.materials.bulk_properties`.
    cells : list of 3 int
        Repetitions of the conventional cubic cell.
    strain : float
        Standard deviation of each of the six entries of the symmetric strain.
    perturbation : float
        Standard deviation of each displacement component, Å; displaced after the strain.
    seed : list of int
        Study seed, replica and the number of the kind (1); see `core_set`.
    first, last : int
        Configurations ``first`` to ``last - 1``.

    Returns
    -------
    dict or None
        On rank 0, for n configurations of m atoms: ``positions`` (n, m, 3), ``cells`` (n, 3, 3), Å;
        ``energies`` (n,), relative to m atoms of the perfect crystal, eV; ``forces`` (n, m, 3), eV/Å;
        ``virials`` (n, 6), −dE/d(strain) in the order of `kernels.references.VOIGT`, eV. None on other ranks.

    Raises
    ------
    ValueError
        If there is nothing to make, or atoms come closer than half a bond.
    PotentialError
        If the reference fails.

    Notes
    -----
    theory.md, "Training data".
    """
    _check_range(first, last)
    nx, ny, nz = (int(count) for count in cells)
    structure, lattice_constant = str(material["structure"]), float(material["lattice_constant"])
    lattice, cell = conventional_crystal(structure, lattice_constant, (nx, ny, nz))

    def configuration(index: int) -> tuple[Floats, Floats]:
        draws = np.random.default_rng([*seed, index])
        upper = np.triu(draws.normal(0.0, strain, (3, 3)))
        deformation = np.eye(3) + upper + np.triu(upper, 1).T
        positions = lattice @ deformation + draws.normal(0.0, perturbation, lattice.shape)
        return positions, cell @ deformation

    mine = range(first + comm.rank, last, comm.size)
    made = []
    with open_reference(MPI.COMM_SELF, potential) as reference:
        for index in mine:
            positions, strained = configuration(index)
            close = cell_environments(positions, strained, _closest(material))
            check_distances(
                close, positions, f"bulk cell {index}, strained by {strain}, perturbed by {perturbation} Å,"
            )
            evaluation = reference.crystal(positions, strained).evaluate(positions)
            energy = math.fsum(evaluation.site_energies - material["energy_per_atom"])
            made.append(
                {
                    "positions": positions,
                    "cells": strained,
                    "energies": energy,
                    "forces": evaluation.forces,
                    "virials": evaluation.virial,
                }
            )
    return _gathered(comm, mine, made)


# No drawn displacement is longer than this many standard deviations.
LONGEST_DRAW = 7.0


@dataclass(frozen=True)
class _Cluster:
    """The part of a relaxed cylinder that a core configuration consists of."""

    relaxed: Floats
    anchor: Floats
    site_radius: Floats
    observed: Flags
    energy_sites: Flags
    period: float

    @classmethod
    def cut(cls, equilibrium: Mapping[str, NDArray[Any]], domain_radius: float, reach: float) -> _Cluster:
        sites = equilibrium["sites"]
        radius = np.hypot(sites[:, 0], sites[:, 1])
        outer = domain_radius + 2 * reach
        # columns stand closer than a bond: a cylinder that reaches `outer` has a site within that of it
        reached = radius.max() + equilibrium["bond_length"].max() > outer
        if not (reached and equilibrium["free"][radius < domain_radius].all()):
            raise ValueError(
                f"a training cluster of {outer:.1f} Å (domain radius {domain_radius} Å, two cutoffs, and margins) "
                f"does not fit into the cylinder of {radius.max():.1f} Å; shrink domain_radius or enlarge "
                "simulation_radius"
            )
        kept = radius < outer
        predicted = (sites + equilibrium["predictor"])[kept]
        relaxed = predicted + equilibrium["corrector"][kept]
        observed = radius[kept] < domain_radius
        return cls(
            relaxed=relaxed,
            anchor=np.where(observed[:, None], predicted, relaxed),
            site_radius=radius[kept],
            observed=observed,
            energy_sites=radius[kept] < domain_radius + reach,
            period=float(equilibrium["period"]),
        )


def cluster_reach(
    equilibrium: Mapping[str, NDArray[Any]],
    material: Mapping[str, Any],
    domain_radius: float,
    cutoff: float,
    perturbation: float,
) -> float:
    """How far, in the reference lattice, a perturbed or relaxed atom of a training cluster may be felt, Å.

    Beyond the larger of both cutoffs: the strain near the edge of the domain is about a bond / (2π radius); across the
    cut of an edge dislocation neighbours stood apart by its Burgers vector; within the domain atoms differ from the
    anchor by the corrector and by what is drawn.

    Parameters
    ----------
    equilibrium : mapping
        Arrays of a relaxed cylinder: ``sites``, ``corrector``, ``burgers``.
    material : mapping
        See `kernels.materials.bulk_properties`.
    domain_radius, cutoff, perturbation : float
        As in `core_set`.
    """
    larger = max(cutoff, float(material["cutoff"]))
    inside = np.hypot(equilibrium["sites"][:, 0], equilibrium["sites"][:, 1]) < domain_radius
    moved = float(np.max(np.linalg.norm(equilibrium["corrector"][inside], axis=1), initial=0.0))
    strained = larger * float(material["lattice_constant"]) / (2 * np.pi * domain_radius)
    slipped = float(np.hypot(*equilibrium["burgers"][:2]))
    # in this order: sums of floats depend on it, and with them which sites a cluster has
    return larger + (strained + slipped + moved + LONGEST_DRAW * perturbation)


def _closest(material: Mapping[str, Any]) -> float:
    """Half the nearest neighbours' distance, Å: closer atoms no reference was made for."""
    return 0.5 * structure_named(str(material["structure"])).shells[0] * float(material["lattice_constant"])


def _check_range(first: int, last: int) -> None:
    if not 0 <= first < last:
        raise ValueError(f"configurations {first} to {last - 1}: at least one is needed, numbered from 0")


def _gathered(comm: Any, mine: range, made: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Stack what the ranks made, by index, on rank 0."""
    gathered = comm.gather(dict(zip(mine, made, strict=True)))
    if comm.rank != 0:
        return None
    by_index = {index: entry for rank in gathered for index, entry in rank.items()}
    ordered = [by_index[index] for index in sorted(by_index)]
    return {name: np.stack([np.asarray(entry[name]) for entry in ordered]) for name in ordered[0]}
