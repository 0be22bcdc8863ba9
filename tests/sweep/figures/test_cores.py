"""Core pictures: Burgers vectors read off the far field, and arrows that close around the line."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from sweep.figures import FigureError, core_pictures
from sweep.figures.burgers import burgers_vector
from sweep.figures.cores import differences, picture_of_cores
from tests.sweep.made_up import screw

SITES = screw()["sites"].values


@given(
    st.tuples(*[st.floats(-3, 3)] * 3).filter(lambda b: float(np.linalg.norm(b)) > 1),
    st.floats(-np.pi, np.pi),
)
def test_the_burgers_vector_is_found_wherever_the_cut_is(burgers: tuple[float, ...], cut: float) -> None:
    sites = SITES
    angle = (np.arctan2(sites[:, 1], sites[:, 0]) - cut) % (2 * np.pi)
    found = burgers_vector(sites, np.outer(angle / (2 * np.pi), burgers))
    np.testing.assert_allclose(found, burgers, atol=0.02 * np.linalg.norm(burgers))


def test_a_crystal_without_a_dislocation_has_no_picture() -> None:
    with pytest.raises(FigureError, match="no jump"):
        core_pictures(screw(burgers=2.7).assign(displacement_predictor=lambda ds: 0 * ds["sites"]))


@given(st.lists(st.floats(-50, 50), min_size=4, max_size=4), st.integers(-3, 3), st.floats(1, 5))
def test_differences_are_taken_modulo_the_burgers_vector(
    along: list[float], turns: int, length: float
) -> None:
    pairs = np.array([[0, 1], [1, 2], [2, 3]])
    one = differences(np.array(along), pairs, length)
    assert (np.abs(one) <= length / 2 * (1 + 1e-9)).all()
    moved = np.array(along)
    moved[2] += turns * length
    apart = np.abs(differences(moved, pairs, length) - one)
    # half a Burgers vector may be taken for minus half
    np.testing.assert_allclose(np.minimum(apart, np.abs(apart - length)), 0, atol=1e-9)


def test_arrows_around_the_line_close_on_the_burgers_vector() -> None:
    """On the four columns around a screw in a square lattice each difference is a quarter of b, by symmetry."""
    # the line in the middle of a square of columns
    x, y = np.meshgrid(np.arange(-39.15, 40, 2.7), np.arange(-39.15, 40, 2.7))
    columns = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=-1)
    configuration = xr.Dataset({"sites": (("site", "xyz"), columns)})
    configuration["displacement_corrector"] = 0 * configuration["sites"]
    angle = np.arctan2(configuration["sites"][:, 1], configuration["sites"][:, 0]) / (2 * np.pi)
    configuration["displacement_predictor"] = (("site", "xyz"), np.outer(angle, [0, 0, 2.7]))
    axes = core_pictures(configuration).axes[0]
    arrows = axes.collections[0]
    lengths = np.hypot(arrows.U, arrows.V)  # type: ignore[attr-defined]
    middles = arrows.get_offsets() + np.stack([arrows.U, arrows.V], axis=-1) / 2  # type: ignore[attr-defined]
    inner = np.isclose(np.hypot(*np.asarray(middles).T), 1.35)
    assert inner.sum() == 4
    # an arrow as long as the columns' distance is a third of b
    np.testing.assert_allclose(lengths[inner] / 2.7 / 3, 0.25, rtol=0.02)


def test_a_potentials_core_is_drawn_beside_the_references() -> None:
    configuration = screw()
    other = configuration[["displacement_corrector"]].assign_attrs(name="degree 8")
    picture = picture_of_cores(configuration, other)
    assert [axes.get_title(loc="left") for axes in picture.figure.axes] == ["reference", "degree 8"]
    assert picture.title == "Core of the screw dislocation, simulation radius 25 Å"
    assert picture.alt.count("largest difference") == 2
    assert [axes.get_xlabel() for axes in picture.figure.axes] == ["x (Å)", "x (Å)"]
    picture.figure.savefig("/dev/null", format="svg")
    with pytest.raises(FigureError, match="5 sites"):
        core_pictures(configuration, other.isel(site=slice(5)))


@pytest.mark.parametrize("missing", ["sites", "displacement_predictor", "displacement_corrector"])
def test_what_a_configuration_lacks_is_named(missing: str) -> None:
    with pytest.raises(FigureError, match=missing):
        core_pictures(screw().drop_vars(missing))


def test_a_reach_without_columns_is_refused() -> None:
    with pytest.raises(FigureError, match="larger reach"):
        core_pictures(screw(), reach=0.5)
    with pytest.raises(FigureError, match="does not surround"):
        core_pictures(screw().isel(site=slice(0, 4)))
