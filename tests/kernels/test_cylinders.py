from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matscipy.dislocation import BCCScrew111Dislocation
from scipy.spatial.distance import cdist

from kernels.cylinders import clamped_cylinder
from kernels.dislocated import DislocatedCrystal
from kernels.dislocations import NAMES, GeometryError
from kernels.elastic_fields import shears
from kernels.lattices import structure_named
from tests.kernels.every_dislocation import EVERY_CLASS, MATERIALS

TUNGSTEN: dict[str, Any] = {
    "element": "W",
    "structure": "bcc",
    "lattice_constant": 3.18046,
    "C11": 517.7,
    "C12": 194.5,
    "C44": 144.3,
}
BURGERS = np.sqrt(0.75) * 3.18046
radii = st.floats(3.0, 25.0)


@settings(max_examples=20)
@given(radii)
def test_free_sites_are_those_within_the_radius_and_the_shell_lies_around_them(radius: float) -> None:
    cylinder = clamped_cylinder("screw", TUNGSTEN, radius, 10.0)
    distance = np.hypot(*cylinder.sites[:, :2].T)
    np.testing.assert_array_equal(cylinder.free, distance < radius)
    assert distance.max() < radius + 10.0
    # two atoms a cube: the atoms of a disc one period thick, up to its rim
    expected = np.pi * (radius + 10.0) ** 2 * BURGERS * 2 / 3.18046**3
    assert len(cylinder.sites) == pytest.approx(expected, rel=0.1)


@settings(max_examples=20)
@given(radii, radii)
def test_a_smaller_cylinder_is_the_start_of_a_larger_one(one: float, other: float) -> None:
    small, large = (clamped_cylinder("screw", TUNGSTEN, radius, 8.0) for radius in sorted([one, other]))
    count = len(small.sites)
    np.testing.assert_allclose(large.sites[:count], small.sites, rtol=0, atol=1e-12)
    np.testing.assert_allclose(large.predictor[:count], small.predictor, rtol=0, atol=1e-12)
    assert large.free[:count][small.free].all()


def test_sites_and_predictor_are_those_of_matscipy() -> None:
    peer = BCCScrew111Dislocation(3.18046, 517.7, 194.5, 144.3, symbol="W")
    lattice, displaced = peer.build_cylinder(20.0, fix_width=8.0, method="adsl", verbose=False)
    core = np.array(displaced.info["core_positions"][0])
    theirs = lattice.positions - core
    cylinder = clamped_cylinder("screw", TUNGSTEN, 12.0, 8.0)
    assert len(theirs) == len(cylinder.sites)
    apart = theirs[:, None, :] - cylinder.sites[None, :, :]
    apart[..., 2] -= BURGERS * np.round(apart[..., 2] / BURGERS)
    distance = np.linalg.norm(apart, axis=-1)
    np.testing.assert_allclose(distance.min(axis=1), 0.0, atol=1e-9)
    order = distance.argmin(axis=1)
    assert len(set(order.tolist())) == len(order)
    # matscipy's iteration stops at 1e-6 Å
    np.testing.assert_allclose(
        cylinder.predictor[order], displaced.positions - lattice.positions, rtol=0, atol=2e-6
    )


def test_every_free_site_has_its_bonds_once() -> None:
    cylinder = clamped_cylinder("screw", TUNGSTEN, 12.0, 8.0)
    ends = np.bincount(cylinder.bonds.ravel(), minlength=len(cylinder.sites))
    # 14 first and second neighbours, two of which are the site's own images along the line
    np.testing.assert_array_equal(ends[cylinder.free], 12)
    assert cylinder.free[cylinder.bonds].any(axis=1).all()
    assert (cylinder.bonds[:, 0] != cylinder.bonds[:, 1]).all()
    lengths = np.unique(np.round(cylinder.bond_length, 8))
    np.testing.assert_allclose(lengths, [BURGERS, 3.18046], atol=1e-7)
    # each bond is an image of its pair: the in-plane distance fits into its length
    apart = np.diff(cylinder.sites[cylinder.bonds], axis=1)[:, 0]
    along = np.sqrt(np.maximum(cylinder.bond_length**2 - apart[:, 0] ** 2 - apart[:, 1] ** 2, 0.0))
    images = (along - apart[:, 2]) / BURGERS, (along + apart[:, 2]) / BURGERS
    whole = [np.abs(image - np.round(image)) < 1e-6 for image in images]
    assert np.logical_or(*whole).all()


@pytest.mark.parametrize(("kind", "structure"), EVERY_CLASS)
def test_every_dislocation_passes_its_checks_whatever_the_radius(kind: str, structure: str) -> None:
    material = MATERIALS[structure]
    lattice = structure_named(structure)
    for radius in (6.0, 9.7, 25.0):
        width = 2 * 4.0 * (1 + material["lattice_constant"] / (2 * np.pi * radius))
        cylinder = clamped_cylinder(kind, material, radius, width)
        np.testing.assert_array_equal(cylinder.free, np.hypot(*cylinder.sites[:, :2].T) < radius)
        ends = np.bincount(cylinder.bonds.ravel(), minlength=len(cylinder.sites))
        # a neighbour that is the site's own image is none of the bonds
        own = 2 * sum(
            abs(float(cylinder.period) - shell * material["lattice_constant"]) < 1e-6
            for shell in lattice.shells
        )
        np.testing.assert_array_equal(ends[cylinder.free], lattice.coordination - own)
    assert abs(float(cylinder.burgers[1])) < 1e-9


@pytest.mark.parametrize(("kind", "structure"), EVERY_CLASS)
def test_a_smaller_cylinder_of_any_kind_is_the_start_of_a_larger_one(kind: str, structure: str) -> None:
    small, large = (clamped_cylinder(kind, MATERIALS[structure], radius, 9.0) for radius in (8.0, 14.0))
    count = len(small.sites)
    np.testing.assert_allclose(large.sites[:count], small.sites, rtol=0, atol=1e-12)
    np.testing.assert_allclose(large.predictor[:count], small.predictor, rtol=0, atol=1e-12)


@pytest.mark.parametrize("structure", ["bcc", "fcc"])
def test_the_shell_of_an_edge_is_wide_enough_once_displaced(structure: str) -> None:
    """Every site that may be felt is there: compare with a much larger cylinder, atom by atom."""
    needed, radius, material = 8.0, 8.0, MATERIALS[structure]
    width = needed * (1 + material["lattice_constant"] / (2 * np.pi * radius))
    small = clamped_cylinder("edge", material, radius, width)
    large = clamped_cylinder("edge", material, radius, width + 8.0)
    count = len(small.sites)
    assert count < len(large.sites)
    displaced = large.sites + large.predictor
    free, left_out = displaced[large.free], displaced[count:]
    assert cdist(free[:, :2], left_out[:, :2]).min() > needed


@pytest.mark.parametrize("kind", NAMES["fcc"])
def test_an_fcc_dislocation_starts_dissociated_in_its_glide_plane(kind: str) -> None:
    cylinder = clamped_cylinder(kind, MATERIALS["fcc"], 20.0, 9.0)
    assert not cylinder.opening[~cylinder.free].any()
    near = np.abs(cylinder.sites[:, 1]) < 2.2
    beside = near & (np.abs(cylinder.sites[:, 0]) < 1.3)
    above = cylinder.sites[:, 1] > 0.0
    moved = cylinder.opening + cylinder.predictor
    slip = moved[beside & above].mean(axis=0) - moved[beside & ~above].mean(axis=0)
    # between the partials the crystal has slipped by the one to the right: on average half of the whole
    assert slip @ cylinder.burgers / (cylinder.burgers @ cylinder.burgers) == pytest.approx(0.5, abs=0.1)
    # which is not along the whole Burgers vector
    across = slip - slip @ cylinder.burgers * cylinder.burgers / (cylinder.burgers @ cylinder.burgers)
    assert np.linalg.norm(across) > 0.25 * 3.615 / np.sqrt(6.0)
    # far away nothing is known of it
    away = np.hypot(*cylinder.sites[:, :2].T)
    assert np.abs(cylinder.opening[cylinder.free & (away > 15.0)]).max() < 0.15


def test_other_dislocations_start_as_predicted() -> None:
    for kind, structure in [("edge", "bcc"), ("60degree", "diamond"), ("FCCEdgeShockleyPartial", "fcc")]:
        assert not clamped_cylinder(kind, MATERIALS[structure], 8.0, 9.0).opening.any()


def test_the_sublattices_of_diamond_are_shifted_as_the_strain_asks() -> None:
    material = MATERIALS["diamond"]
    shifted = clamped_cylinder("60degree", material, 20.0, 8.0)
    plain = clamped_cylinder("60degree", material | {"internal_shift": 0.0}, 20.0, 8.0)
    crystal = DislocatedCrystal.of("60degree", material)
    moved = shifted.predictor - plain.predictor
    away = np.hypot(*shifted.sites[:, :2].T)
    far = away > 15.0
    strain = shears(crystal.field.gradient(shifted.sites + plain.predictor), crystal.cell.rotation)
    expected = -0.5 * 0.854 * crystal.sublattices(shifted.sites)[:, None] * strain
    np.testing.assert_allclose(moved[far], expected[far], rtol=0, atol=0.1 * np.abs(expected[far]).max())
    assert np.abs(expected[far]).max() > 1e-3
    # finite at the line
    assert np.abs(moved).max() < 0.3


def test_the_core_is_the_origin_of_a_triangle_of_columns() -> None:
    cylinder = clamped_cylinder("screw", TUNGSTEN, 10.0, 8.0)
    np.testing.assert_allclose(cylinder.sites[:3, :2].sum(axis=0), 0.0, atol=1e-9)
    # a column's triangle has edge √(2/3) a, and its corners lie √2/3 a from the centre
    np.testing.assert_allclose(np.hypot(*cylinder.sites[:3, :2].T), np.sqrt(2) / 3 * 3.18046, atol=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"simulation_radius": 0.0}, "must be positive"),
        ({"simulation_radius": float("nan")}, "must be positive"),
        ({"shell_width": -1.0}, "must be positive"),
        ({"simulation_radius": 0.5}, "no site lies within"),
        ({"shell_width": 1.0}, "widen the fixed shell"),
        ({"kind": "Quadrupole"}, "two of opposite sign"),
        ({"kind": "twist"}, "'twist' in 'bcc' is not known"),
        ({"material": TUNGSTEN | {"C44": -10.0}}, "stable cubic"),
    ],
)
def test_a_cylinder_that_cannot_be_built_is_refused(changes: dict[str, Any], message: str) -> None:
    asked: dict[str, Any] = {"kind": "screw", "material": TUNGSTEN, "simulation_radius": 8.0}
    with pytest.raises(GeometryError, match=message):
        clamped_cylinder(**(asked | {"shell_width": 8.0} | changes))


def test_fields_that_do_not_fit_together_are_refused() -> None:
    cylinder = clamped_cylinder("screw", TUNGSTEN, 8.0, 8.0)
    with pytest.raises(GeometryError, match="predictor"):
        replace(cylinder, predictor=cylinder.predictor[:-1])
    with pytest.raises(GeometryError, match="free end"):
        replace(cylinder, free=np.zeros_like(cylinder.free))


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    clamped_cylinder("screw", TUNGSTEN, 8.0, 8.0)
    assert capfd.readouterr() == ("", "")
