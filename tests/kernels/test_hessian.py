from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpi4py import MPI
from scipy.sparse import csc_matrix

from kernels import hessian
from kernels.colouring import colour_columns
from kernels.hessian import assembled_hessian, hessian_columns
from kernels.references import open_reference
from tests.kernels.iron import IRON, Relaxed, relaxed_iron, stored
from tests.kernels.ranks import on_ranks

STEP = 1e-4


@pytest.fixture(scope="module")
def iron(tmp_path_factory: pytest.TempPathFactory) -> Relaxed:
    return relaxed_iron(tmp_path_factory.mktemp("iron"), 13.0)


def unknowns(iron: Relaxed) -> int:
    return 3 * int(iron.arrays["free"].sum())


def dense_columns(iron: Relaxed, chosen: list[int]) -> np.ndarray:
    """Central differences of the whole cylinder's forces, one column at a time."""
    with np.load(iron.rough) as rough:
        positions = rough["sites"] + rough["predictor"] + rough["corrector"]
        free, period = rough["free"], float(rough["period"])
    free_sites = np.flatnonzero(free)
    columns = []
    with open_reference(MPI.COMM_SELF, IRON) as reference:
        system = reference.cylinder(positions, period)
        for column in chosen:
            shift = np.zeros_like(positions)
            shift[free_sites[column // 3], column % 3] = STEP
            change = system.forces(positions + shift) - system.forces(positions - shift)
            columns.append(-change[free].ravel() / (2 * STEP))
    return np.stack(columns, axis=1)


def test_columns_are_central_differences_of_the_whole_cylinders_forces(iron: Relaxed) -> None:
    chosen = [0, 1, 2, 40, 125, unknowns(iron) - 1]
    found = assembled_hessian(list(iron.hessian), unknowns(iron))[:, chosen].toarray()
    expected = dense_columns(iron, chosen)
    assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)


def test_it_is_symmetric_before_it_is_made_so(iron: Relaxed) -> None:
    entries = [np.load(path) for path in iron.hessian]
    rows, columns, values = (
        np.concatenate([part[name] for part in entries]) for name in ("rows", "columns", "values")
    )
    matrix = csc_matrix((values, (rows, columns)), shape=(unknowns(iron),) * 2)
    assert abs(matrix - matrix.T).max() < 1e-3 * abs(matrix).max()
    assert len(set(zip(rows.tolist(), columns.tolist(), strict=True))) == len(rows)


def test_moving_everything_an_atom_feels_leaves_it_without_force(iron: Relaxed) -> None:
    hessian = assembled_hessian(list(iron.hessian), unknowns(iron))
    sites = iron.arrays["sites"]
    # twice the cutoff of 5.3 Å and the core's strain: all that these atoms feel is free
    inner = np.flatnonzero(np.hypot(sites[:, 0], sites[:, 1]) < 2.2)
    assert inner.size == 3
    for axis in range(3):
        forces = hessian @ np.tile(np.eye(3)[axis], unknowns(iron) // 3)
        assert np.abs(forces.reshape(-1, 3)[inner]).max() < 1e-3
        assert np.abs(forces).max() > 0.1


def test_two_ranks_find_the_same_entries_as_one(iron: Relaxed, tmp_path: Path) -> None:
    both = [
        on_ranks(
            count,
            "kernels.hessian:hessian_columns",
            tmp_path,
            potential=IRON,
            rough_path=iron.rough,
            part=0,
            parts=4,
        )
        for count in (1, 2)
    ]
    shape = (unknowns(iron),) * 2
    one, two = (csc_matrix((part["values"], (part["rows"], part["columns"])), shape=shape) for part in both)
    assert one.nnz == two.nnz > 0
    assert abs(one - two).max() < 1e-6


def test_a_part_left_out_is_an_error(iron: Relaxed) -> None:
    with pytest.raises(ValueError, match="pass every part"):
        assembled_hessian([iron.hessian[0]], unknowns(iron))


def test_more_parts_than_colours_leaves_some_empty(iron: Relaxed, tmp_path: Path) -> None:
    part = hessian_columns(MPI.COMM_SELF, IRON, iron.rough, 9998, 9999)
    assert part["rows"].size == part["columns"].size == part["values"].size == 0
    path = stored(tmp_path, "empty", part)
    whole = assembled_hessian([*iron.hessian, path], unknowns(iron))
    assert whole.nnz == assembled_hessian(list(iron.hessian), unknowns(iron)).nnz


def test_a_cylinder_whose_factor_would_not_fit_gets_none(
    iron: Relaxed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fits(size: int, nonzeros: int) -> bool:
        asked.append((size, nonzeros))
        return False

    monkeypatch.setattr(hessian, "factor_fits", fits)
    part = hessian_columns(MPI.COMM_SELF, IRON, iron.rough, 0, 1)
    assert part is not None
    assert part["values"].size == 0
    assert assembled_hessian([stored(tmp_path, "nothing", part)], unknowns(iron)) is None
    ((size, nonzeros),) = asked
    assert size == unknowns(iron)
    # in so small a cylinder half of what a site feels is fixed, and has no column
    entries = assembled_hessian(list(iron.hessian), unknowns(iron)).nnz
    assert entries < nonzeros < 4 * entries


@pytest.mark.parametrize(("part", "parts"), [(2, 2), (-1, 2), (0, 0)])
def test_a_part_that_does_not_exist_is_refused(iron: Relaxed, part: int, parts: int) -> None:
    with pytest.raises(ValueError, match="numbered from 0"):
        hessian_columns(MPI.COMM_SELF, IRON, iron.rough, part, parts)


@settings(max_examples=100)
@given(st.integers(1, 12), st.integers(1, 30), st.integers(0, 2**31), st.floats(0.0, 0.6))
def test_columns_of_one_colour_share_no_row(rows: int, columns: int, seed: int, density: float) -> None:
    pattern = np.random.default_rng(seed).random((rows, columns)) < density
    colours = colour_columns(csc_matrix(pattern))
    assert sorted(np.concatenate(colours).tolist()) == list(range(columns))
    for colour in colours:
        assert pattern[:, colour].sum(axis=1).max() <= 1
    # greedy: a column of a later colour shares a row with some column of every earlier one
    for later, colour in enumerate(colours):
        for column in colour:
            for earlier in colours[:later]:
                assert (pattern[:, [column]] & pattern[:, earlier]).any()
