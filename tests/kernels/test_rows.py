"""Design rows against the model's energies, forces and virials, and the model's virials against strains."""

import numpy as np
import pytest
from mpi4py import MPI

from kernels.ace import AcePotential, SharedForces, basis_of
from kernels.environments import cell_environments, cylinder_environments
from kernels.evaluations import VOIGT
from kernels.rows import Configuration, cylinder_rows, design_rows, sites_around
from tests.kernels.crystals import PERIOD, SPEC, bulk_set, cylinder, small_cell


@pytest.fixture(scope="module")
def basis():
    return basis_of(SPEC)


@pytest.fixture(scope="module")
def fitted(basis):
    return np.random.default_rng(1).normal(size=basis.length) / np.sqrt(basis.length)


def configuration(basis, positions, cell, observed=None):
    everyone = np.arange(len(positions))
    return Configuration(
        positions,
        cell_environments(positions, cell, basis.cutoff),
        everyone if observed is None else observed,
    )


def close(found, wanted):
    return np.allclose(found, wanted, rtol=0, atol=1e-10 * np.abs(wanted).max())


def test_rows_times_coefficients_are_the_models_energies_and_forces(basis, fitted):
    positions, cell = small_cell()
    one = configuration(basis, positions, cell)
    [rows] = design_rows(basis, [one])
    potential = AcePotential(basis, fitted)
    assert close(rows.sites @ fitted, potential.site_energies(one.environments, positions))
    assert close((rows.forces @ fitted).reshape(-1, 3), potential.forces(one.environments, positions))


def test_virials_are_minus_the_energys_derivatives_by_strain(basis, fitted):
    positions, cell = small_cell()
    [rows] = design_rows(basis, [configuration(basis, positions, cell)])
    potential = AcePotential(basis, fitted)

    def energy(strain):
        stretch = np.eye(3) + strain
        there = positions @ stretch
        return potential.site_energies(cell_environments(there, cell @ stretch, basis.cutoff), there).sum()

    step = 1e-5
    for row, (a, b) in zip(rows.virial, VOIGT, strict=True):
        strain = np.zeros((3, 3))
        strain[a, b] += step / 2
        strain[b, a] += step / 2
        difference = -(energy(strain) - energy(-strain)) / (2 * step)
        assert row @ fitted == pytest.approx(difference, abs=1e-7 * np.abs(rows.virial @ fitted).max())


def test_virials_stand_in_the_order_of_ace_jax():
    from ace_jax.fit.data import VOIGT as THEIRS

    assert [set(pair) for pair in VOIGT] == [set(pair) for pair in THEIRS]


def test_rows_are_those_of_ace_jax(basis):
    """ace-jax's own pipeline, from structures to rows."""
    import ase
    from ace_jax.basis.model import BasisSpec, build_basis
    from ace_jax.fit.data import build_dataset, load_configs
    from ace_jax.fit.rows import linear_rows

    positions, cell = small_cell()
    structure = ase.Atoms("W2", positions=positions, cell=cell, pbc=True)
    structure.info.update(energy=0.0, virial=np.zeros((3, 3)))
    structure.arrays["forces"] = np.zeros((2, 3))
    theirs = build_basis(BasisSpec(order=3, max_degree=SPEC["degree"], elements=("W",), rcut=SPEC["cutoff"]))
    data = build_dataset(load_configs([structure]), theirs.meta, [0.0], 1)
    batch = type(data)(*(field[0] for field in data))

    class Shape:
        n_B, n_pair, NZ = theirs.meta["n_B"], theirs.meta["n_pair"], 1  # noqa: N815 - ace-jax's names
        len_basis = theirs.meta["len_basis"]

    wanted, _, _ = linear_rows(theirs.model, Shape, batch)
    [rows] = design_rows(basis, [configuration(basis, positions, cell)])
    assert close(rows.sites.sum(axis=0), np.asarray(wanted.E)[0])
    assert close(rows.forces, np.asarray(wanted.F)[:2].reshape(6, -1))
    assert close(rows.virial, np.asarray(wanted.V)[0])


def test_configurations_together_have_the_rows_they_have_alone(basis):
    cells = bulk_set(10)
    several = [configuration(basis, *each) for each in zip(cells["positions"], cells["cells"], strict=True)]
    positions, free = cylinder()
    sites = sites_around(positions, PERIOD, basis.cutoff, free, free)
    listed = cylinder_environments(positions, PERIOD, basis.cutoff, sites)
    several.insert(3, Configuration(positions, listed, np.flatnonzero(free)[::-2]))
    for together, alone in zip(design_rows(basis, several), several, strict=True):
        [wanted] = design_rows(basis, [alone])
        assert close(together.sites, wanted.sites)
        assert close(together.forces, wanted.forces)
        assert close(together.virial, wanted.virial)


def test_forces_of_some_atoms_are_rows_of_the_forces_of_all(basis):
    positions, cell = small_cell()
    [every] = design_rows(basis, [configuration(basis, positions, cell)])
    [second] = design_rows(basis, [configuration(basis, positions, cell, observed=np.array([1]))])
    assert close(second.forces, every.forces[3:])


def test_no_configurations_have_no_rows(basis):
    assert design_rows(basis, []) == []


def test_an_equilibriums_rows_are_its_forces_and_energy_difference(basis, fitted):
    sites, free = cylinder(perturbation=0.0)
    generator = np.random.default_rng(8)
    predictor = 0.02 * generator.normal(size=sites.shape)
    corrector = 0.1 * free[:, None] * generator.normal(size=sites.shape)
    state = {"sites": sites, "predictor": predictor, "corrector": corrector, "free": free, "period": PERIOD}
    force_rows, energy_row = cylinder_rows(MPI.COMM_SELF, basis, state)
    placed = sites + predictor
    shared = SharedForces(MPI.COMM_SELF, basis, placed, PERIOD, free)
    assert close((force_rows @ fitted).reshape(-1, 3), shared.forces(fitted, placed + corrector))
    difference = shared.site_energies(fitted, placed + corrector) - shared.site_energies(fitted, placed)
    assert energy_row @ fitted == pytest.approx(difference.sum(), rel=1e-10)
