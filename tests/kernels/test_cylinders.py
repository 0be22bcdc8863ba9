from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matscipy.dislocation import BCCScrew111Dislocation

from kernels.cylinders import clamped_cylinder
from kernels.dislocations import GeometryError

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


@settings(max_examples=20, deadline=None)
@given(radii)
def test_free_sites_are_those_within_the_radius_and_the_shell_lies_around_them(radius: float) -> None:
    cylinder = clamped_cylinder("screw", TUNGSTEN, radius, 10.0)
    distance = np.hypot(*cylinder.sites[:, :2].T)
    np.testing.assert_array_equal(cylinder.free, distance < radius)
    assert distance.max() < radius + 10.0
    # two atoms a cube: the atoms of a disc one period thick, up to its rim
    expected = np.pi * (radius + 10.0) ** 2 * BURGERS * 2 / 3.18046**3
    assert len(cylinder.sites) == pytest.approx(expected, rel=0.1)


@settings(max_examples=20, deadline=None)
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


def test_walking_from_site_to_site_around_the_core_gains_the_burgers_vector() -> None:
    cylinder = clamped_cylinder("screw", TUNGSTEN, 20.0, 8.0)
    distance = np.hypot(*cylinder.sites[:, :2].T)
    walk = np.flatnonzero((distance > 15.0) & (distance < 18.0))
    walk = walk[np.argsort(np.arctan2(cylinder.sites[walk, 1], cylinder.sites[walk, 0]))]
    steps = np.diff(cylinder.predictor[[*walk, walk[0]]], axis=0)
    # a step across the cut leads to the same crystal, one Burgers vector further
    wrapped = steps - np.round(steps @ cylinder.burgers / BURGERS**2)[:, None] * cylinder.burgers
    np.testing.assert_allclose(np.abs(wrapped.sum(axis=0)), [0.0, 0.0, BURGERS], rtol=0, atol=1e-9)
    assert float(cylinder.period) == pytest.approx(BURGERS)


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
