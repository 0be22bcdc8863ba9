"""Tabulated radial functions in ace-jax's kernel against the exact model, and the choice among tables."""

import numpy as np
import pytest
from mpi4py import MPI

from kernels import table_choice, tabulated
from kernels.ace import AcePotential, SharedForces, basis_of
from kernels.compiled import SlowForcesWarning, kernel_on_every_rank
from kernels.environments import cylinder_environments
from kernels.sectors import sector_of
from kernels.table_choice import FORCE_ERROR, TableChoice
from kernels.tabulated import TabulatedFit
from tests.kernels.crystals import PERIOD, SPEC, cylinder

FINE = 24_000


@pytest.fixture(scope="module")
def basis():
    assert kernel_on_every_rank(MPI.COMM_SELF), "these tests want a C++ compiler"
    return basis_of(SPEC)


@pytest.fixture(scope="module")
def fits(basis):
    return np.random.default_rng(1).normal(size=(2, basis.length)) / np.sqrt(basis.length)


@pytest.fixture(scope="module")
def crystal(basis):
    """Positions, and the sector of all their sites."""
    positions, free = cylinder()
    return positions, free, sector_of(positions, PERIOD, basis.cutoff + 0.3, np.arange(len(positions)))


def exactly(basis, fitted, positions):
    potential = AcePotential(basis, fitted)
    around = cylinder_environments(positions, PERIOD, basis.cutoff)
    return potential.site_energies(around, positions), potential.forces(around, positions)


def by_kernel(fit, crystal):
    positions, _, sector = crystal
    energies, forces = fit.evaluate(sector, sector.images(positions))
    return energies, sector.onto(np.arange(len(positions)), len(positions)) @ forces


def test_the_kernel_is_the_exact_model_to_the_tables_error(basis, fits, crystal):
    for fitted in (*fits, 0.0 * fits[0]):
        energies, forces = by_kernel(TabulatedFit.of(basis, FINE, fitted), crystal)
        exact_energies, exact_forces = exactly(basis, fitted, crystal[0])
        largest = np.abs(exact_forces).max()
        assert np.abs(forces - exact_forces).max() <= 1e-9 * largest
        assert np.abs(energies - exact_energies).max() <= 1e-11 * largest


def test_forces_gain_three_orders_with_the_spacing(basis, fits, crystal):
    _, exact = exactly(basis, fits[0], crystal[0])
    off = [
        np.abs(by_kernel(TabulatedFit.of(basis, intervals, fits[0]), crystal)[1] - exact).max()
        for intervals in (250, 500, 1000)
    ]
    orders = np.log2(np.array(off[:-1]) / off[1:])
    assert (orders > 2.5).all()
    assert (orders < 4.5).all()


def test_another_fit_neither_tabulates_nor_compiles_nor_disturbs(basis, fits, crystal):
    one = TabulatedFit.of(basis, FINE, fits[0])
    before = by_kernel(one, crystal)
    tabulated_once, compiled_once = tabulated.tabulated.cache_info().misses, tabulated._evaluate._cache_size()
    other = by_kernel(TabulatedFit.of(basis, FINE, fits[1]), crystal)
    assert tabulated.tabulated.cache_info().misses == tabulated_once
    assert tabulated._evaluate._cache_size() == compiled_once
    assert not np.allclose(other[0], before[0])
    for now, then in zip(by_kernel(one, crystal), before, strict=True):
        assert np.array_equal(now, then)


def test_nothing_is_felt_from_the_cutoff_on(basis, fits):
    fit = TabulatedFit.of(basis, FINE, fits[0])
    cutoff = basis.cutoff
    pair = np.array(
        [[0.0, 0.0, 0.0], [cutoff - 1e-3, 0.0, 0.0], [0.0, cutoff, 0.0], [0.0, 0.0, cutoff + 0.1]]
    )
    sector = sector_of(pair, 50.0, cutoff + 0.2, np.array([0]))
    energies, forces = fit.evaluate(sector, sector.images(pair))
    near = sector_of(pair[:2], 50.0, cutoff + 0.2, np.array([0]))
    alone, along = fit.evaluate(near, near.images(pair[:2]))
    assert energies == alone
    assert np.abs(forces[:, 1:]).max() == 0.0
    # functions and slopes end together: a thousandth of an ångström inside there is next to nothing
    assert 0.0 < np.abs(along).max() < 1e-2


class TestTableChoice:
    @pytest.fixture
    def choice(self, basis, crystal):
        positions, free, _ = crystal
        return TableChoice(basis, positions, PERIOD, free)

    def test_the_coarsest_that_is_good_enough_serves(self, monkeypatch, choice, fits):
        monkeypatch.setattr(table_choice, "INTERVALS", (500, 12_000, FINE))
        for fitted in (*fits, *fits[::-1]):
            fit = choice.chosen(fitted)
            assert fit.table.intervals == 12_000
            assert choice.errors(fitted, fit)[0] <= FORCE_ERROR
            assert choice.errors(fitted, TabulatedFit.of(choice.basis, 500, fitted))[0] > FORCE_ERROR

    def test_errors_are_those_of_the_forces_on_the_sample(self, choice, basis, fits):
        """Of a table of another fit, which is off by their difference."""
        wrong = TabulatedFit.of(basis, FINE, fits[1])
        exact, other = (choice._sample.exact.forces @ fitted for fitted in fits)
        force, _ = choice.errors(fits[0], wrong)
        assert force == pytest.approx(np.abs(exact - other).max() / np.abs(exact).max(), rel=1e-6)

    def test_where_no_table_is_good_enough_forces_are_exact(self, monkeypatch, basis, crystal, fits):
        monkeypatch.setattr(table_choice, "INTERVALS", (500,))
        positions, free, _ = crystal
        shared = SharedForces(MPI.COMM_SELF, basis, positions, PERIOD, free)
        with pytest.warns(SlowForcesWarning, match="no radial table is good enough"):
            forces = shared.forces(fits[0], positions)
        exact = SharedForces(MPI.COMM_SELF, basis, positions, PERIOD, free, exact=True)
        assert np.array_equal(forces, exact.forces(fits[0], positions))

    def test_a_fit_of_no_numbers_has_no_forces(self, basis, crystal, fits):
        positions, free, _ = crystal
        shared = SharedForces(MPI.COMM_SELF, basis, positions, PERIOD, free)
        assert np.isnan(shared.forces(np.full_like(fits[0], np.nan), positions)).any()

    def test_nothing_exerts_no_forces(self, basis, crystal, fits):
        positions, free, _ = crystal
        shared = SharedForces(MPI.COMM_SELF, basis, positions, PERIOD, free)
        assert not shared.forces(0.0 * fits[0], positions).any()
