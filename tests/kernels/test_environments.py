"""Neighbour matrices against every image counted by hand."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.environments import NeighbourError, cell_environments, cylinder_environments

RADIUS = 3.0123  # no lattice vector of a cell drawn below is as long to the last bit


def by_hand(positions, cell, periodic, radius):
    """Sorted (neighbour, vector) of every atom, from all images that can matter."""
    spacings = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    spread = np.ptp(positions, axis=0).max() * 2.0
    reach = [
        range(-n, n + 1) if p else [0]
        for n, p in zip(np.ceil((radius + spread) / spacings).astype(int), periodic, strict=True)
    ]
    found = [[] for _ in positions]
    for images in product(*reach):
        shift = np.array(images) @ cell
        vectors = positions[None, :] + shift - positions[:, None]
        near = np.linalg.norm(vectors, axis=2) < radius
        if images == (0, 0, 0):
            near[np.diag_indices(len(positions))] = False
        for i, j in np.argwhere(near):
            found[i].append((j, *np.round(vectors[i, j], 8)))
    return [sorted(each) for each in found]


def as_found(environments, positions):
    vectors = np.round(environments.vectors(positions), 8)
    return [
        sorted(
            (j, *v)
            for j, v, full in zip(environments.index[s], vectors[s], environments.mask[s], strict=True)
            if full
        )
        for s in range(len(environments.centres))
    ]


def same(one, other):
    assert [len(each) for each in one] == [len(each) for each in other]
    for a, b in zip(one, other, strict=True):
        assert np.allclose(
            sorted(map(tuple, np.array(a).round(6))), sorted(map(tuple, np.array(b).round(6))), atol=1e-5
        )


def atoms(seed, count, extent):
    return np.random.default_rng(seed).uniform(-extent, extent, (count, 3))


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**31), count=st.integers(1, 5), skew=st.floats(-0.8, 0.8), size=st.floats(1.2, 4.0)
)
def test_cells_smaller_than_the_radius_see_every_image(seed, count, skew, size):
    cell = size * np.array([[1.0, 0.0, 0.0], [skew, 1.1, 0.0], [0.3, skew, 0.9]])
    positions = atoms(seed, count, 2.0 * size)  # atoms outside the cell too
    found = cell_environments(positions, cell, RADIUS)
    same(as_found(found, positions), by_hand(positions, cell, (True,) * 3, RADIUS))


@settings(max_examples=30)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 12), period=st.floats(0.8, 6.0))
def test_a_cylinder_sees_its_images_along_the_line_only(seed, count, period):
    positions = atoms(seed, count, 4.0)
    found = cylinder_environments(positions, period, RADIUS)
    cell = np.diag([100.0, 100.0, period])
    same(as_found(found, positions), by_hand(positions, cell, (False, False, True), RADIUS))


def test_chosen_centres_come_in_the_order_asked_for():
    positions = atoms(3, 20, 3.0)
    every = as_found(cylinder_environments(positions, 2.5, RADIUS), positions)
    chosen = np.array([7, 0, 13])
    some = cylinder_environments(positions, 2.5, RADIUS, chosen)
    assert some.centres.tolist() == [7, 0, 13]
    same(as_found(some, positions), [every[i] for i in chosen])


def test_slots_come_in_eights():
    assert cylinder_environments(atoms(0, 20, 3.0), 2.5, RADIUS).mask.shape[1] % 8 == 0


def test_a_list_with_a_skin_holds_while_atoms_move_by_half_of_it():
    generator = np.random.default_rng(5)
    positions, skin = atoms(4, 25, 4.0), 0.4
    listed = cylinder_environments(positions, 2.5, RADIUS + skin)
    steps = generator.normal(size=positions.shape)
    moved = positions + 0.5 * skin * steps / np.linalg.norm(steps, axis=1, keepdims=True)
    vectors = listed.vectors(moved)
    near = listed.mask & (np.linalg.norm(vectors, axis=2) < RADIUS)
    fresh = cylinder_environments(moved, 2.5, RADIUS)
    assert near.sum(axis=1).tolist() == fresh.mask.sum(axis=1).tolist()
    assert np.isclose(np.sum(vectors[near] ** 2), np.sum(fresh.vectors(moved)[fresh.mask] ** 2))


def test_no_centres_give_no_rows():
    found = cylinder_environments(atoms(1, 4, 2.0), 2.5, RADIUS, np.zeros(0, dtype=int))
    assert found.mask.shape[0] == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda p: cylinder_environments(p, 0.0, RADIUS), "period along the line is 0.0"),
        (lambda p: cylinder_environments(p, 2.0, -1.0), "radius is -1.0"),
        (lambda p: cylinder_environments(np.where(p == p[2], np.nan, p), 2.0, 1.0), "position of atom 2"),
        (lambda p: cell_environments(p, np.zeros((3, 3)), 1.0), "no volume"),
    ],
)
def test_what_cannot_be_searched_is_named(call, words):
    with pytest.raises(NeighbourError, match=words):
        call(atoms(2, 4, 2.0))
