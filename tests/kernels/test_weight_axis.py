"""A diagonalised weight axis against least squares in extended precision, and against solving each weight."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import weight_grid
from kernels.weight_axis import DECADES, WeightAxis, runs
from kernels.weight_grid import solve_scalings

VALUES = 60


def monomials(generator, count, functions, spread):
    """Rows [Φ | y] of an ill-conditioned basis, functions of very different sizes, and a function outside it."""
    where = generator.uniform(0.1, 1.0, count)
    powers = where[:, None] ** np.arange(functions)
    noise = 1e-3 * generator.normal(size=count)
    return np.column_stack([powers * 10.0 ** -np.linspace(0, spread, functions), np.exp(where) + noise])


def problem(seed, functions=9, spread=3.0, regularisation=1e-6):
    """Blocks of three kinds of observation and of a prior, and the prior's diagonal."""
    generator = np.random.default_rng(seed)
    gamma = np.linspace(1.0, 1e3, functions)
    counts = generator.integers(functions, 60, 3)
    blocks = [monomials(generator, count, functions, spread) for count in counts]
    return [*blocks, regularisation * np.column_stack([np.diag(gamma), np.zeros(functions)])], gamma


def along(axis, values, others=(1.0, 0.7, 0.3, 1.0)):
    scales = np.tile(np.array(others), (len(values), 1))
    scales[:, axis] = values
    return scales


def extended(blocks, scale):
    """Least squares by Householder's reflections in 80-bit arithmetic."""
    rows = np.vstack([s * block.astype(np.longdouble) for s, block in zip(scale, blocks, strict=True)])
    functions = rows.shape[1] - 1
    for column in range(functions):
        below = rows[column:, column]
        normal = below.copy()
        normal[0] += np.copysign(np.sqrt(below @ below), below[0])
        rows[column:] -= np.outer(normal, (2 / (normal @ normal)) * (normal @ rows[column:]))
    found = np.zeros(functions, dtype=np.longdouble)
    for row in reversed(range(functions)):
        known = rows[row, row + 1 : functions] @ found[row + 1 :]
        found[row] = (rows[row, -1] - known) / rows[row, row]
    return found


def difference(blocks, one, other):
    """Largest relative difference of two fits' predictions of any block of observations."""
    pairs = [(block[:, :-1] @ one, block[:, :-1] @ other) for block in blocks[:-1]]
    return max(float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in pairs)


def directly(blocks, scales, gamma):
    """Coefficients and conditions with a factorisation for each scaling."""
    found = [solve_scalings(blocks, scale[None], gamma) for scale in scales]
    return tuple(np.concatenate(each) for each in zip(*found, strict=True))


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**31),
    axis=st.integers(0, 3),
    low=st.floats(-3.0, 1.0),
    decades=st.floats(0.1, 5.0),
    spread=st.floats(0.0, 8.0),
)
def test_an_axis_predicts_what_solving_each_weight_predicts(seed, axis, low, decades, spread):
    blocks, gamma = problem(seed, spread=spread)
    scales = along(axis, np.logspace(low, low + decades, VALUES))
    coefficients, condition = solve_scalings(blocks, scales, gamma)
    each, conditions = directly(blocks, scales, gamma)
    assert max(difference(blocks, *pair) for pair in zip(coefficients, each, strict=True)) <= 1e-8
    assert np.all(condition <= conditions * (1 + 1e-4))
    assert np.all(condition >= 0.95 * conditions)


@pytest.mark.parametrize("axis", range(4))
@pytest.mark.parametrize("functions", [9, 12])
def test_an_axis_is_as_good_as_the_arithmetic_allows(axis, functions):
    """Against 80 bits: the axis loses no more digits than a factorisation for each weight, within a factor."""
    blocks, gamma = problem(3, functions=functions, spread=6.0, regularisation=1e-9)
    scales = along(axis, np.logspace(-2, 2, VALUES))
    coefficients, condition = solve_scalings(blocks, scales, gamma)
    assert condition.max() > 1e8
    for place in range(0, VALUES, 7):
        best = extended(blocks, scales[place]).astype(float)
        [alone], _ = solve_scalings(blocks, scales[place : place + 1], gamma)
        lost = difference(blocks, alone, best)
        assert difference(blocks, coefficients[place], best) <= max(30 * lost, 1e-12)


def test_the_order_of_a_grid_does_not_matter():
    blocks, gamma = problem(1)
    generator = np.random.default_rng(2)
    lines = [along(2, np.logspace(-1, 2, 20), (1.0, other, 0.0, 1.0)) for other in (0.2, 1.0, 5.0)]
    scales = np.vstack(lines)
    shuffled = generator.permutation(len(scales))
    coefficients, condition = solve_scalings(blocks, scales, gamma)
    mixed, conditions = solve_scalings(blocks, scales[shuffled], gamma)
    assert np.allclose(mixed, coefficients[shuffled], rtol=1e-9)
    assert np.allclose(conditions, condition[shuffled], rtol=1e-9)


def test_one_axis_costs_a_few_factorisations_whatever_its_length(monkeypatch):
    blocks, gamma = problem(1)
    made = []

    def counted(*arguments):
        made.append(arguments)
        return WeightAxis.of(*arguments)

    monkeypatch.setattr(weight_grid, "WeightAxis", type("Counting", (), {"of": staticmethod(counted)}))
    monkeypatch.setattr(weight_grid, "_solution", None)
    solve_scalings(blocks, along(1, np.logspace(-1, 2, 500)), gamma)
    assert len(made) == 1
    solve_scalings(blocks, along(1, np.logspace(-3, 3, 500)), gamma)
    assert len(made) == 3


def test_a_weight_of_zero_leaves_its_rows_out():
    blocks, gamma = problem(4)
    scales = along(1, np.append(0.0, np.logspace(-1, 1, VALUES)))
    [without, *_], _ = solve_scalings(blocks, scales, gamma)
    rest = np.vstack([scale * block for scale, block in zip(scales[0], blocks, strict=True)])
    wanted = np.linalg.lstsq(rest[:, :-1], rest[:, -1], rcond=None)[0]
    assert difference(blocks, without, wanted) <= 1e-9


def test_where_rows_determine_nothing_the_prior_does_on_an_axis_too():
    generator = np.random.default_rng(5)
    gamma = np.linspace(1.0, 30.0, 9)
    blocks = [generator.normal(size=(2, 10)), generator.normal(size=(3, 10)), np.zeros((0, 10))]
    scales = np.column_stack([np.ones(VALUES), np.logspace(-1, 1, VALUES), np.ones(VALUES)])
    coefficients, condition = solve_scalings(blocks, scales, gamma)
    assert np.isinf(condition).all()
    for scale, found in zip(scales, coefficients, strict=True):
        rows = np.vstack([s * block for s, block in zip(scale, blocks, strict=True)])
        assert np.allclose(found, np.linalg.lstsq(rows[:, :-1] / gamma, rows[:, -1], rcond=None)[0] / gamma)


@settings(max_examples=50)
@given(st.lists(st.floats(1e-12, 1e12), min_size=1, max_size=40))
def test_runs_are_narrow_and_hold_every_value_once(values):
    values = np.array(values)
    found = list(runs(values))
    assert sorted(np.concatenate(found).tolist()) == list(range(len(values)))
    for run in found:
        assert (np.diff(values[run]) >= 0).all()
        assert values[run][-1] <= values[run][0] * 10**DECADES * (1 + 1e-9)
