"""The scalar neighbour Laplacian, and when it stands in for a Hessian."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.units import GPa
from hypothesis import given
from hypothesis import strategies as st
from matscipy.neighbours import neighbour_list
from scipy.sparse import identity, kron
from scipy.sparse.linalg import eigsh

from kernels.cylinders import clamped_cylinder
from kernels.factorisation import FACTOR_MEMORY, HessianFactor, factor_fits, factor_memory, factor_of
from kernels.laplacian import NeighbourLaplacian, bond_stiffness
from kernels.lattices import conventional_crystal, structure_named
from kernels.preconditioners import has_hessian, preconditioner_of
from tests.kernels.iron import Relaxed, relaxed_iron, stored

TUNGSTEN = {
    "element": "W",
    "structure": "bcc",
    "lattice_constant": 3.18,
    "C11": 517.7,
    "C12": 194.5,
    "C44": 144.3,
}


@st.composite
def graphs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Flags of free nodes and bonds: a path with a fixed end, and more bonds at random."""
    count = draw(st.integers(2, 25))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    path = np.stack([np.arange(count - 1), np.arange(1, count)], axis=1)
    more = rng.integers(0, count, (draw(st.integers(0, 40)), 2))
    free = rng.random(count) < 0.8
    free[0], free[-1] = False, True
    bonds = np.concatenate([path, more[more[:, 0] != more[:, 1]]])
    return free, bonds[free[bonds].any(axis=1)]


@given(graph=graphs(), stiffness=st.floats(0.1, 10.0), seed=st.integers(0, 100))
def test_its_energy_is_that_of_springs(
    graph: tuple[np.ndarray, np.ndarray], stiffness: float, seed: int
) -> None:
    free, bonds = graph
    u = np.zeros((len(free), 3))
    u[free] = np.random.default_rng(seed).standard_normal((int(free.sum()), 3))
    springs = 0.5 * stiffness * np.sum((u[bonds[:, 1]] - u[bonds[:, 0]]) ** 2)
    laplacian = NeighbourLaplacian(free, bonds, stiffness)
    assert 0.5 * np.vdot(u[free], laplacian.product(u[free])) == pytest.approx(springs)
    np.testing.assert_allclose(laplacian.solve(laplacian.product(u[free])), u[free], atol=1e-9)


def test_any_shape_of_the_unknowns_will_do() -> None:
    free, bonds = np.array([False, True, True]), np.array([[0, 1], [1, 2]])
    laplacian = NeighbourLaplacian(free, bonds, 2.0)
    forces = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(laplacian.solve(forces.ravel()), laplacian.solve(forces).ravel())
    np.testing.assert_array_equal(laplacian.product(forces.ravel()), laplacian.product(forces).ravel())


def test_what_nothing_holds_is_refused() -> None:
    free = np.array([False, True, True, True])
    with pytest.raises(ValueError, match="2 free sites are bonded to no fixed one"):
        NeighbourLaplacian(free, np.array([[0, 1], [2, 3]]), 1.0)
    with pytest.raises(ValueError, match="must be positive"):
        NeighbourLaplacian(free, np.array([[0, 1], [1, 2], [2, 3]]), 0.0)


@pytest.mark.parametrize("structure", ["bcc", "fcc", "diamond"])
def test_a_long_wave_is_as_stiff_as_the_mean_of_three_elastic_ones(structure: str) -> None:
    lattice_constant, c11, c44 = 3.9, 310.0, 90.0
    material = {"structure": structure, "lattice_constant": lattice_constant, "C11": c11, "C44": c44}
    positions, cell = conventional_crystal(structure, lattice_constant)
    vectors = neighbour_list(
        "D",
        positions=positions,
        cell=cell,
        pbc=np.ones(3, dtype=bool),
        cutoff=structure_named(structure).bond_reach * lattice_constant,
    )
    waves = 1e-3 * np.random.default_rng(0).standard_normal((5, 3))
    # each bond is seen from both ends: energy ¼ k Σ |1 − e^{iq·r}|² = ½ k Σ (1 − cos q·r)
    energies = 0.5 * bond_stiffness(material) * np.sum(1.0 - np.cos(waves @ vectors.T), axis=1)
    volume = lattice_constant**3
    elastic = 0.5 * (c11 + 2.0 * c44) / 3.0 * GPa * volume * np.sum(waves**2, axis=1)
    np.testing.assert_allclose(energies, elastic, rtol=1e-5)


@pytest.fixture(scope="module")
def iron(tmp_path_factory: pytest.TempPathFactory) -> Relaxed:
    return relaxed_iron(tmp_path_factory.mktemp("laplacian"), 10.0)


def test_it_stands_for_the_hessian_within_bounds(iron: Relaxed) -> None:
    """Chord steps with it go downhill where no stiffness is twice its own; and no mode is hundreds of times softer."""
    hessian = factor_of(iron.equilibrium).matrix
    laplacian = kron(NeighbourLaplacian.of(iron.arrays, iron.material).matrix, identity(3)).tocsc()
    stiffest = eigsh(hessian, k=1, M=laplacian, which="LA", return_eigenvectors=False)[0]
    softest = 1.0 / eigsh(laplacian, k=1, M=hessian, which="LA", return_eigenvectors=False)[0]
    assert 1.0 < stiffest < 2.5
    assert softest > 0.02


def test_an_equilibrium_without_a_hessian_gets_the_laplacian(iron: Relaxed, tmp_path: Path) -> None:
    bare = {name: array for name, array in iron.arrays.items() if not name.startswith("hessian")}
    path = stored(tmp_path, "bare", bare)
    assert has_hessian(iron.equilibrium)
    assert not has_hessian(path)
    assert isinstance(preconditioner_of(iron.equilibrium, iron.material), HessianFactor)
    laplacian = preconditioner_of(path, iron.material)
    assert isinstance(laplacian, NeighbourLaplacian)
    assert preconditioner_of(path, iron.material) is laplacian


def test_the_memory_of_a_factor_is_foretold(iron: Relaxed) -> None:
    factor = factor_of(iron.equilibrium)
    entries = factor._factor.nnz
    foretold = factor_memory(factor.matrix.shape[0], factor.matrix.nnz)
    assert foretold == pytest.approx(10.0 * entries, rel=0.5)


def test_factors_give_way_at_about_a_hundred_thousand_atoms() -> None:
    """EAM tungsten within 4.4 Å: 107 entries in each row of the Hessian."""
    fits = {atoms: factor_fits(3 * atoms, 107 * 3 * atoms) for atoms in (1_000, 10_000, 40_000, 100_000)}
    assert fits == {1_000: True, 10_000: True, 40_000: True, 100_000: False}
    assert factor_memory(3 * 100_000, 107 * 3 * 100_000) > FACTOR_MEMORY


def test_its_factor_is_small_change_beside_a_hessians() -> None:
    cylinder = clamped_cylinder("screw", TUNGSTEN, 60.0, 10.0)
    laplacian = NeighbourLaplacian.of(cylinder.arrays(), TUNGSTEN)
    unknowns = 3 * int(cylinder.free.sum())
    assert 10.0 * laplacian._factor.nnz < 0.05 * factor_memory(unknowns, 107 * unknowns)
