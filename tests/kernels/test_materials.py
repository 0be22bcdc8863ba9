from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from kernels.evaluations import Evaluation, PotentialError
from kernels.lattices import STRUCTURES, conventional_crystal, structure_named
from kernels.materials import (
    MaterialError,
    _check_internal_stiffness,
    _check_stability,
    bulk_properties,
)
from kernels.references import open_reference
from tests.kernels.iron import IRON, SILICON, TUNGSTEN_SNAP, TUNGSTEN_ZHOU, iron_material, lammps_potential


@pytest.mark.parametrize(
    ("potential", "structure", "lattice_constant", "constants"),
    [
        # the potential of arXiv:1702.07042; the values are a prototype's, through other code
        (TUNGSTEN_SNAP, "bcc", 3.18046, (517.7, 194.5, 144.3)),
        # M. I. Mendelev et al., Phil. Mag. 83, 3977 (2003)
        (IRON, "bcc", 2.8553, (243.0, 145.0, 116.0)),
        # X. W. Zhou et al., Acta Mater. 49, 4005 (2001), fitted to tungsten's own constants
        (TUNGSTEN_ZHOU, "bcc", 3.1648, (522.4, 204.4, 160.6)),
        # E. R. Cowley, Phys. Rev. Lett. 60, 2379 (1988): Stillinger–Weber silicon, internal strain relaxed
        (SILICON, "diamond", 5.4310, (151.4, 76.4, 56.4)),
    ],
    ids=["W-SNAP", "Fe-EAM", "W-EAM", "Si-SW"],
)
def test_published_lattice_and_elastic_constants(
    potential: dict[str, Any],
    structure: str,
    lattice_constant: float,
    constants: tuple[float, float, float],
) -> None:
    found = bulk_properties(MPI.COMM_SELF, potential, structure)
    assert found["lattice_constant"] == pytest.approx(lattice_constant, rel=1e-4)
    assert (found["C11"], found["C12"], found["C44"]) == pytest.approx(constants, abs=0.5)


def test_iron_is_at_zero_pressure_with_its_energy_per_atom() -> None:
    material = iron_material()
    assert material["element"] == "Fe"
    assert material["cutoff"] == 5.3
    assert material["mass"] == pytest.approx(55.845, abs=1e-3)
    positions, cell = conventional_crystal("bcc", material["lattice_constant"], (2, 2, 2))
    with open_reference(MPI.COMM_SELF, IRON) as reference:
        evaluation = reference.crystal(positions, cell).evaluate(positions)
    # 1e-8 Å of the lattice constant is 4e-7 eV of the virial of 16 atoms
    assert np.abs(evaluation.virial).max() < 1e-6
    assert evaluation.site_energies == pytest.approx(material["energy_per_atom"], abs=1e-11)


def test_a_crystal_that_shears_by_itself_is_refused() -> None:
    # bcc is unstable for a pair potential that counts nearest neighbours only
    short = lammps_potential("Fe", "lj/cut 2.7", "* * 0.4 2.2")
    with pytest.raises(MaterialError, match=r"not stable under 'lj/cut 2\.7'"):
        bulk_properties(MPI.COMM_SELF, short, "bcc")


@pytest.mark.parametrize(
    ("constants", "reason"), [((5.0, 7.0, 3.0), "C12 = 7.0,"), ((9.0, 4.0, -1.0), "C44 = -1.0 GPa")]
)
def test_a_crystal_soft_in_either_shear_is_refused(
    constants: tuple[float, float, float], reason: str
) -> None:
    with pytest.raises(ValueError, match=f"as it is: .*{reason}"):
        _check_stability("as it is", constants)


class _Springs:
    """A crystal whose second half of atoms is held to the first by springs, and that is all."""

    def __init__(self, stiffness: float) -> None:
        self.stiffness = stiffness

    def crystal(self, positions: np.ndarray, _cell: np.ndarray) -> _Springs:
        self.start = positions.copy()
        return self

    def evaluate(self, positions: np.ndarray) -> Evaluation:
        forces = -self.stiffness * (positions - self.start)
        return Evaluation(np.zeros(len(positions)), forces, np.zeros(6))


def test_sublattices_that_are_not_driven_back_are_refused() -> None:
    diamond = structure_named("diamond")
    _check_internal_stiffness(_Springs(2.0), diamond, 5.4, "as it is")
    with pytest.raises(
        MaterialError, match=r"as it is: its two sublattices .* \(stiffness -2 eV/Å² an atom\)"
    ):
        _check_internal_stiffness(_Springs(-2.0), diamond, 5.4, "as it is")


def test_the_sublattices_of_silicon_shift_as_published() -> None:
    """Kleinman's ζ of Stillinger–Weber silicon is 0.63 (H. Balamane et al., Phys. Rev. B 46, 2250 (1992))."""
    found = bulk_properties(MPI.COMM_SELF, SILICON, "diamond")
    assert -4 * found["internal_shift"] / found["lattice_constant"] == pytest.approx(0.63, abs=0.005)


def test_only_diamond_has_sublattices_that_shift() -> None:
    assert "internal_shift" not in iron_material()


def test_a_potential_without_a_crystal_is_refused() -> None:
    repulsive = lammps_potential("Fe", "born 8.0", "* * 1.0 0.3 0.0 0.0 0.0")
    with pytest.raises(MaterialError, match="zero pressure"):
        bulk_properties(MPI.COMM_SELF, repulsive, "bcc")


def test_the_trial_reports_what_lammps_refused() -> None:
    with pytest.raises(PotentialError, match="LAMMPS said"):
        bulk_properties(MPI.COMM_SELF, IRON | {"pair_style": "eam/none"}, "bcc")


def test_an_unknown_structure_is_refused() -> None:
    with pytest.raises(ValueError, match="'hcp': known are bcc, fcc, diamond"):
        bulk_properties(MPI.COMM_SELF, IRON, "hcp")


@pytest.mark.parametrize("name", sorted(STRUCTURES))
def test_the_table_of_structures_agrees_with_the_sites(name: str) -> None:
    structure = structure_named(name)
    positions, cell = conventional_crystal(name, 1.0, (3, 3, 3))
    apart = positions - positions[0]
    apart -= np.round(apart @ np.linalg.inv(cell)) @ cell
    distances = np.sort(np.linalg.norm(apart, axis=1))[1:]
    shells = np.unique(np.round(distances, 9))[:3]
    assert shells == pytest.approx([*structure.shells, structure.third_shell])
    assert int((distances < structure.bond_reach).sum()) == structure.coordination
    assert int((distances < structure.nearest_reach).sum()) == structure.nearest_count
