"""The checks of a dislocated crystal must see what is wrong with it: crystals are damaged here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kernels.circuits import check_burgers_vector, circuit_burgers
from kernels.dislocated import DislocatedCrystal
from kernels.elastic_fields import GeometryError
from kernels.environments import cell_environments, cylinder_environments
from kernels.neighbourhoods import check_bonds, check_coordination, check_distances
from kernels.pairs import Pairs, pairs_within
from tests.kernels.every_dislocation import EVERY_CLASS, MATERIALS, PARTIALS

RADIUS, OUTER = 20.0, 29.0
PERFECT = [which for which in EVERY_CLASS if which not in PARTIALS]


class Built:
    """A crystal around a dislocation, displaced as it should be."""

    def __init__(self, kind: str, structure: str) -> None:
        self.crystal = DislocatedCrystal.of(kind, MATERIALS[structure])
        self.sites = self.crystal.sites_within(OUTER)
        self.displacement = self.crystal.displacement(self.sites)
        self.free = np.hypot(*self.sites[:, :2].T) < RADIUS

    @property
    def neighbours(self) -> Pairs:
        reach = self.crystal.lattice.bond_reach * self.crystal.lattice_constant
        return pairs_within(self.sites, self.crystal.period, reach)

    def check_bonds(self, displacement: np.ndarray) -> None:
        check_bonds(self.crystal, self.sites, displacement, self.free, self.neighbours)

    def check_circuit(self, displacement: np.ndarray, radius: float = RADIUS) -> None:
        check_burgers_vector(self.crystal, self.sites, displacement, radius)

    def nearest_site(self, x: float, y: float) -> int:
        return int(np.argmin(np.hypot(self.sites[:, 0] - x, self.sites[:, 1] - y)))


@pytest.mark.parametrize(("kind", "structure"), EVERY_CLASS)
def test_circuits_from_atom_to_atom_find_the_burgers_vector(kind: str, structure: str) -> None:
    built = Built(kind, structure)
    for radius in (8.0, 14.0, 20.0):
        away = np.hypot(*built.sites[:, :2].T)
        ring = (away > radius) & (away < radius + 2 * built.crystal.lattice_constant)
        found = circuit_burgers(
            (built.sites + built.displacement)[ring],
            built.crystal.above(built.sites)[ring],
            built.crystal.period,
            built.crystal.nearest_bonds,
            built.crystal.lattice.nearest_reach * built.crystal.lattice_constant,
        )
        # off by the strain of the bonds that close them
        strain = built.crystal.strain_at(radius)
        assert np.linalg.norm(found - built.crystal.field.burgers) < 2 * strain * built.crystal.nearest


@pytest.mark.parametrize(("kind", "structure"), PERFECT)
def test_another_burgers_vector_is_seen(kind: str, structure: str) -> None:
    built = Built(kind, structure)
    with pytest.raises(GeometryError, match="miss closing"):
        built.check_circuit(0.0 * built.displacement)
    with pytest.raises(GeometryError, match="miss closing"):
        built.check_circuit(-built.displacement)


@pytest.mark.parametrize(("kind", "structure"), PARTIALS)
def test_a_crystal_without_its_partial_is_seen(kind: str, structure: str) -> None:
    built = Built(kind, structure)
    with pytest.raises(GeometryError, match="miss closing"):
        built.check_circuit(0.0 * built.displacement)


@pytest.mark.parametrize(("kind", "structure"), EVERY_CLASS)
def test_a_second_dislocation_within_the_circuit_is_seen(kind: str, structure: str) -> None:
    built = Built(kind, structure)
    aside = built.sites - np.array([-3.0, 0.1, 0.0])
    twice = built.displacement + built.crystal.field(aside, built.crystal.above(built.sites))
    with pytest.raises(GeometryError, match=r"miss closing|hang together|stand opposite"):
        built.check_circuit(twice, 14.0)


def test_a_ring_that_is_torn_is_no_circuit() -> None:
    built = Built("edge", "bcc")
    torn = built.displacement + np.where(built.sites[:, :1] > 0.0, 5.0, 0.0)
    with pytest.raises(GeometryError, match="hang together"):
        built.check_circuit(torn)


@pytest.mark.parametrize(("kind", "structure"), EVERY_CLASS)
def test_a_break_of_a_row_on_the_cut_is_seen(kind: str, structure: str) -> None:
    """What a cut that does not follow the glide plane does: part of a row is displaced with the other side."""
    built = Built(kind, structure)
    built.check_bonds(built.displacement)
    above = built.crystal.above(built.sites)
    lowest = built.sites[above & (built.sites[:, 0] < 0.0), 1].min()
    row = above & (built.sites[:, 1] < lowest + 0.1) & (built.sites[:, 0] < -13.0)
    assert row.any()
    broken = built.displacement - np.outer(row, built.crystal.field.burgers)
    with pytest.raises(GeometryError, match="as if an atom were missing"):
        built.check_bonds(broken)


@pytest.mark.parametrize("where", [(12.0, 3.0), (-12.0, 0.0), (0.0, -15.0)])
@pytest.mark.parametrize("structure", ["bcc", "fcc", "diamond"])
def test_an_atom_out_of_its_place_is_seen(structure: str, where: tuple[float, float]) -> None:
    built = Built("edge", structure)
    moved = built.displacement.copy()
    moved[built.nearest_site(*where)] += 0.4 * built.crystal.nearest
    with pytest.raises(GeometryError, match="changes the bond"):
        built.check_bonds(moved)


def test_a_fault_elsewhere_than_on_the_cut_is_seen() -> None:
    """A partial's crystal may be faulted where y = 0, x < 0, and there alone."""
    built = Built("FCCEdgeShockleyPartial", "fcc")
    plane = built.crystal.lattice_constant / np.sqrt(3.0)
    upper = built.sites[:, 1] > 3.0 * plane
    with pytest.raises(GeometryError, match="changes the bond"):
        built.check_bonds(built.displacement + np.outer(upper, built.crystal.field.burgers))
    # ahead of the line the crystal is whole
    beyond = (built.sites[:, 0] > 8.0) & built.crystal.above(built.sites)
    with pytest.raises(GeometryError, match="changes the bond"):
        built.check_bonds(built.displacement + np.outer(beyond, built.crystal.field.burgers))


def test_a_missing_site_is_seen_in_the_lattice_and_on_the_cut() -> None:
    built = Built("edge", "bcc")
    gone = built.nearest_site(-12.0, 0.7)
    kept = np.arange(len(built.sites)) != gone
    built.sites, built.displacement, built.free = (
        array[kept] for array in (built.sites, built.displacement, built.free)
    )
    with pytest.raises(GeometryError, match="free sites, the first at index"):
        check_coordination(built.neighbours, built.free, built.crystal.lattice)
    with pytest.raises(GeometryError, match=r"nearest neighbours after the slip where bcc has 8"):
        built.check_bonds(built.displacement)


def test_a_slip_that_puts_atoms_on_top_of_each_other_is_seen() -> None:
    """The partial of the other sign makes no stacking fault: it puts one plane on top of the next but one."""
    built = Built("FCCEdgeShockleyPartial", "fcc")
    field = built.crystal.field
    negative = replace(field, amplitudes=-field.amplitudes, burgers=-field.burgers)
    opposite = replace(built.crystal, field=negative)
    with pytest.raises(GeometryError, match=r"nearest neighbours after the slip"):
        check_bonds(opposite, built.sites, -built.displacement, built.free, built.neighbours)


@pytest.mark.parametrize("apart", [1.2, 1.3])
def test_atoms_too_close_are_named(apart: float) -> None:
    atoms = np.array([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0], [9.0, 0.0, apart - 6.0]])
    for around in (
        cylinder_environments(atoms, 6.0, 1.25),
        cell_environments(atoms, np.diag([30.0, 30.0, 6.0]), 1.25),
    ):
        if apart > 1.25:
            check_distances(around, atoms, "the sample")
            continue
        with pytest.raises(GeometryError, match=r"the sample has atoms 1 and 2 at 1\.20 Å, closer than half"):
            check_distances(around, atoms, "the sample")
