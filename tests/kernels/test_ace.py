"""Linear ACE against differences, invariances, its own design rows, and itself on other numbers of ranks."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kernels import linear_basis
from kernels.ace import AcePotential, BasisError, LinearBasis, basis_of
from kernels.environments import Environments, cell_environments, cylinder_environments
from tests.kernels.crystals import PERIOD, SPEC, cylinder, small_cell


@pytest.fixture(scope="module")
def basis():
    return basis_of(SPEC)


@pytest.fixture(scope="module")
def fitted(basis):
    return np.random.default_rng(1).normal(size=basis.length) / np.sqrt(basis.length)


def test_a_specification_has_one_basis(basis):
    assert basis_of(dict(SPEC)) is basis
    assert basis.gamma.shape == (basis.length,)
    assert (basis.gamma > 0).all()


@pytest.mark.parametrize(
    ("degree", "length"),
    # lengths for order 3 as listed in ace-jax's own tables
    [(8, 62), (10, 120), (12, 223)],
)
def test_known_lengths(degree, length):
    assert LinearBasis("W", 3, degree, 5.0).length == length


def test_functions_vanish_exactly_from_the_cutoff_on(basis):
    vectors = np.array([[[4.0, 0.0, 0.0], [3.0, 2.9, 0.0], [0.0, 0.0, 9.0], [2.4, 0.0, 1.0]]])
    [(_, with_far, jacobian)] = basis.edge_rows(vectors, np.ones((1, 4), dtype=bool))
    [(_, alone, _)] = basis.edge_rows(vectors[:, 3:], np.ones((1, 1), dtype=bool))
    assert not jacobian[:, :3].any()
    assert jacobian[:, 3].any()
    assert np.array_equal(with_far, alone)


def test_rows_times_coefficients_are_energies_and_gradients(basis, fitted):
    positions, _ = cylinder(radius=17.0)
    around = cylinder_environments(positions, PERIOD, basis.cutoff)  # more than one chunk of sites
    energies, gradients = basis.energies_and_gradients(fitted, around.vectors(positions), around.mask)
    chunks = list(basis.edge_rows(around.vectors(positions), around.mask))
    assert len(chunks) > 1
    rows = np.concatenate([functions for _, functions, _ in chunks])
    jacobian = np.concatenate([each for _, _, each in chunks])
    assert energies.dtype == np.float64
    assert np.allclose(rows @ fitted, energies, rtol=0, atol=1e-10 * np.abs(energies).max())
    assert np.allclose(
        np.einsum("sklc,l->skc", jacobian, fitted), gradients, rtol=0, atol=1e-10 * np.abs(gradients).max()
    )


def test_forces_are_minus_the_energys_differences_in_a_cell_smaller_than_the_cutoff(basis, fitted):
    positions, cell = small_cell()
    potential = AcePotential(basis, fitted, e0=-3.0)

    def energy(where):
        return potential.site_energies(cell_environments(where, cell, basis.cutoff), where).sum()

    forces = potential.forces(cell_environments(positions, cell, basis.cutoff), positions)
    step = 1e-4
    for atom in range(2):
        for axis in range(3):
            nudge = np.zeros_like(positions)
            nudge[atom, axis] = step
            difference = (energy(positions - nudge) - energy(positions + nudge)) / (2 * step)
            assert forces[atom, axis] == pytest.approx(difference, abs=1e-6 * np.abs(forces).max())


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31), shift=st.floats(-50, 50))
def test_energies_do_not_change_under_rotation_translation_or_exchange(seed, shift):
    basis = basis_of(SPEC)
    generator = np.random.default_rng(seed)
    vectors = generator.uniform(-3, 3, (1, 12, 3))
    vectors = vectors[:, np.linalg.norm(vectors[0], axis=1) > 1.0]
    mask = np.ones(vectors.shape[:2], dtype=bool)
    fitted = generator.normal(size=basis.length)
    energy = basis.energies_and_gradients(fitted, vectors, mask)[0]
    turned = Rotation.random(random_state=generator).apply(vectors[0])[None]
    exchanged = vectors[:, generator.permutation(vectors.shape[1])]
    for other in (turned, -turned, exchanged):
        assert np.allclose(basis.energies_and_gradients(fitted, other, mask)[0], energy, rtol=1e-9, atol=1e-9)
    slots = vectors.shape[1]
    listed = Environments(
        np.array([0]),
        np.arange(1, slots + 1, dtype=np.int32)[None],
        np.zeros_like(vectors),
        mask,
        basis.cutoff,
    )
    moved = np.concatenate([np.zeros((1, 3)), vectors[0]]) + shift
    assert np.allclose(AcePotential(basis, fitted).site_energies(listed, moved), energy, rtol=1e-8, atol=1e-8)


def test_other_coefficients_compile_nothing(basis, fitted):
    positions, cell = small_cell()
    around = cell_environments(positions, cell, basis.cutoff)
    AcePotential(basis, fitted).forces(around, positions)
    compiled = linear_basis._energies_and_gradients._cache_size()
    with jax.checking_leaks():
        one, other = (
            AcePotential(basis, factor * fitted).forces(around, positions) for factor in (2.0, -1.0)
        )
    assert linear_basis._energies_and_gradients._cache_size() == compiled
    assert np.allclose(one, -2.0 * other)


def test_coefficients_of_another_basis_are_refused(basis):
    with pytest.raises(BasisError, match=f"basis of {basis.length} functions"):
        AcePotential(basis, np.zeros(basis.length + 1))


def test_a_basis_that_cannot_be_is_refused():
    with pytest.raises(BasisError, match="lacks 'degree'"):
        basis_of({"element": "W", "order": 3, "cutoff": 5.0})
    with pytest.raises(BasisError, match="Xx"):
        basis_of(SPEC | {"element": "Xx"})
