from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from kernels.environments import cylinder_environments
from kernels.evaluations import VOIGT
from kernels.references import open_reference
from kernels.training import bulk_set, core_set
from tests.kernels.iron import IRON, Relaxed, iron_material, relaxed_iron
from tests.kernels.ranks import on_ranks

DOMAIN = 6.0
CORE, BULK = 0, 1


@pytest.fixture(scope="module")
def iron(tmp_path_factory: pytest.TempPathFactory) -> Relaxed:
    return relaxed_iron(tmp_path_factory.mktemp("iron"), 12.0)


def core_arguments(iron: Relaxed, **changes: Any) -> dict[str, Any]:
    asked = {
        "potential": IRON,
        "material": iron.material,
        "equilibrium_path": iron.equilibrium,
        "domain_radius": DOMAIN,
        "cutoff": 5.0,
        "perturbation": 0.02,
        "seed": [7, 0, CORE],
        "first": 0,
        "last": 3,
    }
    return asked | changes


def bulk_arguments(**changes: Any) -> dict[str, Any]:
    asked = {
        "potential": IRON,
        "material": iron_material(),
        "cells": [2, 2, 2],
        "strain": 0.01,
        "perturbation": 0.02,
        "seed": [7, 0, BULK],
        "first": 0,
        "last": 3,
    }
    return asked | changes


def cores(iron: Relaxed, **changes: Any) -> dict[str, Any]:
    return core_set(MPI.COMM_SELF, **core_arguments(iron, **changes))


def bulks(**changes: Any) -> dict[str, Any]:
    return bulk_set(MPI.COMM_SELF, **bulk_arguments(**changes))


@pytest.mark.parametrize("domain_radius", [4.0, 6.0, 9.0])
def test_labels_of_a_cluster_are_those_of_the_whole_cylinder(iron: Relaxed, domain_radius: float) -> None:
    made = cores(iron, domain_radius=domain_radius)
    whole = iron.arrays
    count = len(made["site_radius"])
    relaxed = whole["sites"] + whole["predictor"] + whole["corrector"]
    anchor = relaxed.copy()
    anchor[:count] = made["anchor"]
    with open_reference(MPI.COMM_SELF, IRON) as reference:
        system = reference.cylinder(relaxed, float(made["period"]))
        anchored = system.evaluate(anchor).site_energies
        for positions, forces, energy in zip(
            made["positions"], made["forces"], made["energies"], strict=True
        ):
            full = relaxed.copy()
            full[:count] = positions
            evaluation = system.evaluate(full)
            np.testing.assert_allclose(
                evaluation.forces[:count][made["observed"]], forces, rtol=0, atol=1e-12
            )
            changes = evaluation.site_energies - anchored
            assert energy == pytest.approx(changes[:count][made["energy_sites"]].sum(), abs=1e-12)
            # nothing outside the energy's sites has changed: no gauge enters
            assert energy == pytest.approx(changes.sum(), abs=1e-11)


def test_only_observed_sites_are_perturbed_and_by_the_deviation_asked_for(iron: Relaxed) -> None:
    made = cores(iron, last=40, perturbation=0.05)
    whole = iron.arrays
    count = len(made["site_radius"])
    moved = made["positions"] - (whole["sites"] + whole["predictor"] + whole["corrector"])[:count]
    assert (moved[:, ~made["observed"]] == 0.0).all()
    drawn = moved[:, made["observed"]]
    # 40 configurations of 21 or more sites: the standard error of the deviation is below 2 per cent
    assert drawn.std() == pytest.approx(0.05, rel=0.08)
    assert abs(drawn.mean()) < 4 * 0.05 / np.sqrt(drawn.size)


def test_the_regions_of_a_cluster(iron: Relaxed) -> None:
    made = cores(iron)
    whole = iron.arrays
    radius = made["site_radius"]
    np.testing.assert_allclose(radius, np.hypot(*whole["sites"][: len(radius)].T[:2]))
    # the reference's cutoff of 5.3 Å is the larger one
    assert DOMAIN + 10.6 < radius.max() < DOMAIN + 10.6 + 4.0
    np.testing.assert_array_equal(made["observed"], radius < DOMAIN)
    # with a margin: for strain, for the corrector, for what is drawn
    assert made["energy_sites"][radius < DOMAIN + 5.3 + 7 * 0.02].all()
    assert not made["energy_sites"][radius > DOMAIN + 5.3 + 2.0].any()
    inside = made["observed"]
    predicted = (whole["sites"] + whole["predictor"])[: len(radius)]
    np.testing.assert_array_equal(made["anchor"][inside], predicted[inside])
    np.testing.assert_allclose(
        made["anchor"][~inside], (predicted + whole["corrector"][: len(radius)])[~inside], atol=1e-15
    )
    assert made["forces"].shape == (3, inside.sum(), 3)


@pytest.mark.parametrize("domain_radius", [4.7, 6.2, 7.1, 8.1, 9.4])
def test_no_site_beyond_the_energys_feels_a_perturbation(iron: Relaxed, domain_radius: float) -> None:
    """Just below a spacing of the lattice's columns, a cutoff is crossed by the least strain."""
    cutoff = 0.998 * np.sqrt(14.0 / 3.0) * iron.material["lattice_constant"]
    made = cores(iron, domain_radius=domain_radius, cutoff=cutoff, perturbation=0.05)
    whole = iron.arrays
    anchor = whole["sites"] + whole["predictor"] + whole["corrector"]
    count, period = len(made["site_radius"]), float(made["period"])
    outside = np.setdiff1d(np.arange(len(anchor)), np.flatnonzero(made["energy_sites"]))
    anchor[:count] = made["anchor"]
    for positions in made["positions"]:
        moved = anchor.copy()
        moved[:count] = positions
        for site in outside:
            distances = []
            for where in (anchor, moved):
                around = cylinder_environments(where, period, cutoff, np.array([site]))
                lengths = np.linalg.norm(around.vectors(where)[around.mask], axis=1)
                distances.append(np.sort(lengths))
            np.testing.assert_array_equal(*distances)


def test_a_cluster_larger_than_the_simulation_is_refused(iron: Relaxed) -> None:
    with pytest.raises(ValueError, match="shrink domain_radius"):
        cores(iron, domain_radius=14.0)
    with pytest.raises(ValueError, match="shrink domain_radius"):
        cores(iron, domain_radius=11.0, cutoff=9.0)


@pytest.mark.parametrize(("first", "last"), [(2, 2), (-1, 2), (3, 1)])
def test_an_empty_range_is_refused(iron: Relaxed, first: int, last: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        cores(iron, first=first, last=last)
    with pytest.raises(ValueError, match="at least one"):
        bulks(first=first, last=last)


def test_a_shorter_set_is_the_start_of_a_longer_one(iron: Relaxed) -> None:
    for long, short, later in [
        (cores(iron, last=4), cores(iron, last=2), cores(iron, first=2, last=4)),
        (bulks(last=4), bulks(last=2), bulks(first=2, last=4)),
    ]:
        for name in {"positions", "energies", "forces", "cells", "virials"} & set(long):
            joined = np.concatenate([short[name], later[name]])
            np.testing.assert_allclose(joined, long[name], rtol=0, atol=1e-12)
            # and no two configurations are alike
            assert len({entry.tobytes() for entry in long[name]}) == 4


def test_streams_differ_by_seed_replica_and_kind(iron: Relaxed) -> None:
    seeds = [[7, 0, CORE], [7, 1, CORE], [8, 0, CORE], [7, 0, BULK]]
    made = [cores(iron, seed=seed, last=1)["positions"] for seed in seeds]
    assert len({positions.tobytes() for positions in made}) == len(seeds)


def test_two_ranks_make_the_same_sets_as_one(iron: Relaxed, tmp_path: Path) -> None:
    for alone, kernel, arguments in [
        (cores(iron), "kernels.training:core_set", core_arguments(iron)),
        (bulks(), "kernels.training:bulk_set", bulk_arguments()),
    ]:
        shared = on_ranks(2, kernel, tmp_path, **arguments)
        assert set(shared) == set(alone)
        for name, array in alone.items():
            np.testing.assert_allclose(shared[name], array, rtol=0, atol=1e-12)


def test_the_unstrained_crystal_has_no_energy_force_or_virial() -> None:
    made = bulks(strain=0.0, perturbation=0.0, last=1)
    assert made["energies"] == pytest.approx([0.0], abs=1e-9)
    np.testing.assert_allclose(made["forces"], 0.0, atol=1e-10)
    # the lattice constant is known to 1e-9 Å
    np.testing.assert_allclose(made["virials"], 0.0, atol=1e-6)


def test_small_strains_cost_what_the_elastic_constants_say() -> None:
    material = iron_material()
    made = bulks(strain=1e-4, perturbation=0.0, last=6)
    cell = 2 * material["lattice_constant"] * np.eye(3)
    volume = float(np.linalg.det(cell))
    stiffness = np.zeros((6, 6))
    stiffness[:3, :3] = material["C12"]
    stiffness[np.arange(3), np.arange(3)] = material["C11"]
    stiffness[np.arange(3, 6), np.arange(3, 6)] = material["C44"]
    stiffness /= 160.21766
    for strained, energy, virial in zip(made["cells"], made["energies"], made["virials"], strict=True):
        strain = np.linalg.inv(cell) @ strained - np.eye(3)
        np.testing.assert_allclose(strain, strain.T, atol=1e-15)
        assert np.abs(np.linalg.det(strained) - volume) > 0.0
        engineering = np.array([strain[pair] * (1 if pair[0] == pair[1] else 2) for pair in VOIGT])
        assert energy == pytest.approx(0.5 * volume * engineering @ stiffness @ engineering, rel=5e-3)
        stress = stiffness @ engineering
        np.testing.assert_allclose(-virial / volume, stress, rtol=0, atol=5e-3 * np.abs(stress).max())


def test_bulk_strain_and_perturbation_have_the_deviations_asked_for() -> None:
    made = bulks(strain=0.02, perturbation=0.03, last=60)
    cell = 2 * iron_material()["lattice_constant"] * np.eye(3)
    strains = np.linalg.inv(cell) @ made["cells"] - np.eye(3)
    entries = np.array([[strain[pair] for pair in VOIGT] for strain in strains])
    assert entries.std() == pytest.approx(0.02, rel=0.15)
    unperturbed = bulks(strain=0.02, perturbation=0.0, last=60)
    np.testing.assert_array_equal(unperturbed["cells"], made["cells"])
    assert (made["positions"] - unperturbed["positions"]).std() == pytest.approx(0.03, rel=0.1)


def test_labels_are_the_references_own() -> None:
    made = bulks(last=1)
    with open_reference(MPI.COMM_SELF, IRON) as reference:
        evaluation = reference.crystal(made["positions"][0], made["cells"][0]).evaluate(made["positions"][0])
    np.testing.assert_allclose(made["forces"][0], evaluation.forces, rtol=0, atol=1e-12)
    np.testing.assert_allclose(made["virials"][0], evaluation.virial, rtol=0, atol=1e-10)
    total = float(evaluation.site_energies.sum()) - 16 * iron_material()["energy_per_atom"]
    assert made["energies"][0] == pytest.approx(total, abs=1e-10)
