"""Shared forces against the exact model of the whole cylinder, and against themselves on other numbers of ranks."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI

from kernels.ace import AcePotential, SharedForces, basis_of
from kernels.environments import NeighbourError, cylinder_environments
from kernels.shared_forces import SKIN
from tests.kernels.crystals import PERIOD, SPEC, cylinder


@pytest.fixture(scope="module")
def basis():
    return basis_of(SPEC)


@pytest.fixture(scope="module")
def fitted(basis):
    return np.random.default_rng(1).normal(size=basis.length) / np.sqrt(basis.length)


class TestSharedForces:
    # by the kernel, and without it
    @pytest.fixture(params=[False, True], ids=["kernel", "exact"])
    def exact(self, request):
        return request.param

    @pytest.fixture
    def shared(self, basis, exact):
        positions, free = cylinder()
        return SharedForces(MPI.COMM_SELF, basis, positions, PERIOD, free, exact=exact)

    def test_forces_are_those_of_the_whole_cylinder(self, basis, fitted, shared, exact):
        positions, free = cylinder()
        whole = AcePotential(basis, fitted).forces(
            cylinder_environments(positions, PERIOD, basis.cutoff), positions
        )
        found = shared.forces(fitted, positions)
        assert np.allclose(found, whole[free], rtol=0, atol=(1e-12 if exact else 1e-8) * np.abs(whole).max())
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
    def test_moved_atoms_get_a_new_list_in_time(self, basis, fitted, shared, exact, distance):
        positions, free = cylinder()
        steps = np.random.default_rng(4).normal(size=positions.shape)
        steps *= distance * free[:, None] / np.linalg.norm(steps, axis=1, keepdims=True)
        there = positions + steps
        fresh = SharedForces(MPI.COMM_SELF, basis, there, PERIOD, free, exact=exact).forces(fitted, there)
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
from kernels import compiled
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
results["served"] = comm.allgather(shared.intervals_of(coefficients))
if comm.rank == comm.size - 1:
    compiled._not_registered = lambda path: "it is broken here"
results["one broken"] = comm.allgather(
    SharedForces(comm, basis, positions, PERIOD, free).intervals_of(coefficients)
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


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_the_kernel_serves_all_ranks_or_none(on_ranks, ranks):
    assert set(on_ranks[ranks]["served"]) == {24_000}
    assert set(on_ranks[ranks]["one broken"]) == {0}
