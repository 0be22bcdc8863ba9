from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.dislocations import NAMES, GeometryError, elastic_field, oriented_cell, stroh_displacement
from kernels.lattices import conventional_crystal
from tests.kernels.every_dislocation import EVERY_CLASS, EVERY_NAME, MATERIALS, PARTIALS

TUNGSTEN = {"C11": 517.7, "C12": 194.5, "C44": 144.3, "lattice_constant": 3.18046}
IRON = {"C11": 243.3, "C12": 145.0, "C44": 116.0, "lattice_constant": 2.8553}
BURGERS = np.sqrt(0.75)

anisotropic = st.tuples(st.floats(200.0, 600.0), st.floats(0.0, 0.9), st.floats(20.0, 300.0)).map(
    lambda drawn: {"C11": drawn[0], "C12": drawn[0] * drawn[1], "C44": drawn[2], "lattice_constant": 3.0}
)


def screw(points: np.ndarray, **elastic: float) -> np.ndarray:
    return stroh_displacement("screw", "bcc", points=points, **elastic)


def ring(radius: float, count: int = 40) -> np.ndarray:
    angles = -np.pi + 2 * np.pi * (np.arange(count) + 0.5) / count
    return radius * np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)


def test_isotropic_screw_is_the_burgers_vector_times_the_angle_over_a_turn() -> None:
    points = ring(7.0)
    found = screw(points, C11=300.0, C12=100.0, C44=100.0, lattice_constant=3.0)
    angles = np.arctan2(points[:, 1], points[:, 0])
    # the constant of integration is a convention
    expected = 3.0 * BURGERS * (angles - angles[0]) / (2 * np.pi)
    np.testing.assert_allclose(found[:, 2] - found[0, 2], expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found[:, :2], found[:1, :2] + 0 * found[:, :2], rtol=0, atol=1e-5)


def test_isotropic_edge_is_the_textbooks() -> None:
    """J. P. Hirth, J. Lothe, 2nd ed., eq. 3-45 and 3-46, with Poisson's ratio ν = λ / 2(λ + μ)."""
    points, length = ring(7.0), 3.0 * BURGERS
    found = stroh_displacement("edge", "bcc", 300.0, 100.0, 100.0, 3.0, points)
    (x, y), ratio = points[:, :2].T, 0.25
    squares = x**2 + y**2
    along = np.arctan2(y, x) + x * y / (2 * (1 - ratio) * squares)
    across = (1 - 2 * ratio) / (4 * (1 - ratio)) * np.log(squares) + (x**2 - y**2) / (
        4 * (1 - ratio) * squares
    )
    expected = length / (2 * np.pi) * np.stack([along, -across, 0 * x], axis=1)
    np.testing.assert_allclose(found - found[0], expected - expected[0], rtol=0, atol=2e-5)


@settings(max_examples=20)
@given(anisotropic, st.floats(0.1, 10.0), st.floats(0.5, 2.0), st.sampled_from(EVERY_NAME))
def test_only_ratios_of_the_constants_count_and_it_scales_with_the_lattice(
    elastic: dict[str, float], stiffer: float, larger: float, which: tuple[str, str]
) -> None:
    points = ring(5.0, 9)
    plain = stroh_displacement(*which, points=points, **elastic)
    changed = {name: value * stiffer for name, value in elastic.items()} | {
        "lattice_constant": elastic["lattice_constant"] * larger
    }
    found = stroh_displacement(*which, points=larger * points, **changed)
    np.testing.assert_allclose(found, larger * plain, rtol=0, atol=1e-6)


@settings(max_examples=20)
@given(anisotropic, st.floats(1.0, 50.0))
def test_once_around_the_line_gains_the_burgers_vector(elastic: dict[str, float], radius: float) -> None:
    below, above = screw(np.array([[-radius, -1e-9], [-radius, 1e-9]]), **elastic)
    np.testing.assert_allclose(np.abs(above - below), [0.0, 0.0, 3.0 * BURGERS], rtol=0, atol=1e-5)


def test_it_does_not_vary_along_the_line_and_takes_plane_points() -> None:
    points = ring(4.0)
    lifted = points + np.array([0.0, 0.0, 1.7])
    np.testing.assert_array_equal(screw(points, **TUNGSTEN), screw(lifted, **TUNGSTEN))
    np.testing.assert_array_equal(screw(points, **TUNGSTEN), screw(points[:, :2], **TUNGSTEN))


@pytest.mark.parametrize("elastic", [TUNGSTEN, IRON], ids=["W", "Fe"])
@pytest.mark.parametrize("kind", NAMES["bcc"])
def test_the_self_consistent_field_is_that_at_the_displaced_points(
    kind: str, elastic: dict[str, float]
) -> None:
    field = elastic_field(kind, "bcc", **elastic)
    points = np.vstack([ring(1.5), ring(20.0)])
    displacement = field.self_consistent(points)
    again = field(points + displacement, points[:, 1] >= 0.0)
    np.testing.assert_allclose(again, displacement, rtol=0, atol=1e-12)
    # the two differ, or the iteration would test nothing
    assert np.abs(displacement - field(points)).max() > 1e-5


def test_a_self_consistent_displacement_does_not_depend_on_the_other_points() -> None:
    field = elastic_field("edge", "bcc", **TUNGSTEN)
    together = field.self_consistent(np.vstack([ring(1.5), ring(20.0)]))
    np.testing.assert_array_equal(field.self_consistent(ring(20.0)), together[40:])


def test_the_oriented_cell_of_a_screw_has_the_line_along_the_close_packed_direction() -> None:
    cell = oriented_cell("screw", "bcc", "W")
    assert cell.edges == pytest.approx([np.sqrt(6.0), np.sqrt(2.0), BURGERS])


@pytest.mark.parametrize(("name", "structure"), [*EVERY_CLASS, *EVERY_NAME])
def test_every_oriented_cell_is_the_crystal(name: str, structure: str) -> None:
    cell = oriented_cell(name, structure, "W")
    lattice, _ = conventional_crystal(structure, 1.0)
    assert len(cell.positions) == pytest.approx(len(lattice) * np.prod(cell.edges))
    rotation = cell.rotation
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    # in the cube axes every atom is one of the crystal's, from an atom of the first sublattice
    start = cell.positions[np.argmin(cell.sublattices)]
    fractions = np.mod((cell.positions - start) @ rotation + 1e-6, 1.0)
    apart = np.linalg.norm(fractions[:, None] - (lattice + 1e-6)[None], axis=2).min(axis=1)
    np.testing.assert_allclose(apart, 0.0, atol=1e-9)
    # along the line lies a lattice vector
    np.testing.assert_allclose(_off_lattice(cell.edges[2] * rotation[2], structure), 0.0, atol=1e-9)


def _off_lattice(vector: np.ndarray, structure: str) -> float:
    """Distance to the nearest translation of the crystal."""
    translations = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    if structure != "bcc":
        translations = conventional_crystal("fcc", 1.0)[0]
    apart = vector - translations
    return float(np.linalg.norm(apart - np.round(apart), axis=1).min())


@pytest.mark.parametrize(("name", "structure"), EVERY_CLASS)
def test_only_partials_leave_a_fault(name: str, structure: str) -> None:
    cell = oriented_cell(name, structure, "W")
    off = _off_lattice(cell.burgers, structure)
    assert off > 0.1 if (name, structure) in PARTIALS else off == pytest.approx(0.0, abs=1e-12)
    # the slip lies in the plane of the cut
    assert (cell.rotation @ cell.burgers)[1] == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(cell.partials.sum(axis=0), cell.burgers if len(cell.partials) else 0.0)


@pytest.mark.parametrize(
    ("name", "structure", "angle"),
    [
        ("screw", "bcc", 0.0),
        ("edge", "bcc", 90.0),
        ("mixed", "bcc", 70.5288),
        ("screw", "fcc", 0.0),
        ("edge", "fcc", 90.0),
        ("60degree", "fcc", 60.0),
        ("screw", "diamond", 0.0),
        ("edge", "diamond", 90.0),
        ("60degree", "diamond", 60.0),
        ("DiamondGlide30degreePartial", "diamond", 30.0),
        ("DiamondGlide90degreePartial", "diamond", 90.0),
        ("FCCScrewShockleyPartial", "fcc", 30.0),
        ("FCCEdgeShockleyPartial", "fcc", 60.0),
        ("BCCEdge100Dislocation", "bcc", 90.0),
        ("BCCEdge100110Dislocation", "bcc", 90.0),
        ("BCCEdge111barDislocation", "bcc", 90.0),
    ],
)
def test_the_angle_between_burgers_vector_and_line(name: str, structure: str, angle: float) -> None:
    cell = oriented_cell(name, structure, "W")
    cosine = abs(cell.burgers @ cell.rotation[2]) / np.linalg.norm(cell.burgers)
    assert np.degrees(np.arccos(min(cosine, 1.0))) == pytest.approx(angle, abs=1e-4)


def test_the_sublattices_of_diamond_have_opposite_neighbours() -> None:
    for name, structure in EVERY_CLASS:
        cell = oriented_cell(name, structure, "W")
        if structure != "diamond":
            assert not cell.sublattices.any()
            continue
        assert cell.sublattices.sum() == 0
        spread = np.array(list(np.ndindex(3, 3, 3))) - 1.0
        images = cell.positions[None] + (spread * cell.edges)[:, None]
        first = np.flatnonzero(cell.sublattices == -1)[0]
        apart = (images - cell.positions[first]) @ cell.rotation
        towards = np.linalg.norm(apart - 0.25, axis=2) < 1e-9
        assert towards.sum() == 1
        assert cell.sublattices[np.argwhere(towards)[0, 1]] == 1


@pytest.mark.parametrize(
    ("name", "structure", "message"),
    [
        ("twist", "bcc", "'twist' in 'bcc' is not known; known are screw, edge, mixed"),
        ("mixed", "fcc", "known are screw, edge, 60degree, and the classes of matscipy"),
        ("BCCEdge111Dislocation", "fcc", "'BCCEdge111Dislocation' in 'fcc' is not known"),
        ("CubicCrystalDislocation", "bcc", "is not known"),
        ("CubicCrystalDissociatedDislocation", "fcc", "is not known"),
        ("AnisotropicDislocation", "bcc", "is not known"),
        ("Quadrupole", "fcc", "two of opposite sign; name the class of one"),
        ("screw", "hcp", "known are none"),
    ],
)
def test_what_is_not_one_straight_dislocation_is_refused(name: str, structure: str, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        oriented_cell(name, structure, "W")


@pytest.mark.parametrize(
    ("C11", "C12", "C44"),
    [(100.0, 120.0, 50.0), (100.0, 50.0, -1.0), (100.0, -60.0, 40.0), (np.nan, 1.0, 1.0)],
)
def test_constants_of_no_stable_crystal_are_refused(C11: float, C12: float, C44: float) -> None:
    with pytest.raises(GeometryError, match="stable cubic"):
        stroh_displacement("screw", "bcc", C11, C12, C44, 3.0, ring(3.0))


def test_every_structure_has_a_material_here() -> None:
    assert set(MATERIALS) == set(NAMES)
