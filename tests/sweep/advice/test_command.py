"""`sweep advise` on a store on the disk: what it prints, for whom, and what it refuses."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from rich.console import Console

from sweep.advice import Advice, AdviceError, advise
from sweep.advice.command import show_advice
from sweep.advice.table import LONGEST, advice_json, advice_lines, advice_tables
from sweep.advice.trials import trials_of
from sweep.records import Record
from sweep.store import create_store, open_store, write_records
from tests.sweep.advice.made import falling
from tests.sweep.advice.made import store as made
from tests.sweep.small_store import ATTRIBUTES, EDGES, N_WEIGHTINGS, grid_with

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Errors of 0.4 Å / degree² with forces, twice that without; of 62 and 120 functions on 160 and 240 atoms."""
    path = tmp_path_factory.mktemp("advice") / "law.zarr"
    grid = grid_with(replica=(0, 1, 2, 3))
    create_store(path, grid, EDGES, ATTRIBUTES)
    records = []
    for block in grid.blocks():
        random = np.random.default_rng([block.replica, block.degree, int(block.domain_radius)])
        size = {
            "basis_size": {6: 62, 8: 120}[block.degree],
            "labelled_atoms": 20 * int(block.domain_radius) + 40,
        }
        records.append(Record(block, None, "estimated", size, wall_time_s=1.0))
        # forces 0 and 1, virials 0, 1 and 10: the first is forces 0 and virials 0, with energies
        for index in range(N_WEIGHTINGS):
            error = 0.4 / block.degree**2 * (1 if index >= 3 else 2) * np.exp(0.03 * random.normal())
            records.append(Record(block, index, "relaxed", {"geometry_error": error}))
    write_records(path, records)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object, **options: object) -> tuple[int, str, str]:
    status = show_advice(*arguments, **options)  # type: ignore[arg-type]
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def sections(output: str) -> dict[str, list[dict[str, str]]]:
    found = {}
    for part in output.strip().split("\n\n")[1:]:
        heading, *lines = part.splitlines()
        rows = [line.split("\t") for line in lines]
        found[heading.removeprefix("# ").partition(":")[0]] = [
            dict(zip(rows[0], row, strict=True)) for row in rows[1:]
        ]
    return found


def test_piped_output_is_sections_of_plain_lines(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, output, errors = run(capsys, path, 0.008)
    assert (status, errors) == (0, "")
    found = sections(output)
    assert list(found) == ["cheapest", "front", "weighting", "observations", "transfers"]
    screw, edge, both = found["cheapest"]
    assert [row["dislocation"] for row in (screw, edge, both)] == ["screw", "edge", "all"]
    assert (screw["verdict"], screw["degree"], screw["labelled atoms"], both["labelled atoms"]) == (
        "meets",
        "8",
        "160",
        "320",
    )
    assert float(screw["geometry_error (Å)"]) < float(screw["limit (Å)"]) <= 0.008
    forces = [row for row in found["observations"] if row["observation"] == "forces"]
    assert {row["verdict"] for row in forces} == {"helps"}
    assert output.startswith("# geometry_error of at most 0.008 Å from a typical training set")
    assert "# screw, simulation_radius 25: 160 labelled atoms and 120 functions will do" in output


def test_json_is_advice(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, output, _ = run(capsys, path, 0.008, as_json=True)
    answer = json.loads(output)
    assert status == 0
    assert answer["cheapest"][0]["point"]["degree"] == 8
    assert answer["cheapest"][0]["simulated"] == {"dislocation": "screw", "simulation_radius": 25.0}
    assert answer["add_next"] == "forces"
    # nothing known is null
    energy = next(effect for effect in answer["effects"] if effect["observation"] == "energy")
    assert energy["ratio"] is None


def test_a_part_of_the_store(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, output, _ = run(capsys, path, 0.012, select=["dislocation=edge", "degree=6.0"], as_json=True)
    answer = json.loads(output)
    assert status == 0
    assert len(answer["cheapest"]) == 1
    assert "degree" not in answer["cheapest"][0]["point"]
    assert answer["cheapest"][0]["basis_size"] == 62


def text(advice: Advice, width: int = 100) -> str:
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    console.print(advice_tables(advice))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_a_terminal_gets_sentences_and_tables(path: Path) -> None:
    shown = text(advise(open_store(path), 0.008))
    for words in (
        "will do",
        "Cheapest point",
        "What labelling buys",
        "Weighting to regret least",
        "add next: forces",
    ):
        assert words in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_a_long_front_says_what_it_leaves_out() -> None:
    n_train = list(range(2, 2 * LONGEST + 4))
    ds = made(falling, n_train=n_train, degree=[8], domain_radius=[6.0], dislocation=["screw"], scatter=0.0)
    advice = advise(ds, 0.05)
    assert f"{LONGEST} of {len(n_train)} rows" in text(advice)
    lines = list(advice_lines(advice))
    start = next(place for place, line in enumerate(lines) if line.startswith("# front"))
    assert len(lines[start + 2 : lines.index("", start)]) == len(n_train)


def test_labels_are_not_taken_for_markup(path: Path) -> None:
    ds = open_store(path).load().assign_coords(dislocation=["[bold]screw[/bold]", "[/red]"])
    assert "[/red]" in text(advise(ds, 0.008), width=200)


def test_a_bare_open_zarr_will_do(path: Path) -> None:
    assert advice_json(advise(xr.open_zarr(path), 0.008)) == advice_json(advise(open_store(path), 0.008))


@pytest.mark.parametrize(
    ("tolerance", "options", "said"),
    [
        (0.0, {}, "tolerance is 0.0"),
        (float("nan"), {}, "tolerance is nan"),
        (0.1, {"error": "geometry_eror"}, "no 'geometry_eror'"),
        (0.1, {"error": "rmse_forces"}, "select one, such as config_kind=core"),
        (0.1, {"error": "truncation_geometry_error"}, "no error of single points"),
        (0.1, {"share": 1.0}, "share is 1.0"),
        (0.1, {"select": ["degree=7"]}, "degree has 6, 8"),
        (0.1, {"select": ["colour=red"]}, "no such dimension"),
        (0.1, {"select": ["degree"]}, "NAME=LABEL"),
    ],
)
def test_bad_input_is_one_message_and_status_2(
    path: Path, capsys: pytest.CaptureFixture[str], tolerance: float, options: dict[str, object], said: str
) -> None:
    status, output, errors = run(capsys, path, tolerance, **options)
    assert (status, output) == (2, "")
    assert said in errors
    assert errors.startswith("sweep: ")
    assert errors.count("\n") == 1


def test_signed_errors_are_refused(path: Path) -> None:
    ds = open_store(path).load()
    ds["energy_difference"] = ds["geometry_error"] - 0.01
    with pytest.raises(AdviceError, match="energy_error"):
        advise(ds, 0.1, "energy_difference")


def test_no_store_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, errors = run(capsys, tmp_path / "none.zarr", 0.1)
    assert status == 2
    assert "no store at" in errors
    with pytest.raises(AdviceError, match="no store of Farfield's"):
        trials_of(xr.Dataset({"geometry_error": 1.0}), "geometry_error")


def test_a_damaged_store_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(ds: xr.Dataset) -> xr.Dataset:
        raise RuntimeError("error during decompression")

    monkeypatch.setattr(xr.Dataset, "compute", broken)
    with pytest.raises(AdviceError, match="geometry_error cannot be read"):
        advise(open_store(path), 0.1)


@pytest.mark.parametrize("arguments", [["advise", "--tolerance", "0.008"], ["hypotheses"]])
def test_commands_load_neither_workers_nor_kernels(path: Path, arguments: list[str]) -> None:
    command = (
        "import sys; from sweep.cli import main\n"
        f"sys.argv = ['sweep', {arguments[0]!r}, {str(path)!r}, *{arguments[1:]!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print(sorted({'distributed', 'kernels', 'jax', 'mpi4py', 'sweep.worker', 'sweep.engine'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == "[]"


def test_a_reader_who_leaves_early_sees_no_traceback(path: Path) -> None:
    command = f"{sys.executable} -m sweep.cli advise {path} --tolerance 0.01 | true"
    ran = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
