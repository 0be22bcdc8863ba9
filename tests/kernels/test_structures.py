"""Every structure from lattice to relaxed point: bcc, fcc and diamond, at the smallest sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from kernels.cylinders import clamped_cylinder
from kernels.equilibrium import rough_equilibrium
from kernels.materials import bulk_properties
from kernels.references import open_reference
from kernels.training import bulk_set
from tests.kernels.chains import Chain, made
from tests.kernels.iron import IRON, POTENTIALS, SILICON, lammps_potential

COMM = MPI.COMM_SELF
COPPER = lammps_potential("Cu", "eam/alloy", f"* * {POTENTIALS}/Cu_mishin1.eam.alloy Cu")
POTENTIAL: dict[str, dict[str, Any]] = {"bcc": IRON, "fcc": COPPER, "diamond": SILICON}
# kind and simulation radius, Å: the largest domain that leaves few atoms
CHAINS = {"bcc": ("mixed", 9.0), "fcc": ("60degree", 9.0), "diamond": ("60degree", 9.0)}
# order and degree: without four-body terms silicon's core would take another form
BASES = {"bcc": (2, 5), "fcc": (2, 5), "diamond": (3, 6)}


@pytest.fixture(scope="module", params=list(CHAINS))
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    structure: str = request.param
    kind, radius = CHAINS[structure]
    order, degree = BASES[structure]
    element = POTENTIAL[structure]["element"]
    basis = {"element": element, "order": order, "degree": degree, "cutoff": 4.2}
    return made(tmp_path_factory.mktemp(structure), POTENTIAL[structure], structure, kind, radius, basis)


def test_the_reference_settles_in_a_minimum(chain: Chain) -> None:
    assert chain.equilibrium["residual_force"] < 1e-8
    assert chain.equilibrium["lowest_eigenvalue"] > 0.0
    assert chain.equilibrium["energy"] < 0.0


def test_labels_of_a_cluster_are_those_of_the_whole_cylinder(chain: Chain) -> None:
    """Across the cut of an edge component, too: atoms that meet there stood a Burgers vector apart."""
    whole, core = chain.equilibrium, chain.core
    count = len(core["site_radius"])
    relaxed = whole["sites"] + whole["predictor"] + whole["corrector"]
    anchor, full = relaxed.copy(), relaxed.copy()
    anchor[:count], full[:count] = core["anchor"], core["positions"][1]
    with open_reference(COMM, POTENTIAL[chain.material["structure"]]) as reference:
        system = reference.cylinder(relaxed, float(core["period"]))
        before, after = system.evaluate(anchor), system.evaluate(full)
    observed = core["observed"]
    np.testing.assert_allclose(after.forces[:count][observed], core["forces"][1], rtol=0, atol=1e-11)
    changes = after.site_energies - before.site_energies
    assert core["energies"][1] == pytest.approx(changes.sum(), abs=1e-10)


def test_the_fit_knows_the_crystal(chain: Chain) -> None:
    assert np.isfinite(chain.fits["elastic_error"]).all()
    assert abs(chain.fits["lattice_error"][0]) < 0.02 * chain.material["lattice_constant"]
    # a small basis: right to a fifth, where unrelaxed shears of silicon would be twice too stiff
    for name, found in (("C11", "c11"), ("C44", "c44")):
        assert chain.fits[found][0] == pytest.approx(chain.material[name], rel=0.35)
    assert chain.fits["far_field_mismatch"][0] > 0.0


def test_a_point_relaxes_and_its_estimate_is_near(chain: Chain) -> None:
    assert chain.point["status"] == "relaxed", chain.point["message"]
    assert chain.point["residual_force"] < 1e-6
    estimate, error = float(chain.estimates["geometry_estimate"][0]), chain.point["geometry_error"]
    assert error > 0.0
    assert estimate == pytest.approx(error, rel=1.0)


@pytest.mark.parametrize(
    ("structure", "kind", "power"),
    [("bcc", "edge", 2.5), ("bcc", "mixed", 2.5), ("fcc", "60degree", 2.5), ("diamond", "60degree", 1.5)],
)
def test_forces_of_the_predictor_decay_on_the_cut_as_elsewhere(
    structure: str, kind: str, power: float
) -> None:
    """Like 1/r³ where atoms are translations of one another, else like 1/r²; a cut that does not match leaves 1/r."""
    material = bulk_properties(COMM, POTENTIAL[structure], structure)
    cylinder = clamped_cylinder(kind, material, 36.0, 12.0)
    displaced = cylinder.sites + cylinder.predictor
    with open_reference(COMM, POTENTIAL[structure]) as reference:
        forces = np.abs(reference.cylinder(displaced, float(cylinder.period)).forces(displaced)).max(axis=1)
    away = np.hypot(*cylinder.sites[:, :2].T)
    cut = (np.abs(cylinder.sites[:, 1]) < material["lattice_constant"]) & (cylinder.sites[:, 0] < 0.0)
    near, far = (away > 12.0) & (away < 16.0), (away > 30.0) & (away < 36.0)
    for side in (cut, ~cut):
        assert forces[far & side].max() < forces[near & side].max() * (14.0 / 33.0) ** power
    assert forces[far & cut].max() < 1.5 * forces[far & ~cut].max()


@pytest.mark.parametrize(
    ("structure", "kind"), [("fcc", "FCCScrewShockleyPartial"), ("diamond", "DiamondGlide30degreePartial")]
)
def test_a_partial_settles_with_its_fault(structure: str, kind: str) -> None:
    material = bulk_properties(COMM, POTENTIAL[structure], structure)
    found = rough_equilibrium(COMM, POTENTIAL[structure], material, kind, 12.0, cutoff=4.0)
    assert found["residual_force"] < 1e-5
    # the fault is still there: planes ahead of the clamped boundary have slipped by the partial
    moved = found["sites"] + found["predictor"] + found["corrector"] - found["sites"]
    sites, reach = found["sites"], material["lattice_constant"] / np.sqrt(3.0)
    beside = (np.abs(sites[:, 1]) < reach) & (sites[:, 0] < -9.0)
    slip = moved[beside & (sites[:, 1] > 0.0)].mean(axis=0) - moved[beside & (sites[:, 1] < 0.0)].mean(axis=0)
    np.testing.assert_allclose(slip, found["burgers"], rtol=0, atol=0.3)


def test_the_screw_of_fcc_dissociates_in_the_glide_plane() -> None:
    """Not in the other {111} plane through the line, at whatever radius."""
    material = bulk_properties(COMM, COPPER, "fcc")
    found = rough_equilibrium(COMM, COPPER, material, "screw", 18.0, cutoff=4.0)
    moved = found["predictor"] + found["corrector"]
    sites, plane = found["sites"], material["lattice_constant"] / np.sqrt(3.0)
    beside = (np.abs(sites[:, 1]) < 0.9 * plane) & (np.abs(sites[:, 0]) < 3.0)
    slip = moved[beside & (sites[:, 1] > 0.0)].mean(axis=0) - moved[beside & (sites[:, 1] < 0.0)].mean(axis=0)
    # a partial's edge component along x is a/√24; a screw dissociated in the other plane has none here
    assert abs(slip[0]) > 0.5 * material["lattice_constant"] / np.sqrt(24.0)


def test_training_cells_with_atoms_too_close_are_refused() -> None:
    material = bulk_properties(COMM, SILICON, "diamond")
    with pytest.raises(ValueError, match=r"bulk cell 0, strained .*perturbed .* has atoms"):
        bulk_set(COMM, SILICON, material, [2, 2, 2], 0.01, 2.0, [0, 0, 1], 0, 1)
