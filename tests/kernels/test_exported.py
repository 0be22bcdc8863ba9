"""Potentials written and read back: energies and forces against the kernels' own."""

import ace_jax
import numpy as np
import pytest
from ace_jax import ACECalculator
from ase import Atoms
from hypothesis import given
from hypothesis import strategies as st
from mpi4py import MPI

from kernels.ace import AcePotential, basis_of
from kernels.environments import cell_environments
from kernels.exported import ExportError, _table_step, fitted_basis, potential_file
from tests.kernels.crystals import MATERIAL, SPEC, bulk_set

E0 = 0.37


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    """Path of three fits, one of them excluded."""
    length = basis_of(SPEC).length
    coefficients = np.random.default_rng(1).normal(size=(3, length)) / length
    coefficients[1] = np.nan
    path = tmp_path_factory.mktemp("fits") / "fit.npz"
    np.savez(path, coefficients=coefficients, e0=np.array([E0, np.nan, np.nan]))
    return path


def crystal():
    cells = bulk_set(1)
    return Atoms("W16", positions=cells["positions"][0], cell=cells["cells"][0], pbc=True)


def made(fits, suffix, weighting=0, basis=SPEC):
    return potential_file(
        MPI.COMM_SELF, basis=basis, material=MATERIAL, fit=str(fits), weighting=weighting, suffix=suffix
    )


def ours(fits, weighting, structure):
    with np.load(fits) as stored:
        potential = AcePotential(basis_of(SPEC), stored["coefficients"][weighting])
    around = cell_environments(structure.positions, structure.cell.array, SPEC["cutoff"])
    sites = potential.site_energies(around, structure.positions)
    return sites.sum(), potential.forces(around, structure.positions)


@pytest.mark.parametrize(("suffix", "digits"), [(".npz", 1e-11), (".yace", 1e-8)])
def test_a_file_read_back_has_the_same_energies_and_forces(fits, tmp_path, suffix, digits):
    (tmp_path / f"model{suffix}").write_bytes(made(fits, suffix)["contents"].tobytes())
    structure = crystal()
    structure.calc = ACECalculator(str(tmp_path / f"model{suffix}"))
    energy, forces = ours(fits, 0, structure)
    energy += 16 * (E0 + MATERIAL["energy_per_atom"])
    assert structure.get_potential_energy() == pytest.approx(energy, rel=digits)
    assert np.abs(structure.get_forces() - forces).max() <= digits * np.abs(forces).max()


def test_without_a_constant_energies_are_the_references(fits, tmp_path):
    (tmp_path / "model.npz").write_bytes(made(fits, ".npz", weighting=2)["contents"].tobytes())
    model, _, _ = ace_jax.load(tmp_path / "model.npz")
    assert np.asarray(model.E0).tolist() == [MATERIAL["energy_per_atom"]]


def test_a_fit_that_is_not_there_is_named(fits):
    with pytest.raises(ExportError, match="fit 1 is not finite"):
        made(fits, ".npz", weighting=1)


def test_another_format_is_named(fits):
    with pytest.raises(ExportError, match=r"as '.json'; choose from .npz, .yace"):
        made(fits, ".json")


def test_what_yace_cannot_hold_is_named(tmp_path):
    spec = SPEC | {"order": 1}
    np.savez(tmp_path / "fit.npz", coefficients=np.ones((1, basis_of(spec).length)), e0=np.zeros(1))
    with pytest.raises(ExportError, match=r"cannot be written as \.yace"):
        made(tmp_path / "fit.npz", ".yace", basis=spec)


def test_a_model_keeps_coefficients_where_they_were():
    coefficients = np.arange(1.0, basis_of(SPEC).length + 1)
    model, _ = fitted_basis(SPEC, coefficients, 0.0).eval_pair()
    assert np.concatenate([np.ravel(model.WB), np.ravel(model.Wpair)]).tolist() == coefficients.tolist()


@given(st.floats(1.0, 12.0))
def test_tables_end_at_the_cutoff_as_ml_pace_counts(cutoff):
    step = _table_step(cutoff)
    count = round(cutoff / step)
    assert int(cutoff / step) == count
    assert abs(count * step - cutoff) <= 1e-9 * cutoff
    assert step <= 1e-3 * (1 + 1e-9)
