"""Triangular factors against the rows they stand for: prefixes, order, ranks."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpi4py import MPI

from kernels import assembly
from kernels.ace import AcePotential, basis_of
from kernels.assembly import KINDS, AssemblyError, factors, merged_factors, triangle
from kernels.environments import cell_environments, cylinder_environments
from tests.kernels.crystals import SPEC, bulk_set, core_set, part_of

COUNT = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Artefacts of six configurations of each kind, of parts of them, and of a permutation."""
    folder = tmp_path_factory.mktemp("sets")
    choices = {
        "all": range(COUNT),
        "first": range(2),
        "rest": range(2, COUNT),
        "shuffled": [4, 1, 5, 0, 3, 2],
    }
    for name, chosen in choices.items():
        np.savez(folder / f"core-{name}.npz", **part_of(core_set(COUNT), list(chosen)))
        np.savez(folder / f"bulk-{name}.npz", **part_of(bulk_set(COUNT), list(chosen)))
    return folder


def made(folder, name, previous=None):
    core, bulk = str(folder / f"core-{name}.npz"), str(folder / f"bulk-{name}.npz")
    return factors(MPI.COMM_SELF, basis=SPEC, core=core, bulk=bulk, previous=previous)


@pytest.fixture(scope="module")
def whole(folder):
    return made(folder, "all")


def same(one, other):
    """Equal up to rounding: R itself is not determined to more digits than the condition of its columns leaves."""
    for kind in KINDS:
        assert int(one[f"{kind}_rows"]) == int(other[f"{kind}_rows"])
        norms = np.linalg.norm(other[kind], axis=0)
        mine, theirs = (each[kind] / np.where(norms > 0, norms, 1.0) for each in (one, other))
        assert np.allclose(mine.T @ mine, theirs.T @ theirs, rtol=0, atol=1e-12), kind


def residuals(whole, coefficients, e0):
    return {kind: np.linalg.norm(whole[kind] @ np.array([e0, *coefficients, -1.0])) for kind in KINDS}


def test_factors_are_triangles_with_the_number_of_their_rows(whole):
    length, core = basis_of(SPEC).length, core_set(COUNT)
    seen = int(core["observed"].sum())
    rows = dict(zip(KINDS, (COUNT, COUNT, 3 * 16 * COUNT, 3 * seen * COUNT, 6 * COUNT), strict=True))
    for kind in KINDS:
        assert whole[f"{kind}_rows"] == rows[kind]
        assert whole[kind].shape[1] == length + 2
        assert len(whole[kind]) <= min(rows[kind], length + 2)
        assert (np.any(whole[kind][:, 0])) == (kind == "energy_bulk")
    assert whole["basis_size"] == length
    assert whole["labelled_atoms"] == COUNT * (seen + 16)


def test_residuals_are_the_models_against_the_labels(whole):
    """Every kind of row, from the model's own energies, forces and strain derivatives."""
    basis, e0 = basis_of(SPEC), 0.37
    fitted = np.random.default_rng(4).normal(size=basis.length) / basis.length
    potential = AcePotential(basis, fitted, e0)
    core, bulk = core_set(COUNT), bulk_set(COUNT)
    wanted = {kind: [] for kind in KINDS}
    for positions, cell, energy, forces, virial in zip(
        bulk["positions"], bulk["cells"], bulk["energies"], bulk["forces"], bulk["virials"], strict=True
    ):
        around = cell_environments(positions, cell, basis.cutoff)
        energies, gradients = potential.energies_and_gradients(around, positions)
        wanted["energy_bulk"].append((energies.sum() - energy) / 16)
        wanted["forces_bulk"].append(potential.forces(around, positions) - forces)
        tensor = -np.einsum(
            "ska,skb->ab", gradients, np.where(around.mask[..., None], around.vectors(positions), 0.0)
        )
        wanted["virial_bulk"].append((tensor[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]] - virial) / 16)
    seen, counted = core["observed"], core["energy_sites"]
    for positions, energy, forces in zip(core["positions"], core["energies"], core["forces"], strict=True):
        here, anchored = (
            potential.site_energies(
                cylinder_environments(where, float(core["period"]), basis.cutoff, np.flatnonzero(counted)),
                where,
            )
            for where in (positions, core["anchor"])
        )
        wanted["energy_core"].append(((here - anchored).sum() - energy) / seen.sum())
        around = cylinder_environments(positions, float(core["period"]), basis.cutoff)
        wanted["forces_core"].append(potential.forces(around, positions)[seen] - forces)
    found = residuals(whole, fitted, e0)
    for kind in KINDS:
        assert found[kind] == pytest.approx(np.linalg.norm(np.ravel(wanted[kind])), rel=1e-10), kind


def test_a_prefix_extended_is_the_whole(folder, whole, tmp_path):
    prefix = made(folder, "first")
    np.savez(tmp_path / "prefix.npz", **prefix)
    same(made(folder, "rest", previous=str(tmp_path / "prefix.npz")), whole)


def test_the_order_of_configurations_does_not_matter(folder, whole):
    same(made(folder, "shuffled"), whole)


def test_the_size_of_batches_does_not_matter(folder, whole, monkeypatch):
    monkeypatch.setattr(assembly, "SITES_PER_BATCH", 1)
    same(made(folder, "all"), whole)


def test_two_and_three_ranks_make_the_same_factors(folder, whole):
    program = """
import sys; sys.path.insert(0, {root!r})
import numpy as np
from mpi4py import MPI
from kernels.assembly import factors
from tests.kernels.crystals import SPEC
assert MPI.COMM_WORLD.size == {ranks}
made = factors(MPI.COMM_WORLD, basis=SPEC, core={core!r}, bulk={bulk!r})
assert bool(made) == (MPI.COMM_WORLD.rank == 0)
if made:
    np.savez({out!r}, **made)
"""
    environment = os.environ | {"FARFIELD_JAX_CACHE": str(folder / "compiled"), "TMPDIR": str(folder)}
    for ranks in (2, 3):
        out = folder / f"{ranks}.npz"
        text = program.format(
            root=str(Path(__file__).parents[2]),
            ranks=ranks,
            core=str(folder / "core-all.npz"),
            bulk=str(folder / "bulk-all.npz"),
            out=str(out),
        )
        command = [str(Path(sys.executable).parent / "mpiexec"), "-n", str(ranks), sys.executable, "-c", text]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, done.stderr
        with np.load(out) as stored:
            same(dict(stored), whole)


def test_factors_of_another_basis_are_refused(folder, tmp_path):
    np.savez(tmp_path / "other.npz", energy_bulk=np.eye(7), energy_bulk_rows=7, basis_size=5)
    with pytest.raises(AssemblyError, match="have 5 functions"):
        made(folder, "first", previous=str(tmp_path / "other.npz"))


def test_a_label_that_is_not_finite_is_refused(folder, tmp_path):
    broken = bulk_set(2)
    broken["virials"][1, 3] = np.nan
    np.savez(tmp_path / "bulk.npz", **broken)
    with pytest.raises(AssemblyError, match="virial_bulk"):
        factors(
            MPI.COMM_SELF, basis=SPEC, core=str(folder / "core-first.npz"), bulk=str(tmp_path / "bulk.npz")
        )


def test_observations_that_are_not_wanted_are_left_out(folder, whole, tmp_path):
    core, bulk = str(folder / "core-all.npz"), str(folder / "bulk-all.npz")
    some = factors(MPI.COMM_SELF, basis=SPEC, core=core, bulk=bulk, observations=["forces"])
    assert {kind for kind in KINDS if kind in some} == {"forces_bulk", "forces_core"}
    assert some["labelled_atoms"] == whole["labelled_atoms"]
    for kind in ("forces_bulk", "forces_core"):
        assert np.allclose(some[kind], whole[kind])
    np.savez(tmp_path / "some.npz", **some)
    with pytest.raises(AssemblyError, match="hold forces, now energy, forces, virial"):
        made(folder, "rest", previous=str(tmp_path / "some.npz"))


@pytest.mark.parametrize("observations", [[], ["energy", "stress"]])
def test_observations_that_do_not_exist_are_named(folder, observations):
    with pytest.raises(AssemblyError, match="choose from energy, forces, virial"):
        factors(MPI.COMM_SELF, basis=SPEC, bulk=str(folder / "bulk-first.npz"), observations=observations)


def test_nothing_to_observe_is_an_error():
    with pytest.raises(AssemblyError, match="no configuration"):
        factors(MPI.COMM_SELF, basis=SPEC)


def test_one_kind_of_configuration_is_enough(folder, whole):
    only = factors(MPI.COMM_SELF, basis=SPEC, bulk=str(folder / "bulk-all.npz"))
    assert {kind for kind in KINDS if kind in only} == {"energy_bulk", "forces_bulk", "virial_bulk"}
    for kind in ("energy_bulk", "forces_bulk", "virial_bulk"):
        assert np.allclose(only[kind], whole[kind])


def test_cells_of_different_sizes_lie_end_to_end(folder, tmp_path):
    """Each configuration alone and all of them together have the same factors."""
    cells, parts = bulk_set(3), []
    kept = [16, 9, 12]
    for number, count in enumerate(kept):
        one = part_of(cells, [number])
        np.savez(
            tmp_path / f"{number}.npz",
            **one | {name: one[name][:, :count] for name in ("positions", "forces")},
        )
        parts.append(factors(MPI.COMM_SELF, basis=SPEC, bulk=str(tmp_path / f"{number}.npz")))
    ragged = {
        name: np.concatenate([cells[name][number][:count] for number, count in enumerate(kept)])
        for name in ("positions", "forces")
    }
    np.savez(tmp_path / "ragged.npz", **cells | ragged | {"atoms": np.array(kept)})
    together = factors(MPI.COMM_SELF, basis=SPEC, files=str(tmp_path / "ragged.npz"))
    assert together["labelled_atoms"] == sum(kept)
    one_by_one = merged_factors(merged_factors(parts[0], parts[1]), parts[2])
    for kind in ("energy_bulk", "forces_bulk", "virial_bulk"):
        norms = np.linalg.norm(one_by_one[kind], axis=0)
        assert np.allclose(
            together[kind].T @ together[kind],
            one_by_one[kind].T @ one_by_one[kind],
            rtol=0,
            atol=1e-12 * np.outer(norms, norms).max(),
        )


def test_no_more_rows_than_a_batchs_exist_at_once(tmp_path, monkeypatch):
    """Rows stream: twenty times the configurations, not one row more at a time."""
    largest = {}
    for count in (10, 200):
        seen = []
        monkeypatch.setattr(
            assembly, "triangle", lambda rows, seen=seen: seen.append(len(rows)) or triangle(rows)
        )
        np.savez(tmp_path / f"{count}.npz", **bulk_set(count))
        monkeypatch.setattr(assembly, "SITES_PER_BATCH", 64)
        factors(MPI.COMM_SELF, basis=SPEC, bulk=str(tmp_path / f"{count}.npz"))
        largest[count] = max(seen)
    assert largest[200] == largest[10] <= 3 * (64 + 16) + basis_of(SPEC).length + 2


@settings(max_examples=50)
@given(
    seed=st.integers(0, 2**31), rows=st.integers(1, 30), columns=st.integers(1, 12), constant=st.booleans()
)
def test_a_triangle_has_the_norms_of_its_rows(seed, rows, columns, constant):
    generator = np.random.default_rng(seed)
    matrix = np.column_stack([np.full(rows, float(constant)), generator.normal(size=(rows, columns))])
    upper = triangle(matrix)
    assert len(upper) <= min(rows, columns + 1)
    assert np.allclose(upper.T @ upper, matrix.T @ matrix)
    below = upper if constant else upper[:, 1:]
    assert np.allclose(np.tril(below, -1), 0.0)
    assert (np.diagonal(below) >= 0.0).all()


@settings(max_examples=30)
@given(seed=st.integers(0, 2**31), cut=st.integers(1, 29))
def test_merging_parts_gives_the_factor_of_the_whole(seed, cut):
    rows = np.random.default_rng(seed).normal(size=(30, 8))
    parts = (
        {"energy_bulk": triangle(part), "energy_bulk_rows": len(part)} for part in (rows[:cut], rows[cut:])
    )
    merged = merged_factors(*parts)
    assert merged["energy_bulk_rows"] == 30
    assert np.allclose(merged["energy_bulk"], triangle(rows))
