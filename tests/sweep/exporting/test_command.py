"""`sweep export`: the suffix decides, one line says what was written, one message what was wrong."""

from pathlib import Path

import pytest
import zarr

from sweep.exporting.command import export
from sweep.store.template import consolidate
from tests.sweep.exporting.stores import filled_store
from tests.sweep.small_store import GRID

AT = ["dislocation=screw,degree=6,domain_radius=6,replica=0", "weight_forces=1,weight_virial=0"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return filled_store(tmp_path_factory.mktemp("exports") / "small.zarr")


def run(capsys, *arguments):
    status = export(*arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.csv", f"{GRID.n_points} points"),
        ("a.CSV", f"{GRID.n_points} points"),
        ("a.nc", f"{GRID.n_points} points"),
        ("a.parquet", f"{GRID.n_points} points"),
        ("a.xyz", "2 dislocation cores"),
    ],
)
def test_the_suffix_says_the_format(store, tmp_path, capsys, name, said):
    status, output, errors = run(capsys, store, tmp_path / name)
    assert (status, errors) == (0, "")
    assert output == f"{tmp_path / name}: {said}\n"
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "at", "said"),
    [
        ("a.json", (), "give one of .npz, .yace, .csv, .nc, .parquet, .xyz"),
        ("a", (), "the suffix says the format"),
        ("a.csv", ["degree=6"], "--at and --artefacts are for potentials (.npz, .yace); a.csv is none"),
        ("a.npz", (), "several points are meant: dislocation has 'screw', 'edge'"),
        ("a.npz", ["colour=red"], "no such axis"),
        ("a.npz", ["degree=7"], "degree has 6, 8"),
        ("a.yace", ["degree"], "give NAME=LABEL"),
        ("a.yace", [*AT[:1], "weight_forces=1,weight_virial=0,degree=8"], "degree twice"),
        ("a.npz", [AT[0].replace("screw", "edge").replace("6", "8"), AT[1]], "domain_radius has 6.0, 8.5"),
        # the fourth block failed, the last is pending
        ("a.npz", ["dislocation=screw,degree=6,domain_radius=8.5,replica=1", AT[1]], "is failed: "),
        ("a.npz", ["dislocation=edge,degree=8,domain_radius=8.5,replica=1", AT[1]], "is pending: it has not"),
        # a study that is none
        ("a.npz", AT, "does not say in a form that this version knows what it was made from"),
    ],
)
def test_bad_input_is_one_message_and_no_file(store, tmp_path, capsys, name, at, said):
    status, output, errors = run(capsys, store, tmp_path / name, at)
    assert (status, output) == (2, "")
    assert said in errors
    assert errors.startswith("sweep: ")
    assert errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_excluded_point_is_refused(tmp_path, capsys):
    store = filled_store(tmp_path / "small.zarr")
    root = zarr.open_group(store, mode="r+")
    root["status"][...] = 6
    consolidate(store)
    status, _, errors = run(capsys, store, tmp_path / "a.npz", AT)
    assert status == 2
    assert "is excluded: every weight is zero" in errors


@pytest.mark.parametrize("suffix", [".csv", ".xyz", ".npz"])
def test_what_is_no_store_is_refused(tmp_path, capsys, suffix):
    (tmp_path / "folder").mkdir()
    for store in (tmp_path / "none.zarr", tmp_path / "folder", Path(__file__)):
        status, _, errors = run(capsys, store, tmp_path / f"a{suffix}")
        assert status == 2
        assert str(store) in errors
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
