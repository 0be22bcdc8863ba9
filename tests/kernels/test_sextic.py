"""The sextic problem for many crystals at once, against matscipy's solution for each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.dislocations import oriented_cell
from kernels.elastic_fields import stroh_field
from kernels.sextic import circular_products, sextic_solutions

LATTICE = 3.18
ANGLES = 2 * np.pi * np.arange(2048) / 2048
CIRCLE = np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])
# C44, its ratio to (C11 - C12) / 2, and C12 over C11: stable, from soft to stiff, isotropic ones included
crystals = st.lists(
    st.tuples(st.floats(20.0, 300.0), st.floats(0.2, 6.0) | st.just(1.0), st.floats(-0.3, 0.9)),
    min_size=1,
    max_size=4,
)


def constants_of(shape: list[tuple[float, float, float]]) -> np.ndarray:
    rows = []
    for c44, anisotropy, ratio in shape:
        difference = 2 * c44 / anisotropy
        c11 = difference / (1 - ratio)
        rows.append([c11, c11 - difference, c44])
    return np.array(rows)


@pytest.mark.parametrize("kind", ["screw", "edge", "mixed"])
@settings(max_examples=25)
@given(crystals)
def test_each_solution_is_matscipys(kind: str, shape: list[tuple[float, float, float]]) -> None:
    cell, constants = oriented_cell(kind, "bcc", "W"), constants_of(shape)
    roots, amplitudes = sextic_solutions(cell.rotation, LATTICE * cell.rotation @ cell.burgers, constants)
    averages = circular_products(roots, amplitudes.reshape(*roots.shape, 9))
    for one, own_roots, own_amplitudes, average in zip(constants, roots, amplitudes, averages, strict=True):
        wanted = stroh_field(cell.axes, LATTICE * cell.burgers, *one).gradient(CIRCLE)
        inverse = 1.0 / (CIRCLE[:, :1] + own_roots * CIRCLE[:, 1:])
        found = np.einsum("ma,aij->mij", inverse, own_amplitudes)
        # near isotropy the problem is almost defective: its solution has half the digits
        np.testing.assert_allclose(found.real, wanted, rtol=0, atol=1e-7 * np.abs(wanted).max())
        assert np.abs(found.imag).max() < 1e-7 * np.abs(wanted).max()
        assert average == pytest.approx(np.mean(np.sum(wanted**2, axis=(1, 2))), rel=1e-6)


@given(
    st.lists(st.tuples(st.floats(-2.0, 2.0), st.floats(0.3, 3.0)), min_size=1, max_size=3),
    st.integers(0, 2**32 - 1),
)
def test_averages_in_closed_form_are_those_of_the_circle(upper: list[tuple[float, float]], seed: int) -> None:
    half = np.array([complex(*root) for root in upper])
    roots = np.concatenate([half, half.conj()])
    random = np.random.default_rng(seed)
    amplitudes = random.normal(size=(len(half), 3)) + 1j * random.normal(size=(len(half), 3))
    both = np.concatenate([amplitudes, amplitudes.conj()])
    values = (1.0 / (CIRCLE[:, :1] + roots * CIRCLE[:, 1:])) @ both
    assert np.abs(values.imag).max() < 1e-10
    found = circular_products(roots[None], both[None])
    assert found[0] == pytest.approx(np.mean(np.sum(values.real**2, axis=1)), rel=1e-8)
