"""Norms and energy differences against exact values and invariances."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kernels.errors import bond_differences, energy_difference, strain_norm, strain_profile

numbers = st.floats(-10, 10, allow_nan=False)
BONDS = np.array([[0, 1], [1, 2], [2, 3], [0, 3], [1, 3]])


@given(arrays(float, (4, 3), elements=numbers), arrays(float, (3,), elements=numbers))
def test_norm_ignores_a_common_shift(displacement: np.ndarray, shift: np.ndarray) -> None:
    assert math.isclose(
        strain_norm(BONDS, displacement), strain_norm(BONDS, displacement + shift), rel_tol=1e-9, abs_tol=1e-9
    )


@given(arrays(float, (4, 3), elements=numbers))
def test_norm_does_not_care_which_end_of_a_bond_comes_first(displacement: np.ndarray) -> None:
    assert strain_norm(BONDS, displacement) == strain_norm(BONDS[:, ::-1], displacement)


def test_norm_is_half_the_sum_over_both_ends() -> None:
    rng = np.random.default_rng(0)
    displacement = rng.standard_normal((4, 3))
    both = sum(
        np.sum((displacement[m] - displacement[i]) ** 2)
        for i in range(4)
        for bond in BONDS
        if i in bond
        for m in bond
        if m != i
    )
    assert math.isclose(strain_norm(BONDS, displacement), math.sqrt(0.5 * both), rel_tol=1e-14)


@given(arrays(float, (4, 3), elements=numbers))
def test_profile_splits_the_squared_norm(displacement: np.ndarray) -> None:
    sites = np.array([[0.0, 0, 0], [2, 0, 0], [5, 0, 0], [0, 9, 0]])
    profile = strain_profile(BONDS, displacement, sites, np.array([0.0, 3, 6, 1e4]))
    assert math.isclose(math.sqrt(np.sum(profile**2)), strain_norm(BONDS, displacement), abs_tol=1e-9)


def test_profile_puts_a_bond_where_the_mean_radius_of_its_ends_lies() -> None:
    sites = np.array([[1.0, 0, 7], [3, 0, 7]])
    displacement = np.array([[0.0, 0, 0], [0, 2, 0]])
    profile = strain_profile(np.array([[0, 1]]), displacement, sites, np.array([0.0, 1.9, 2.1, 10.0]))
    assert profile.tolist() == [0.0, 2.0, 0.0]


def test_differences_have_the_sign_of_second_less_first() -> None:
    displacement = np.array([[1.0, 0, 0], [3, 0, 0]])
    assert bond_differences(np.array([[0, 1]]), displacement).tolist() == [[2.0, 0.0, 0.0]]


def test_energy_difference_keeps_digits_that_totals_lose() -> None:
    base = np.array([1e16, 1.0, -1e16, 1.0])
    bump = np.array([0.0, 2.0, 0.0, 0.5])
    assert energy_difference(base + bump, base) == 2.5
    assert float((base + bump).sum() - base.sum()) != 2.5
