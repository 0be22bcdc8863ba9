from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matscipy.neighbours import neighbour_list
from mpi4py import MPI

from kernels.evaluations import PotentialError
from kernels.finnis_sinclair import FinnisSinclair, TabulatedReference
from kernels.lattices import conventional_crystal
from kernels.references import open_reference
from tests.kernels.ranks import on_ranks
from tests.kernels.test_reference_contract import TUNGSTEN, TUNGSTEN_FS

POTENTIAL = FinnisSinclair(**TUNGSTEN)


def exact(positions: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Site energies and forces by the formula of the publication, differentiated by hand."""
    i, j, apart, r = neighbour_list("ijDd", positions=positions, cell=cell, pbc=[True] * 3, cutoff=4.5)
    w = TUNGSTEN
    density = np.bincount(i, np.where(r < w["d"], (r - w["d"]) ** 2, 0.0), minlength=len(positions))
    polynomial, slope = w["c0"] + w["c1"] * r + w["c2"] * r**2, w["c1"] + 2 * w["c2"] * r
    pair = np.where(r < w["c"], (r - w["c"]) ** 2 * polynomial, 0.0)
    pair_slope = np.where(r < w["c"], 2 * (r - w["c"]) * polynomial + (r - w["c"]) ** 2 * slope, 0.0)
    density_slope = np.where(r < w["d"], 2 * (r - w["d"]), 0.0)
    embedding_slope = -0.5 * w["A"] / np.sqrt(density)
    pull = (pair_slope + (embedding_slope[i] + embedding_slope[j]) * density_slope) / r
    forces = np.stack(
        [np.bincount(i, pull * apart[:, axis], minlength=len(positions)) for axis in range(3)], axis=1
    )
    return 0.5 * np.bincount(i, pair, minlength=len(positions)) - w["A"] * np.sqrt(density), forces


@settings(max_examples=8)
@given(st.integers(0, 10**6), st.floats(2.9, 3.4))
def test_the_table_gives_the_formulas_energies_and_forces(seed: int, lattice_constant: float) -> None:
    positions, cell = conventional_crystal("bcc", lattice_constant, (2, 2, 2))
    positions = positions + np.random.default_rng(seed).normal(0.0, 0.15, positions.shape)
    energies, forces = exact(positions, cell)
    apart = neighbour_list("d", positions=positions, cell=cell, pbc=[True] * 3, cutoff=4.5)
    # second derivatives jump at c and d: a table rounds those corners off, over a few steps
    corners = np.array([TUNGSTEN["c"], TUNGSTEN["d"]])
    in_the_corner = np.abs(apart[:, None] - corners).min() < 4 * 4.400224 / 10_000
    with TabulatedReference(MPI.COMM_SELF, "W", POTENTIAL, 10_000) as reference:
        found = reference.crystal(positions, cell).evaluate(positions)
    np.testing.assert_allclose(found.site_energies, energies, rtol=0, atol=5e-8 if in_the_corner else 1e-11)
    np.testing.assert_allclose(found.forces, forces, rtol=0, atol=1e-3 if in_the_corner else 5e-9)


def test_the_cutoff_is_the_longer_range() -> None:
    with open_reference(MPI.COMM_SELF, TUNGSTEN_FS) as reference:
        assert reference.cutoff == 4.400224


@pytest.mark.parametrize(
    ("change", "said"),
    [({"A": -1.0}, "must be positive"), ({"c1": np.nan}, "must be finite"), ({"d": "4"}, "must be finite")],
)
def test_constants_that_make_no_potential_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(PotentialError, match=said):
        FinnisSinclair(**TUNGSTEN | change)


def test_a_table_that_is_too_coarse_is_refused() -> None:
    with pytest.raises(PotentialError, match="table of 10 points; give at least 100"):
        open_reference(MPI.COMM_SELF, TUNGSTEN_FS | {"points": 10})


def test_the_table_is_gone_once_the_reference_is_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with open_reference(MPI.COMM_SELF, TUNGSTEN_FS) as reference:
        (folder,) = tmp_path.iterdir()
        assert [path.name for path in folder.iterdir()] == ["table.eam.fs"]
        reference.close()
    assert list(tmp_path.iterdir()) == []


def test_two_ranks_say_the_same_as_one(tmp_path: Path) -> None:
    positions, cell = conventional_crystal("bcc", 3.165, (3, 3, 1))
    positions = positions + np.random.default_rng(0).normal(0.0, 0.05, positions.shape)
    np.savez(tmp_path / "rod.npz", positions=positions, period=cell[2, 2], free=np.arange(18) < 9)
    arguments = {"potential": TUNGSTEN_FS, "path": str(tmp_path / "rod.npz")}
    one, two = (
        on_ranks(count, "tests.kernels.ranks:cylinder_evaluation", tmp_path, **arguments) for count in (1, 2)
    )
    np.testing.assert_allclose(two["forces"], one["forces"], rtol=0, atol=1e-11)
    np.testing.assert_allclose(two["site_energies"], one["site_energies"], rtol=0, atol=1e-11)
