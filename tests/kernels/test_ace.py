"""Linear ACE against differences, invariances, its own design rows, and itself on other numbers of ranks."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpi4py import MPI
from scipy.spatial.transform import Rotation

from kernels import linear_basis
from kernels.ace import SKIN, AcePotential, BasisError, LinearBasis, SharedForces, basis_of
from kernels.environments import Environments, NeighbourError, cell_environments, cylinder_environments
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


@settings(deadline=None, max_examples=20)
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


class TestSharedForces:
    @pytest.fixture
    def shared(self, basis):
        positions, free = cylinder()
        return SharedForces(MPI.COMM_SELF, basis, positions, PERIOD, free)

    def test_forces_are_those_of_the_whole_cylinder(self, basis, fitted, shared):
        positions, free = cylinder()
        whole = AcePotential(basis, fitted).forces(
            cylinder_environments(positions, PERIOD, basis.cutoff), positions
        )
        found = shared.forces(fitted, positions)
        assert np.allclose(found, whole[free], rtol=0, atol=1e-12 * np.abs(whole).max())
        assert shared.evaluations == 1
        assert shared.sites_evaluated == len(shared.needed) < len(positions)

    def test_needed_sites_carry_the_whole_energy_difference(self, basis, fitted, shared):
        positions, free = cylinder()
        other = positions + 0.3 * free[:, None] * np.random.default_rng(3).uniform(-1, 1, positions.shape)

        def energies(where):
            around = cylinder_environments(where, PERIOD, basis.cutoff)
            return AcePotential(basis, fitted).site_energies(around, where)

        difference = (shared.site_energies(fitted, other) - shared.site_energies(fitted, positions)).sum()
        assert difference == pytest.approx((energies(other) - energies(positions)).sum(), rel=1e-10)

    @pytest.mark.parametrize("distance", [0.4 * SKIN, 5 * SKIN])
    def test_moved_atoms_get_a_new_list_in_time(self, basis, fitted, shared, distance):
        positions, free = cylinder()
        steps = np.random.default_rng(4).normal(size=positions.shape)
        steps *= distance * free[:, None] / np.linalg.norm(steps, axis=1, keepdims=True)
        there = positions + steps
        fresh = SharedForces(MPI.COMM_SELF, basis, there, PERIOD, free).forces(fitted, there)
        assert np.allclose(shared.forces(fitted, there), fresh, rtol=0, atol=1e-11 * np.abs(fresh).max())

    def test_hessian_product_is_the_forces_difference_and_symmetric(self, fitted, shared):
        positions, free = cylinder()
        one, other = np.random.default_rng(5).normal(size=(2, free.sum(), 3))
        step = 1e-5

        def forces(sign):
            there = positions.copy()
            there[free] += sign * step * one
            return shared.forces(fitted, there)

        product = shared.hessian_product(fitted, positions, one)
        difference = -(forces(1) - forces(-1)) / (2 * step)
        assert np.allclose(product, difference, rtol=0, atol=1e-6 * np.abs(product).max())
        back = shared.hessian_product(fitted, positions, other)
        assert np.vdot(product, other) == pytest.approx(np.vdot(back, one), rel=1e-10)

    def test_a_position_that_is_not_finite_is_named(self, fitted, shared):
        positions, free = cylinder()
        atom = int(np.flatnonzero(free)[3])
        positions[atom, 1] = np.nan
        with pytest.raises(NeighbourError, match=f"position of atom {atom} "):
            shared.forces(fitted, positions)

    def test_an_equilibrium_keeps_its_list_and_takes_the_new_communicator(self, basis, fitted, tmp_path):
        positions, free = cylinder(perturbation=0.0)
        path = tmp_path / "equilibrium.npz"
        nothing = np.zeros_like(positions)
        np.savez(path, sites=positions, predictor=nothing, corrector=nothing, free=free, period=PERIOD)
        first_comm, second_comm = MPI.COMM_SELF.Dup(), MPI.COMM_SELF.Dup()
        first = SharedForces.of(first_comm, basis, str(path))
        first_comm.Free()
        second = SharedForces.of(second_comm, basis, str(path))
        assert second._own is first._own, "the neighbours were searched for again"
        assert np.abs(second.forces(fitted, positions)).max() < 1e-10  # a perfect crystal
        second_comm.Free()


RANKS = """
import numpy as np, sys
from mpi4py import MPI
sys.path.insert(0, {root!r})
from tests.kernels.crystals import PERIOD, SPEC, cylinder
from kernels.ace import SharedForces, basis_of
comm, basis = MPI.COMM_WORLD, basis_of(SPEC)
assert comm.size == {ranks}, comm.size
coefficients = np.random.default_rng(1).normal(size=basis.length) / np.sqrt(basis.length)
positions, free = cylinder()
shared = SharedForces(comm, basis, positions, PERIOD, free)
direction = np.random.default_rng(5).normal(size=(free.sum(), 3))
forces = shared.forces(coefficients, positions)
counted = shared.sites_evaluated
results = dict(
    forces=forces,
    energies=shared.site_energies(coefficients, positions),
    product=shared.hessian_product(coefficients, positions, direction),
    needed=shared.needed,
    counted=comm.allgather(counted),
)
agree = comm.allgather(forces.tobytes())
assert all(each == agree[0] for each in agree)
if comm.rank == 0:
    np.savez({out!r}, **results)
"""


@pytest.fixture(scope="module")
def on_ranks(tmp_path_factory):
    """Results of one evaluation on 1, 2 and 3 ranks."""
    folder = tmp_path_factory.mktemp("ranks")
    environment = os.environ | {"FARFIELD_JAX_CACHE": str(folder / "compiled"), "TMPDIR": str(folder)}
    found = {}
    for ranks in (1, 2, 3):
        out = folder / f"{ranks}.npz"
        program = RANKS.format(root=str(Path(__file__).parents[2]), ranks=ranks, out=str(out))
        command = [
            str(Path(sys.executable).parent / "mpiexec"),
            "-n",
            str(ranks),
            sys.executable,
            "-c",
            program,
        ]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=240, check=False, cwd=Path.cwd()
        )
        assert done.returncode == 0, done.stderr
        with np.load(out) as stored:
            found[ranks] = dict(stored)
    found["compiled"] = sorted(path.name for path in (folder / "compiled").iterdir())
    return found


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_agree(on_ranks, ranks):
    for name in ("forces", "energies", "product"):
        assert np.abs(on_ranks[ranks][name] - on_ranks[1][name]).max() < 1e-10


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_no_rank_has_more_than_its_share_of_sites(on_ranks, ranks):
    counted, needed = on_ranks[ranks]["counted"], len(on_ranks[ranks]["needed"])
    assert counted.sum() == needed
    assert counted.max() <= 1.05 * needed / ranks


def test_compiled_programs_are_kept(on_ranks):
    assert on_ranks["compiled"]
