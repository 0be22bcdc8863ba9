"""The C++ kernel where it can be had, and forces where it cannot."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from ace_jax.eval import ffi
from mpi4py import MPI

from kernels import compiled
from kernels.ace import SharedForces, basis_of
from kernels.compiled import SlowForcesWarning, kernel_on_every_rank
from tests.kernels.crystals import PERIOD, SPEC, cylinder


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A process that has not asked yet, an empty folder, and no compiler but those of the test."""
    forget = (compiled._attempt, compiled._warn)
    for each in forget:
        each.cache_clear()
    monkeypatch.setenv("ACEJAX_FFI_CACHE", str(tmp_path / "kept"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    yield tmp_path
    for each in forget:
        each.cache_clear()


def compiler(folder: Path, script: str) -> str:
    path = folder / "compiler"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


# the shell knows none of the commands outside it: PATH is the test's folder. The library's path is the last argument
WRITES_NONSENSE = """case "$1" in --version) exit 0;; esac
for last; do :; done
echo nonsense > "$last"
"""


@pytest.fixture(scope="module")
def crystal():
    """A basis, a fit, a cylinder and the forces in it by the kernel."""
    basis = basis_of(SPEC)
    fitted = np.random.default_rng(1).normal(size=basis.length) / np.sqrt(basis.length)
    positions, free = cylinder()
    assert kernel_on_every_rank(MPI.COMM_SELF), "these tests want a C++ compiler"
    return basis, fitted, positions, free, forces_of(basis, fitted, positions, free)


def forces_of(basis, fitted, positions, free, **options):
    return SharedForces(MPI.COMM_SELF, basis, positions, PERIOD, free, **options).forces(fitted, positions)


def test_forces_without_a_compiler_are_those_of_the_kernel(crystal, fresh):
    *asked, by_kernel = crystal
    with pytest.warns(SlowForcesWarning, match=r"plain XLA.*C\+\+17 compiler"):
        without = forces_of(*asked)
    assert np.array_equal(without, forces_of(*asked, exact=True))
    assert not np.array_equal(without, by_kernel)
    assert np.abs(without - by_kernel).max() < 1e-8 * np.abs(by_kernel).max()


def test_the_lack_of_a_compiler_is_said_once(fresh):
    with pytest.warns(SlowForcesWarning):
        assert not kernel_on_every_rank(MPI.COMM_SELF)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not kernel_on_every_rank(MPI.COMM_SELF)


def test_a_compiler_that_fails_is_named(fresh, monkeypatch):
    monkeypatch.setenv("CXX", compiler(fresh, "exit 3"))
    with pytest.warns(SlowForcesWarning, match=r"compiler -O3 -march=native failed \(exit 3\)"):
        assert not kernel_on_every_rank(MPI.COMM_SELF)


def test_a_library_that_cannot_be_loaded_is_done_without(fresh, monkeypatch):
    monkeypatch.setenv("CXX", compiler(fresh, WRITES_NONSENSE))
    monkeypatch.setattr(ffi, "REGISTERED", set())
    with pytest.warns(SlowForcesWarning, match="cannot be loaded"):
        assert not kernel_on_every_rank(MPI.COMM_SELF)


def test_where_the_folder_cannot_be_written_the_process_compiles_for_itself(fresh, monkeypatch):
    monkeypatch.setenv("CXX", compiler(fresh, WRITES_NONSENSE))
    (fresh / "file").touch()
    monkeypatch.setenv("ACEJAX_FFI_CACHE", str(fresh / "file" / "below"))
    library = compiled._library()
    assert library.read_text() == "nonsense\n"
    assert fresh not in library.parents
    library.unlink()


def test_processors_of_other_abilities_have_folders_of_their_own(fresh, monkeypatch):
    monkeypatch.setenv("CXX", compiler(fresh, WRITES_NONSENSE))
    here = compiled._library()
    assert compiled._library() == here, "compiled again"
    monkeypatch.setattr(compiled, "abilities", lambda: "other")
    there = compiled._library()
    assert here.parent != there.parent
    assert {here.parent.parent, there.parent.parent} == {Path(os.environ["ACEJAX_FFI_CACHE"])}
