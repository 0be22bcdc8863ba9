"""Sectors against the neighbour matrices of whole cylinders."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import sectors
from kernels.environments import NeighbourError, cylinder_environments
from kernels.sectors import sector_of, sites_reaching

RADIUS = 3.0123


def atoms(seed, count, extent=4.0):
    return np.random.default_rng(seed).uniform(-extent, extent, (count, 3))


def vectors_of(sector, images):
    """Sorted vectors from each site to its neighbours."""
    slots = np.asarray(sector.neighbours).T
    return [
        np.array(sorted(map(tuple, (images[row[row >= 0]] - images[site]).round(9))))
        for site, row in enumerate(slots)
    ]


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    count=st.integers(1, 30),
    period=st.floats(0.8, 6.0),
    share=st.floats(0.0, 1.0),
    at_a_time=st.integers(1, 40),
)
def test_sites_have_the_neighbours_they_have_in_the_whole_cylinder(seed, count, period, share, at_a_time):
    positions = atoms(seed, count)
    sites = np.random.default_rng(seed + 1).permutation(count)[: round(share * count)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sectors, "SITES_PER_SEARCH", at_a_time)
        sector = sector_of(positions, period, RADIUS, sites)
    assert sector.sites.tolist() == sites.tolist()
    moved = positions + 0.01 * atoms(seed + 2, count)
    images = sector.images(moved)
    assert np.array_equal(images[: len(sites)], moved[sites])
    whole = cylinder_environments(positions, period, RADIUS, sites)
    expected = [
        np.array(sorted(map(tuple, vectors[mask].round(9))))
        for vectors, mask in zip(whole.vectors(moved), whole.mask, strict=True)
    ]
    for found, wanted in zip(vectors_of(sector, images), expected, strict=True):
        assert len(found) == len(wanted)
        assert len(found) == 0 or np.allclose(found, wanted, rtol=0, atol=1e-8)
    assert np.asarray(sector.counts).tolist() == whole.mask.sum(axis=1).tolist()


@settings(max_examples=40)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 30), period=st.floats(0.8, 6.0))
def test_each_image_is_there_once_and_its_share_reaches_its_atom(seed, count, period):
    positions = atoms(seed, count)
    sector = sector_of(positions, period, RADIUS, np.arange(count))
    real = slice(0, len(sector.owners) - sector.padding)
    turns = np.rint(sector.shifts / period).astype(int)
    assert len(set(zip(sector.owners[real].tolist(), turns[real].tolist(), strict=True))) == real.stop
    chosen = np.flatnonzero(np.random.default_rng(seed).random(count) < 0.5)
    carried = np.random.default_rng(seed).normal(size=(len(sector.owners), 3))
    expected = np.zeros((count, 3))
    np.add.at(expected, sector.owners[real], carried[real])
    assert np.allclose(sector.onto(chosen, count) @ carried, expected[chosen], rtol=0, atol=1e-12)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**31), count=st.integers(1, 30), period=st.floats(0.8, 9.0), share=st.floats(0, 1)
)
def test_sites_reaching_are_the_free_and_their_neighbours(seed, count, period, share):
    positions = atoms(seed, count)
    free = np.random.default_rng(seed + 1).random(count) < share
    around = cylinder_environments(positions, period, RADIUS, np.flatnonzero(free))
    expected = free.copy()
    expected[around.index[around.mask]] = True
    assert sites_reaching(positions, period, free, RADIUS).tolist() == np.flatnonzero(expected).tolist()


def test_an_atom_just_below_the_cells_end_is_in_it():
    positions = np.array([[0.0, 0.0, -1e-17], [1.0, 0.0, 0.0]])
    assert sites_reaching(positions, 2.0, np.array([True, False]), 1.5).tolist() == [0, 1]


def test_shapes_are_padded_with_what_changes_nothing():
    positions = atoms(3, 20)
    sector = sector_of(positions, 2.5, RADIUS, np.arange(20))
    assert len(sector.owners) % sectors.IMAGES_STEP == 0
    assert np.asarray(sector.neighbours).max() < len(sector.owners) - sector.padding


@pytest.mark.parametrize("call", [sector_of, lambda *given: sites_reaching(*given[:2], given[3], given[2])])
def test_what_cannot_be_searched_is_named(call):
    positions = atoms(2, 4)
    positions[2, 1] = np.inf
    with pytest.raises(NeighbourError, match="position of atom 2"):
        call(positions, 2.0, 1.0, np.ones(4, dtype=bool))
