"""`sweep hypotheses`: what it prints, for whom, and what it refuses."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import xarray as xr
from rich.console import Console

from sweep.hypotheses import examine
from sweep.hypotheses.command import show_hypotheses
from sweep.hypotheses.table import LONGEST, hypotheses_tables
from tests.sweep.hypotheses.test_hypotheses import by_forces, store
from tests.sweep.small_store import new_store

NAMES = ["H1", "H2", "H2, departures", "H3", "H4", "fit, forces", "fit, virials"]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store whose geometry errors are proportional to the force errors."""
    made = store(by_forces, n_train=[4, 16], degree=[6, 8])
    monkeypatch.setattr("sweep.hypotheses.command.open_store", lambda _: made)
    return tmp_path


def test_piped_output_is_plain_lines(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show_hypotheses(path) == 0
    heading, *rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    found = [dict(zip(heading, row, strict=True)) for row in rows]
    assert list(dict.fromkeys(row["hypothesis"] for row in found)) == NAMES
    proportional = [row for row in found if row["hypothesis"] == "H2"]
    assert len(proportional) == 2 * 4
    assert proportional[0]["group"] == "dislocation=screw,simulation_radius=20.0"
    assert {row["verdict"] for row in proportional} == {"supported"}
    assert 0.8 <= float(proportional[0]["low"]) <= float(proportional[0]["high"]) <= 1.2


def test_json_has_claims_and_groups(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show_hypotheses(path, as_json=True) == 0
    answer = json.loads(capsys.readouterr().out)
    assert list(answer) == NAMES
    assert "force error" in answer["H2"]["claim"]
    assert answer["H2"]["groups"][0]["verdict"] == "supported"
    # H3 takes more numbers of configurations than there are
    assert answer["H3"]["groups"][0]["value"] is None


def test_a_terminal_gets_a_table_for_each() -> None:
    found = examine(store(by_forces, simulation_radius=[20.0 + step for step in range(LONGEST)]))
    console = Console(file=io.StringIO(), force_terminal=True, width=110, color_system=None)
    console.print(hypotheses_tables(found))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for name, finding in found.items():
        assert f"{name}: {finding.attrs['claim'][:40]}" in text
    assert f"{LONGEST} of {2 * LONGEST} groups" in text


def test_a_new_store_cannot_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show_hypotheses(new_store(tmp_path / "new.zarr"), as_json=True) == 0
    answer = json.loads(capsys.readouterr().out)
    verdicts = {group["verdict"] for finding in answer.values() for group in finding["groups"]}
    assert verdicts == {"cannot tell"}


def test_bad_input_is_one_message_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert show_hypotheses(tmp_path / "none.zarr") == 2
    assert "no store at" in capsys.readouterr().err

    def broken(ds: xr.Dataset) -> xr.Dataset:
        raise RuntimeError("error during decompression")

    monkeypatch.setattr(xr.Dataset, "load", broken)
    assert show_hypotheses(new_store(tmp_path / "new.zarr")) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("sweep: ")
    assert "cannot be read: error during decompression" in errors
