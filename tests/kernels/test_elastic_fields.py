from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matscipy import dislocation as matscipy_dislocation

from kernels.dislocated import DislocatedCrystal
from kernels.elastic_fields import ElasticField, GeometryError, shears, stroh_field
from tests.kernels.every_dislocation import EVERY_CLASS, MATERIALS

EVERY_MATSCIPY = [(name, of) for name, of in EVERY_CLASS if hasattr(matscipy_dislocation, name)]


def crystal(name: str, structure: str) -> DislocatedCrystal:
    return DislocatedCrystal.of(name, MATERIALS[structure])


def ring(radius: float, count: int = 24) -> np.ndarray:
    angles = -np.pi + 2 * np.pi * (np.arange(count) + 0.5) / count
    return radius * np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)


def rotated_stiffness(rotation: np.ndarray, C11: float, C12: float, C44: float) -> np.ndarray:
    """The stiffness in other axes, from the definition of a cubic tensor."""
    eye = np.eye(3)
    cubic = np.einsum("ip,jp,kp,lp->ijkl", eye, eye, eye, eye)
    stiffness = (C11 - C12 - 2 * C44) * cubic + C12 * np.einsum("ij,kl->ijkl", eye, eye)
    stiffness += C44 * (np.einsum("ik,jl->ijkl", eye, eye) + np.einsum("il,jk->ijkl", eye, eye))
    return np.einsum("ai,bj,ck,dl,ijkl->abcd", rotation, rotation, rotation, rotation, stiffness)


@pytest.mark.parametrize(("name", "structure"), EVERY_CLASS)
def test_every_field_is_in_elastic_equilibrium(name: str, structure: str) -> None:
    made, material = crystal(name, structure), MATERIALS[structure]
    stiffness = rotated_stiffness(made.cell.rotation, *(material[c] for c in ("C11", "C12", "C44")))
    points, step = ring(5.0, 7), 1e-4
    second = np.stack(
        [
            (made.field.gradient(points + move) - made.field.gradient(points - move)) / (2 * step)
            for move in step * np.eye(3)[:2]
        ],
        axis=-1,
    )
    force = np.einsum("ijkl,mklj->mi", stiffness[:, :2], second)
    assert np.abs(force).max() < 1e-6 * np.abs(stiffness).max() * np.abs(second).max()


@pytest.mark.parametrize(("name", "structure"), EVERY_CLASS)
def test_the_gradient_is_that_of_the_displacement(name: str, structure: str) -> None:
    field, points, step = crystal(name, structure).field, ring(4.0), 1e-5
    for direction in range(3):
        move = step * np.eye(3)[direction]
        difference = (field(points + move) - field(points - move)) / (2 * step)
        np.testing.assert_allclose(field.gradient(points)[..., direction], difference, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("name", "structure"), EVERY_CLASS)
def test_the_crystal_above_the_cut_slips_by_the_burgers_vector(name: str, structure: str) -> None:
    made = crystal(name, structure)
    ends = np.array([[-7.0, 1e-10], [-7.0, -1e-10], [7.0, 1e-10], [7.0, -1e-10]])
    above, below, ahead, too = made.field(ends)
    np.testing.assert_allclose(above - below, made.field.burgers, rtol=0, atol=1e-8)
    np.testing.assert_allclose(ahead, too, rtol=0, atol=1e-8)
    axes, burgers = made.cell.rotation, made.lattice_constant * made.cell.burgers
    np.testing.assert_allclose(made.field.burgers, axes @ burgers, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("name", "structure"), EVERY_MATSCIPY)
def test_it_is_the_solution_of_matscipy_but_for_a_translation(name: str, structure: str) -> None:
    material, points = MATERIALS[structure], ring(6.0)
    constants = {c: material[c] for c in ("C11", "C12", "C44")}
    peer = getattr(matscipy_dislocation, name)(material["lattice_constant"], **constants, symbol="W")
    cores = np.zeros((peer.N_cores, 3))
    expected = peer.displacements(points, cores, method="adsl", self_consistent=False, verbose=False)
    apart = crystal(name, structure).field(points) - expected
    np.testing.assert_allclose(apart, np.broadcast_to(apart[0], apart.shape), rtol=0, atol=1e-9)


@settings(max_examples=20)
@given(st.floats(-0.5, 0.5), st.floats(1.0, 100.0), st.sampled_from(EVERY_CLASS))
def test_a_point_keeps_its_side_of_the_cut_as_it_moves_across(
    height: float, distance: float, which: tuple[str, str]
) -> None:
    field = crystal(*which).field
    path = np.array([[-distance, height - 1e-6], [-distance, height + 1e-6]])
    for side in (True, False):
        one, other = field(path, np.array([side, side]))
        # nowhere near x = 0 is there a jump, whichever side the points lie on
        assert np.abs(one - other).max() < 1e-5
    apart = field(path[:1], np.array([True])) - field(path[:1], np.array([False]))
    np.testing.assert_allclose(apart[0], field.burgers, rtol=0, atol=1e-9)


def test_no_row_of_atoms_breaks_on_the_cut_however_far_out() -> None:
    """A row just above the glide plane of <100> edge, where matscipy's breaks (its issue 265)."""
    made = crystal("BCCEdge100Dislocation", "bcc")
    lattice_constant = made.lattice_constant
    # the plane nearest to the cut on the side towards which the displacement bends it
    height = -0.25 * lattice_constant
    row = np.array([[-lattice_constant * (0.25 + n), height, 0.0] for n in range(40, 2000)])
    for sign in (1.0, -1.0):
        row[:, 1] = sign * height
        displacement = made.field.self_consistent(row)
        spacing = np.diff((row + displacement)[:, 0])
        assert np.abs(np.diff(displacement, axis=0)).max() < 0.02 * lattice_constant
        np.testing.assert_allclose(spacing, -lattice_constant, rtol=0.02)

    material = MATERIALS["bcc"]
    peer = matscipy_dislocation.BCCEdge100Dislocation(
        lattice_constant, material["C11"], material["C12"], material["C44"], symbol="Fe"
    )
    broken = []
    for sign in (1.0, -1.0):
        row[:, 1] = sign * height
        theirs = peer.displacements(row, np.zeros((1, 3)), method="adsl", tol=1e-6, verbose=False)
        broken.append(np.abs(np.diff(theirs, axis=0)).max())
    # the vacancy that this test would see
    assert max(broken) > 0.5 * lattice_constant


@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize(
    "name", ["BCCEdge111Dislocation", "BCCScrew111Dislocation", "BCCMixed111Dislocation"]
)
def test_the_self_consistent_field_scales_with_the_crystal(name: str, factor: float) -> None:
    small = crystal(name, "bcc")
    large = DislocatedCrystal.of(name, MATERIALS["bcc"] | {"lattice_constant": factor * 2.8553})
    sites = small.sites_within(9.0)
    scaled = large.field.self_consistent(factor * sites)
    np.testing.assert_allclose(scaled, factor * small.field.self_consistent(sites), rtol=0, atol=1e-11)


def test_shears_of_a_rotated_crystal() -> None:
    made = crystal("60degree", "diamond")
    rotation = made.cell.rotation
    strain = np.array([[0.01, 0.02, 0.03], [0.02, -0.01, 0.05], [0.03, 0.05, 0.0]])
    spin = np.array([[0.0, 0.3, -0.1], [-0.3, 0.0, 0.2], [0.1, -0.2, 0.0]])
    found = shears((rotation @ (strain + spin) @ rotation.T)[None], rotation)[0]
    np.testing.assert_allclose(rotation.T @ found, 2 * np.array([0.05, 0.03, 0.02]), rtol=0, atol=1e-15)


def test_a_field_that_does_not_gain_its_burgers_vector_is_refused() -> None:
    field = crystal("edge", "bcc").field
    with pytest.raises(GeometryError, match="around the line"):
        ElasticField(field.along, field.across, field.roots, field.amplitudes, 1.1 * field.burgers)


def test_a_site_on_the_line_is_refused() -> None:
    field = stroh_field(np.eye(3), np.array([3.0, 0.0, 0.0]), 522.0, 204.0, 150.0)
    with pytest.raises(GeometryError, match="too near"):
        field.self_consistent(np.zeros((1, 3)))
