"""Sets read one configuration at a time, against reading them whole."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.labelled_sets import common_arrays, labelled_cells, labelled_cores
from tests.kernels.crystals import bulk_set, core_set


def ragged(counts, seed=0):
    generator, total = np.random.default_rng(seed), sum(counts)
    return {
        "atoms": np.array(counts),
        "positions": generator.normal(size=(total, 3)),
        "forces": generator.normal(size=(total, 3)),
        "cells": generator.normal(size=(len(counts), 3, 3)),
        "energies": generator.normal(size=len(counts)),
        "virials": generator.normal(size=(len(counts), 6)),
    }


@settings(max_examples=30)
@given(counts=st.lists(st.integers(1, 7), min_size=1, max_size=8), shares=st.integers(1, 10))
def test_shares_of_ragged_cells_are_every_cell_once(tmp_path_factory, counts, shares):
    path = tmp_path_factory.getbasetemp() / "ragged.npz"
    whole = ragged(counts)
    np.savez(path, **whole)
    read = [cell for share in range(shares) for cell in labelled_cells(str(path), share, shares)]
    edges = np.cumsum([0, *counts])
    assert len(read) == len(counts)
    for number, cell in enumerate(read):
        own = slice(edges[number], edges[number + 1])
        assert np.array_equal(cell.positions, whole["positions"][own])
        assert np.array_equal(cell.forces, whole["forces"][own])
        assert np.array_equal(cell.cell, whole["cells"][number])
        assert np.array_equal(cell.virial, whole["virials"][number])
        assert cell.energy == whole["energies"][number]


@pytest.mark.parametrize("shares", [1, 2, 3, 5])
def test_shares_of_cores_are_every_core_once(tmp_path, shares):
    whole = core_set(4)
    np.savez(tmp_path / "core.npz", **whole)
    path = str(tmp_path / "core.npz")
    read = [core for share in range(shares) for core in labelled_cores(path, share, shares)]
    assert np.array_equal([core.positions for core in read], whole["positions"])
    assert np.array_equal([core.forces for core in read], whole["forces"])
    assert [core.energy for core in read] == whole["energies"].tolist()
    common = common_arrays(path, "anchor", "period", "observed")
    assert np.array_equal(common["anchor"], whole["anchor"])
    assert float(common["period"]) == float(whole["period"])


def test_memory_does_not_grow_with_the_number_of_configurations(tmp_path):
    peaks = []
    for count in (50, 2000):
        np.savez(tmp_path / f"{count}.npz", **bulk_set(count))
        tracemalloc.start()
        assert sum(1 for _ in labelled_cells(str(tmp_path / f"{count}.npz"))) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # the larger set takes 1.8 MB
    assert peaks[1] < peaks[0] + 200_000


def test_another_kind_of_set_is_named(tmp_path):
    np.savez(tmp_path / "core.npz", **core_set(1))
    with pytest.raises(ValueError, match="holds no cells"):
        next(labelled_cells(str(tmp_path / "core.npz")))


def test_a_set_that_ends_early_is_named(tmp_path):
    whole = bulk_set(3)
    np.savez(tmp_path / "short.npz", **whole | {"forces": whole["forces"][:2]})
    with pytest.raises(ValueError, match=r"forces of .* ends before its last row"):
        list(labelled_cells(str(tmp_path / "short.npz")))


def test_a_set_stored_by_columns_is_the_same_set(tmp_path):
    whole = bulk_set(3)
    np.savez(tmp_path / "set.npz", **{name: np.asfortranarray(array) for name, array in whole.items()})
    read = list(labelled_cells(str(tmp_path / "set.npz")))
    assert np.array_equal([cell.positions for cell in read], whole["positions"])
    assert np.array_equal([cell.cell for cell in read], whole["cells"])
    assert np.array_equal([cell.virial for cell in read], whole["virials"])
