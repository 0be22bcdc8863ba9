"""`sweep rates` on a store whose errors follow a known law."""

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

from sweep.rates import RateError
from sweep.rates.command import show_rates
from sweep.rates.of_store import rate_of
from sweep.rates.table import LONGEST, rates_table
from sweep.records import Record
from sweep.store import create_store, open_store, write_records
from sweep.variables import Status
from tests.sweep.small_store import ATTRIBUTES, EDGES, N_WEIGHTINGS, grid_with

RADII = (6.0, 8.0, 10.0, 12.0, 16.0)
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """geometry_error = 2/R·(force error)… at every weighting; one point of the screw is in another minimum."""
    path = tmp_path_factory.mktemp("rates") / "law.zarr"
    grid = grid_with(domain_radius=RADII, replica=(0, 1, 2), degree=(6,))
    create_store(path, grid, EDGES, ATTRIBUTES)
    records = []
    for block in grid.blocks():
        random = np.random.default_rng([block.replica, int(block.domain_radius), block.dislocation == "edge"])
        forces = np.full((N_WEIGHTINGS, 2), 0.3 / block.domain_radius)
        records.append(Record(block, None, "estimated", {"rmse_forces": forces}, wall_time_s=1.0))
        astray = block.dislocation == "screw" and block.domain_radius == 8.0 and block.replica == 1
        for index in range(N_WEIGHTINGS):
            error = 2 / block.domain_radius * np.exp(0.02 * random.normal())
            status = "other_minimum" if astray else "relaxed"
            records.append(Record(block, index, status, {"geometry_error": 50.0 if astray else error}))
    write_records(path, records)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object, **options: object) -> tuple[int, str, str]:
    status = show_rates(*arguments, **options)  # type: ignore[arg-type]
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_piped_output_is_plain_lines(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, output, errors = run(capsys, store, "geometry_error", "domain_radius", expected=1.0)
    assert (status, errors) == (0, "")
    heading, *rows = [line.split("\t") for line in output.splitlines()]
    assert len(rows) == 2 * N_WEIGHTINGS
    for row in rows:
        named = dict(zip(heading, row, strict=True))
        assert float(named["rate_low"]) < 1 < float(named["rate_high"])
        assert named["verdict"] == "agrees"
        assert ("1 other_minimum" in named["reason"]) == (named["dislocation"] == "screw")


def test_json_has_everything(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, output, _ = run(
        capsys,
        store,
        "geometry_error",
        "domain_radius",
        select=["dislocation=edge", "weight_virial=10"],
        as_json=True,
    )
    answer = json.loads(output)
    assert status == 0
    assert answer["selected"] == {"dislocation": "edge", "weight_virial": 10.0}
    assert len(answer["rates"]) == 2
    assert {"rate", "rate_low", "rate_high", "prefactor", "log_exponent", "reason"} <= answer["rates"][
        0
    ].keys()
    assert answer["rates"][0]["prefactor"] == pytest.approx(2, rel=0.2)


def test_what_is_unknown_is_null(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, output, _ = run(capsys, store, "energy_error", "domain_radius", as_json=True)
    assert json.loads(output)["rates"][0]["rate"] is None


def test_an_error_along_another(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"over": ["domain_radius"], "select": ["config_kind=core"], "expected": -1.0, "as_json": True}
    status, output, errors = run(capsys, store, "geometry_error", "rmse_forces", **options)
    assert status == 0, errors
    rates = json.loads(output)["rates"]
    assert [rate["verdict"] for rate in rates] == ["agrees"] * len(rates)


def test_what_fits_alone_give_needs_no_relaxation(store: Path) -> None:
    fit = rate_of(open_store(store), "rmse_forces", "domain_radius")
    assert (fit["points"] == 15).all()
    np.testing.assert_allclose(fit["rate"], 1.0)


def test_truncation_errors_have_their_own_status() -> None:
    radii = [20.0, 30.0, 40.0, 60.0, 80.0]
    errors = xr.DataArray([[3 / radius for radius in radii]], dims=("dislocation", "simulation_radius"))
    status = xr.full_like(errors, Status.relaxed).astype("uint8")
    status[0, 1] = Status.other_minimum
    ds = xr.Dataset(
        {"truncation_geometry_error": errors, "truncation_status": status},
        coords={"simulation_radius": radii, "dislocation": ["screw"]},
    )
    fit = rate_of(ds, "truncation_geometry_error", "simulation_radius", model="power")
    assert "1 other_minimum" in fit["reason"].item()
    assert fit["verdict"].item() == "agrees"


def test_a_terminal_gets_a_table(store: Path) -> None:
    fit = rate_of(open_store(store), "geometry_error", "domain_radius", expected=1.0)
    console = Console(file=io.StringIO(), force_terminal=True, width=140, color_system=None)
    console.print(rates_table(fit))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for word in (
        "geometry_error along domain_radius",
        "weight_virial",
        "95 %",
        "6 to 16",
        "agrees",
        "other_minimum",
    ):
        assert word in text
    assert "degree 6" in text, "what all rates share is said once"


def test_a_long_table_says_what_it_leaves_out(store: Path) -> None:
    fit = rate_of(open_store(store), "geometry_error", "domain_radius")
    many = xr.concat([fit] * 20, dim="sample")
    many.attrs = fit.attrs
    console = Console(file=io.StringIO(), width=200)
    console.print(rates_table(many))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert f"{LONGEST} of {20 * 2 * N_WEIGHTINGS} rates" in text
    assert text.count(" to 16") == LONGEST


@pytest.mark.parametrize(
    ("error", "along", "options", "said"),
    [
        ("geometry_eror", "domain_radius", {}, "geometry_eror"),
        ("geometry_error", "radius", {}, "radius"),
        ("geometry_error", "dislocation", {}, "no numbers"),
        ("geometry_error", "domain_radius", {"select": ["degree=8"]}, "degree has 6"),
        ("geometry_error", "domain_radius", {"select": ["colour=red"]}, "no such dimension"),
        ("geometry_error", "domain_radius", {"select": ["degree"]}, "NAME=LABEL"),
        ("geometry_error", "domain_radius", {"select": ["degree=six"]}, "degree has 6"),
        ("geometry_error", "domain_radius", {"model": "line"}, "'line'"),
    ],
)
def test_bad_input_is_one_message_and_status_2(
    store: Path,
    capsys: pytest.CaptureFixture[str],
    error: str,
    along: str,
    options: dict[str, object],
    said: str,
) -> None:
    status, output, errors = run(capsys, store, error, along, **options)
    assert (status, output) == (2, "")
    assert said in errors
    assert errors.count("\n") == 1
    assert errors.startswith("sweep: ")


def test_no_store_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, errors = run(capsys, tmp_path / "none.zarr", "geometry_error", "degree")
    assert status == 2
    assert "no store at" in errors


def test_a_damaged_store_is_named(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(array: xr.DataArray) -> xr.DataArray:
        raise RuntimeError("error during decompression")

    monkeypatch.setattr(xr.DataArray, "load", broken)
    with pytest.raises(RateError, match="geometry_error cannot be read"):
        rate_of(open_store(store), "geometry_error", "domain_radius")


def test_the_command_loads_neither_workers_nor_kernels(store: Path) -> None:
    command = (
        "import sys; from sweep.cli import main\n"
        f"sys.argv = ['sweep', 'rates', {str(store)!r}, '--error', 'geometry_error', '--along', 'domain_radius']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print(sorted({'distributed', 'kernels', 'jax', 'mpi4py', 'sweep.worker', 'sweep.engine'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == "[]"
    assert len(ran.stdout.splitlines()) == 2 * N_WEIGHTINGS + 2


def test_a_reader_who_leaves_early_sees_no_traceback(store: Path) -> None:
    command = (
        f"{sys.executable} -m sweep.cli rates {store} --error geometry_error --along domain_radius | true"
    )
    ran = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stderr == ""


@pytest.mark.parametrize(
    ("error", "said"),
    [("nothing", "its variables "), ("geometry_eror", "did you mean geometry_error?")],
)
def test_the_command_refuses_with_status_2(store: Path, error: str, said: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "sweep.cli", "rates", str(store), "--error", error, "--along", "degree"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
