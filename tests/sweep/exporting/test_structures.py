"""Cores as extended XYZ, read back by ASE."""

import ase.io
import numpy as np
import pytest
import zarr

from sweep.exporting.errors import ExportError
from sweep.exporting.structures import export_structures
from sweep.store import create_store
from sweep.store.template import consolidate, write_array
from tests.sweep.exporting.stores import PERIOD, SITES, configuration, filled_store
from tests.sweep.small_store import ATTRIBUTES, EDGES, GRID


@pytest.fixture
def store(tmp_path):
    return filled_store(tmp_path / "small.zarr")


def positions():
    arrays = configuration()
    return sum(arrays[name] for name in ("sites", "displacement_predictor", "displacement_corrector"))


def test_every_core_is_a_frame(store, tmp_path):
    assert export_structures(store, tmp_path / "cores.xyz") == 2
    frames = ase.io.read(tmp_path / "cores.xyz", index=":")
    assert [frame.info["dislocation"] for frame in frames] == ["edge", "screw"]
    for frame in frames:
        assert frame.get_chemical_symbols() == ["W"] * SITES
        assert frame.info["kind"] == "reference"
        assert frame.info["simulation_radius"] == 25.0
        np.testing.assert_allclose(frame.positions, positions(), atol=1e-8)
        np.testing.assert_allclose(frame.arrays["site"], configuration()["sites"], atol=1e-8)
        assert frame.arrays["free"].tolist() == configuration()["free"].tolist()
        assert not frame.pbc.any()


def test_a_period_makes_them_periodic_along_the_line_alone(store, tmp_path):
    zarr.open_group(store / "configurations/screw/25.0", mode="r+").attrs["period"] = PERIOD
    consolidate(store)
    export_structures(store, tmp_path / "cores.xyz")
    frame = ase.io.read(tmp_path / "cores.xyz", index=1)
    assert frame.pbc.tolist() == [False, False, True]
    assert frame.cell.lengths()[2] == pytest.approx(PERIOD)
    # no image of an atom is nearer than the vacuum across the line
    assert (frame.cell.lengths()[:2] >= np.ptp(positions(), axis=0)[:2] + 10.0).all()


def test_potentials_cores_stand_beside_the_references(store, tmp_path):
    reference = zarr.open_group(store / "configurations/screw/25.0", mode="r+", use_consolidated=False)
    group = reference.create_group("degree=8", attributes={"degree": 8})
    write_array(group, "displacement_corrector", ("site", "xyz"), np.ones((SITES, 3)), {})
    consolidate(store / "configurations/screw/25.0")
    consolidate(store)
    assert export_structures(store, tmp_path / "cores.xyz") == 3
    frames = ase.io.read(tmp_path / "cores.xyz", index=":")
    assert [frame.info["kind"] for frame in frames] == ["reference", "reference", "potential"]
    moved = frames[2].positions - frames[1].positions
    np.testing.assert_allclose(moved, 1.0 - configuration()["displacement_corrector"], atol=1e-7)
    assert frames[2].info["degree"] == 8


def test_a_store_without_cores_is_refused(tmp_path):
    store = tmp_path / "empty.zarr"
    fingerprint = {"potential": {"element": "W"}}
    create_store(store, GRID, EDGES, ATTRIBUTES | {"fingerprint": fingerprint})
    with pytest.raises(ExportError, match="keeps no configuration yet"):
        export_structures(store, tmp_path / "cores.xyz")


def test_a_store_that_does_not_name_its_element_is_refused(tmp_path):
    store = tmp_path / "nameless.zarr"
    create_store(store, GRID, EDGES, ATTRIBUTES)
    with pytest.raises(ExportError, match="does not name the element"):
        export_structures(store, tmp_path / "cores.xyz")
    assert [path.name for path in tmp_path.iterdir()] == ["nameless.zarr"]
