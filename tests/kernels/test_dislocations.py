from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matscipy.dislocation import BCCScrew111Dislocation

from kernels.dislocations import GeometryError, elastic_field, oriented_cell, stroh_displacement

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


def rotated_stiffness(C11: float, C12: float, C44: float) -> np.ndarray:
    """The stiffness in the axes [11-2], [-110], [111], from the definition of a cubic tensor."""
    eye = np.eye(3)
    cubic = np.einsum("ip,jp,kp,lp->ijkl", eye, eye, eye, eye)
    stiffness = (C11 - C12 - 2 * C44) * cubic + C12 * np.einsum("ij,kl->ijkl", eye, eye)
    stiffness += C44 * (np.einsum("ik,jl->ijkl", eye, eye) + np.einsum("il,jk->ijkl", eye, eye))
    axes = np.array([[1, 1, -2], [-1, 1, 0], [1, 1, 1]], dtype=float)
    axes /= np.linalg.norm(axes, axis=1)[:, None]
    return np.einsum("ai,bj,ck,dl,ijkl->abcd", axes, axes, axes, axes, stiffness)


def test_isotropic_screw_is_the_burgers_vector_times_the_angle_over_a_turn() -> None:
    points = ring(7.0)
    found = screw(points, C11=300.0, C12=100.0, C44=100.0, lattice_constant=3.0)
    angles = np.arctan2(points[:, 1], points[:, 0])
    # the constant of integration and the sense of the line are conventions
    turn = found[:, 2] - found[0, 2]
    expected = 3.0 * BURGERS * (angles - angles[0]) / (2 * np.pi)
    sign = np.sign(turn[-1])
    np.testing.assert_allclose(sign * turn, expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found[:, :2], found[:1, :2] + 0 * found[:, :2], rtol=0, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(anisotropic)
def test_the_displacement_is_in_elastic_equilibrium(elastic: dict[str, float]) -> None:
    stiffness = rotated_stiffness(*(elastic[name] for name in ("C11", "C12", "C44")))
    centre, step = np.array([3.0, 2.0, 0.0]), 1e-2
    offsets = step * np.eye(3)[:2]

    def at(*shifts: np.ndarray) -> np.ndarray:
        return screw((centre + sum(shifts, np.zeros(3)))[None, :], **elastic)[0]

    second = np.zeros((3, 3, 3))
    for j, l in np.ndindex(2, 2):  # noqa: E741
        ahead, across = offsets[j], offsets[l]
        second[:, j, l] = (
            at(ahead, across) - at(ahead, -across) - at(-ahead, across) + at(-ahead, -across)
        ) / (4 * step**2)
    force = np.einsum("ijkl,kjl->i", stiffness, second)
    assert np.abs(force).max() < 1e-3 * np.abs(stiffness).max() * np.abs(second).max()


@settings(max_examples=20, deadline=None)
@given(anisotropic, st.floats(0.1, 10.0), st.floats(0.5, 2.0))
def test_only_ratios_of_the_constants_count_and_it_scales_with_the_lattice(
    elastic: dict[str, float], stiffer: float, larger: float
) -> None:
    points = ring(5.0, 9)
    plain = screw(points, **elastic)
    changed = {name: value * stiffer for name, value in elastic.items()} | {
        "lattice_constant": elastic["lattice_constant"] * larger
    }
    np.testing.assert_allclose(screw(points, **changed), larger * plain, rtol=0, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(anisotropic, st.floats(1.0, 50.0))
def test_once_around_the_line_gains_the_burgers_vector(elastic: dict[str, float], radius: float) -> None:
    below, above = screw(np.array([[-radius, -1e-9], [-radius, 1e-9]]), **elastic)
    jump = np.abs(above - below)
    np.testing.assert_allclose(jump, [0.0, 0.0, 3.0 * BURGERS], rtol=0, atol=1e-5)


def test_it_does_not_vary_along_the_line_and_takes_plane_points() -> None:
    points = ring(4.0)
    lifted = points + np.array([0.0, 0.0, 1.7])
    np.testing.assert_array_equal(screw(points, **TUNGSTEN), screw(lifted, **TUNGSTEN))
    np.testing.assert_array_equal(screw(points, **TUNGSTEN), screw(points[:, :2], **TUNGSTEN))


def test_it_is_the_solution_of_matscipy() -> None:
    peer = BCCScrew111Dislocation(TUNGSTEN["lattice_constant"], 517.7, 194.5, 144.3, symbol="W")
    points = ring(3.0)
    expected = peer.displacements(points, np.zeros(3), method="adsl", self_consistent=False, verbose=False)
    np.testing.assert_allclose(screw(points, **TUNGSTEN), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("elastic", [TUNGSTEN, IRON], ids=["W", "Fe"])
def test_the_self_consistent_field_is_that_at_the_displaced_points(elastic: dict[str, float]) -> None:
    field = elastic_field("screw", "bcc", **elastic)
    points = np.vstack([ring(1.5), ring(20.0)])
    displacement = field.self_consistent(points)
    np.testing.assert_allclose(field(points + displacement), displacement, rtol=0, atol=1e-12)
    # the two differ, or the iteration would test nothing
    assert np.abs(displacement - field(points)).max() > 1e-5


def test_a_self_consistent_displacement_does_not_depend_on_the_other_points() -> None:
    field = elastic_field("screw", "bcc", **TUNGSTEN)
    together = field.self_consistent(np.vstack([ring(1.5), ring(20.0)]))
    np.testing.assert_allclose(field.self_consistent(ring(20.0)), together[40:], rtol=0, atol=1e-12)


def test_the_oriented_cell_has_the_line_along_the_close_packed_direction() -> None:
    cell = oriented_cell("screw", "bcc", "W")
    assert cell.edges == pytest.approx([np.sqrt(6.0), np.sqrt(2.0), BURGERS])
    assert len(cell.positions) == pytest.approx(2 * np.prod(cell.edges))


def test_an_unknown_dislocation_is_refused() -> None:
    with pytest.raises(GeometryError, match="'screw' in 'fcc' is not known; known are: screw in bcc"):
        stroh_displacement("screw", "fcc", 100.0, 50.0, 40.0, 4.0, ring(3.0))


@pytest.mark.parametrize(
    ("C11", "C12", "C44"),
    [(100.0, 120.0, 50.0), (100.0, 50.0, -1.0), (100.0, -60.0, 40.0), (np.nan, 1.0, 1.0)],
)
def test_constants_of_no_stable_crystal_are_refused(C11: float, C12: float, C44: float) -> None:
    with pytest.raises(GeometryError, match="stable cubic"):
        stroh_displacement("screw", "bcc", C11, C12, C44, 3.0, ring(3.0))
