"""Rows of force constants against exact Hessian products, and labels against the Hessian they come from."""

import numpy as np
import pytest
from mpi4py import MPI
from scipy.sparse import csc_matrix

from kernels.ace import SharedForces, basis_of
from kernels.fitting import rmse_grid, solve_grid
from kernels.force_constants import KIND, force_constant_factors, force_constant_rows
from tests.kernels.crystals import PERIOD, SPEC, cylinder


@pytest.fixture(scope="module")
def basis():
    return basis_of(SPEC)


@pytest.fixture(scope="module")
def fitted(basis):
    return np.random.default_rng(1).normal(size=basis.length) / basis.length


@pytest.fixture(scope="module")
def state(basis, fitted):
    """A perturbed cylinder whose Hessian is a linear potential's own, by exact products."""
    positions, free = cylinder(radius=13.0, free_radius=4.5)
    shared = SharedForces(MPI.COMM_SELF, basis, positions, PERIOD, free)
    size = 3 * int(free.sum())
    columns = [
        shared.hessian_product(fitted, positions, np.eye(size)[column].reshape(-1, 3)).ravel()
        for column in range(size)
    ]
    hessian = csc_matrix(np.stack(columns, axis=1))
    nothing = np.zeros_like(positions)
    return {
        "sites": positions,
        "predictor": nothing,
        "corrector": nothing,
        "free": free,
        "period": np.float64(PERIOD),
        "hessian_data": hessian.data,
        "hessian_indices": hessian.indices,
        "hessian_indptr": hessian.indptr,
    }


def test_rows_times_coefficients_are_the_exact_hessian(basis, fitted, state):
    """Labels are the potential's own Hessian: rows and labels agree for every entry, images along the line included."""
    atoms = np.flatnonzero(state["free"])
    squares = 0.0
    for rows in force_constant_rows(basis, state, atoms):
        assert np.all(rows[:, 0] == 0.0)
        assert np.allclose(rows[:, 1:-1] @ fitted, rows[:, -1], rtol=0, atol=1e-7 * np.abs(rows[:, -1]).max())
        squares += float(np.sum(rows[:, -1] ** 2))
    # entries that no row stands for are zero
    assert squares == pytest.approx(np.sum(state["hessian_data"] ** 2), rel=1e-12)


def test_labels_stand_in_the_order_of_the_rows(basis, state):
    """Each entry of the reference's Hessian is marked with its place."""
    free = np.flatnonzero(state["free"])
    size = 3 * len(free)
    marked = csc_matrix(np.arange(1.0, size**2 + 1).reshape(size, size))
    numbered = state | {
        "hessian_data": marked.data,
        "hessian_indices": marked.indices,
        "hessian_indptr": marked.indptr,
    }
    chosen = free[[1, 3]]
    for atom, rows in zip(chosen, force_constant_rows(basis, numbered, chosen), strict=True):
        column = 3 * int(np.flatnonzero(free == atom)[0])
        wanted = [marked[row, column + axis] for axis in range(3) for row in range(size)]
        assert rows[:, -1].tolist() == wanted


def test_a_fit_to_force_constants_alone_finds_the_potential_behind_them(basis, fitted, state, tmp_path):
    np.savez(tmp_path / "state.npz", **state)
    made = force_constant_factors(
        MPI.COMM_SELF, basis=SPEC, equilibrium=str(tmp_path / "state.npz"), domain_radius=4.0
    )
    inside = np.flatnonzero((np.hypot(state["sites"][:, 0], state["sites"][:, 1]) < 4.0) & state["free"])
    assert made[f"{KIND}_rows"] == sum(map(len, force_constant_rows(basis, state, inside)))
    fits = solve_grid(made, basis.gamma, [[0, 0, 0, 1]], 1e-9)
    largest = np.abs(state["hessian_data"]).max()
    assert rmse_grid(made, fits.coefficients, fits.e0)["rmse_force_constants"][0, 1] <= 1e-6 * largest
    hessian = np.linalg.norm(made[KIND][:, 1:-1] @ (fits.coefficients[0] - fitted))
    assert hessian <= 1e-6 * np.linalg.norm(made[KIND][:, -1])


def test_no_atom_within_the_domain_is_an_error(state, tmp_path):
    np.savez(tmp_path / "state.npz", **state)
    with pytest.raises(ValueError, match=r"within 0.01 Å"):
        force_constant_factors(
            MPI.COMM_SELF, basis=SPEC, equilibrium=str(tmp_path / "state.npz"), domain_radius=0.01
        )


def test_an_equilibrium_without_a_hessian_is_an_error(state, tmp_path):
    kept = {name: array for name, array in state.items() if not name.startswith("hessian")}
    np.savez(tmp_path / "bare.npz", **kept)
    with pytest.raises(ValueError, match=r"bare\.npz keeps no Hessian"):
        force_constant_factors(
            MPI.COMM_SELF, basis=SPEC, equilibrium=str(tmp_path / "bare.npz"), domain_radius=4.0
        )
