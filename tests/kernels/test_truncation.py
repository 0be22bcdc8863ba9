"""Truncation errors: of made-up correctors, where the answer is known, and of iron relaxed in three cylinders."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from kernels.cylinders import clamped_cylinder
from kernels.dislocations import elastic_field
from kernels.equilibrium import comparison_equilibrium
from kernels.errors import strain_norm
from kernels.references import open_reference
from kernels.truncation import compared, truncation_errors
from tests.kernels.iron import IRON, iron_material, stored
from tests.kernels.ranks import on_ranks

COMM = MPI.COMM_SELF
TUNGSTEN = {
    "element": "W",
    "structure": "bcc",
    "lattice_constant": 3.16,
    "C11": 522.0,
    "C12": 204.0,
    "C44": 161.0,
}
NARROW, WIDER, WIDEST = 10.0, 15.0, 45.0


class Pair:
    """A narrow and a wide cylinder that nobody relaxed, to be given correctors and site energies."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, 0
        narrow, wide = (clamped_cylinder("screw", TUNGSTEN, radius, 8.0) for radius in (8.0, 24.0))
        self.narrow_free = int(narrow.free.sum())
        self.corrector, self.energies = np.zeros_like(narrow.sites), np.zeros(len(narrow.sites))
        self.wide = wide.arrays() | {
            "corrector": np.zeros_like(wide.sites),
            "site_energy_difference": np.zeros(len(wide.sites)),
        }

    def errors(self) -> dict[str, Any]:
        # a new name each time: kernels take a file for unchanging
        self.asked += 1
        wide = stored(self.folder, f"wide-{self.asked}", self.wide)
        return compared(wide, TUNGSTEN, "screw", self.corrector, self.energies)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def test_equal_cores_have_no_error(pair: Pair) -> None:
    pair.corrector[:20] = pair.wide["corrector"][:20] = 0.01
    errors = pair.errors()
    assert errors["status"] == "relaxed"
    assert (errors["truncation_geometry_error"], errors["truncation_energy_error"]) == (0.0, 0.0)


@pytest.mark.parametrize("site", [0, "free in the wide one alone"])
def test_one_displaced_site_strains_its_twelve_bonds(pair: Pair, site: int | str) -> None:
    """Of its 8 + 6 neighbours two are its own images; the narrow corrector ends with its domain."""
    chosen = site if isinstance(site, int) else pair.narrow_free + 1
    assert pair.wide["free"][chosen]
    pair.wide["corrector"][chosen] = [0.003, 0.0, -0.004]
    assert pair.errors()["truncation_geometry_error"] == pytest.approx(0.005 * math.sqrt(12), rel=1e-12)


def test_energies_are_summed_by_differences(pair: Pair) -> None:
    """Two totals of 1e9 eV would leave nothing of a difference of 1e-9 eV."""
    sites = len(pair.energies)
    large = 1e6 * np.random.default_rng(0).normal(size=sites)
    pair.wide["site_energy_difference"][:sites] = large
    pair.energies = large.copy()
    pair.energies[3] += 2.0**-10
    pair.wide["site_energy_difference"][-1] = -(2.0**-20)
    assert pair.errors()["truncation_energy_error"] == 2.0**-10 + 2.0**-20


def test_a_lower_energy_in_the_narrower_cylinder_is_another_minimum(pair: Pair) -> None:
    pair.energies[0] = -1e-5
    errors = pair.errors()
    assert errors["status"] == "other_minimum"
    assert "1.00e-05 eV below" in errors["message"]
    assert "truncation_energy_error" not in errors


def test_a_bond_that_differs_too_much_is_another_core(pair: Pair) -> None:
    burgers = float(np.linalg.norm(pair.wide["burgers"]))
    pair.wide["corrector"][0] = [0.0, 0.0, 0.09 * burgers]
    assert pair.errors()["status"] == "relaxed"
    pair.wide["corrector"][0] = [0.0, 0.0, 0.11 * burgers]
    errors = pair.errors()
    assert errors["status"] == "other_minimum"
    assert "a bond at" in errors["message"]
    assert not any(name.startswith("truncation") for name in errors)


def test_a_core_in_the_next_valley_is_another_minimum(pair: Pair) -> None:
    """Its predictor, moved by one valley, is the corrector; lattice constant 3.16: valleys 2.58 Å apart."""
    elastic = {name: TUNGSTEN[name] for name in ("C11", "C12", "C44", "lattice_constant")}
    field = elastic_field("screw", "bcc", **elastic)
    valley = np.array([math.sqrt(2 / 3) * 3.16, 0.0, 0.0])
    moved = field.self_consistent(pair.wide["sites"] - valley) - pair.wide["predictor"]
    burgers = pair.wide["burgers"]
    moved -= np.outer(np.round(moved @ burgers / (burgers @ burgers)), burgers)
    pair.wide["corrector"] = np.where(pair.wide["free"][:, None], moved, 0.0)
    errors = pair.errors()
    assert errors["status"] == "other_minimum"
    assert "third of the Burgers vector" in errors["message"]


@dataclass(frozen=True)
class Iron:
    """An iron screw in a wide cylinder."""

    wide: dict[str, Any]
    path: str

    def errors(self, radius: float, **changes: Any) -> dict[str, Any]:
        inputs = {"material": iron_material(), "dislocation": "screw", "comparison": self.path} | changes
        return truncation_errors(
            COMM, potential=IRON, simulation_radius=radius, force_tolerance=1e-6, **inputs
        )


@pytest.fixture(scope="module")
def iron(tmp_path_factory: pytest.TempPathFactory) -> Iron:
    wide = comparison_equilibrium(COMM, IRON, iron_material(), "screw", WIDEST, 0.0)
    return Iron(wide, stored(tmp_path_factory.mktemp("truncation"), "wide", wide))


def test_errors_are_those_of_a_core_relaxed_from_the_predictor(iron: Iron) -> None:
    """Another start, another kernel and another sum: its energy in the wide cylinder, which LAMMPS gives directly."""
    wide = iron.wide
    narrow = comparison_equilibrium(COMM, IRON, iron_material(), "screw", NARROW, 0.0)
    corrector = np.zeros_like(wide["corrector"])
    corrector[: len(narrow["corrector"])] = narrow["corrector"]
    predicted = wide["sites"] + wide["predictor"]
    with open_reference(COMM, IRON) as reference:
        system = reference.cylinder(predicted, float(wide["period"]))
        differences = (
            system.evaluate(predicted + corrector).site_energies - system.evaluate(predicted).site_energies
        )
    excess = math.fsum(differences) - float(wide["energy"])
    errors = iron.errors(NARROW)
    assert errors["truncation_energy_error"] == pytest.approx(excess, abs=1e-9)
    expected = strain_norm(wide["bonds"], corrector - wide["corrector"])
    assert errors["truncation_geometry_error"] == pytest.approx(expected, abs=1e-5)


def test_errors_fall_no_slower_than_the_bounds(iron: Iron) -> None:
    """theory.md, "Rates in the domain radius": R^-1 log(R/b) and its square, upper bounds both."""
    narrow, wider = iron.errors(NARROW), iron.errors(WIDER)
    assert narrow["status"] == wider["status"] == "relaxed"
    burgers = float(np.linalg.norm(iron.wide["burgers"]))
    bound = (NARROW / WIDER) * math.log(WIDER / burgers) / math.log(NARROW / burgers)
    for kind, power in (("geometry", 1), ("energy", 2)):
        name = f"truncation_{kind}_error"
        assert 0 < wider[name] / narrow[name] < bound**power


def test_two_ranks_find_the_same(iron: Iron, tmp_path: Path) -> None:
    asked = {"material": iron_material(), "dislocation": "screw", "comparison": iron.path}
    asked |= {"potential": IRON, "simulation_radius": NARROW, "force_tolerance": 1e-6}
    found = on_ranks(2, "kernels.truncation:truncation_errors", tmp_path, **asked)
    for name, value in iron.errors(NARROW).items():
        if isinstance(value, float):
            assert found[name] == pytest.approx(value, rel=1e-6)
        else:
            assert found[name] == value


def test_what_is_no_wider_cylinder_is_refused(iron: Iron) -> None:
    with pytest.raises(ValueError, match=r"screw of 60\.0 Å is no part of .*wide\.npz"):
        iron.errors(60.0)
    with pytest.raises(ValueError, match="same dislocation and material"):
        iron.errors(NARROW, dislocation="edge")
    stretched = iron_material() | {"lattice_constant": 1.001 * iron_material()["lattice_constant"]}
    with pytest.raises(ValueError, match="same dislocation and material"):
        iron.errors(NARROW, material=stretched)
