"""What is tried before a run is set up, on gangs that die."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sweep import trial
from sweep.gang import Gang, GangDied, GangError, GangTimeout, LaunchError
from sweep.prepared import Prepared, prepare
from sweep.study import StudyError
from tests.small_study import STUDY

QUICK = Path(__file__).resolve().parents[2] / "studies/quick.yaml"
DIED = GangDied("rank 0 of 1 went away", ranks=(0,), exit_code=9)


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    return prepare(QUICK, tmp_path / "quick.zarr", None)


def play(monkeypatch: pytest.MonkeyPatch, *ends: GangError | dict[str, float]) -> list[str]:
    """Let the calls on gangs end so, one after another."""
    calls, left = [], list(ends)

    def call(gang: Gang, function: str, **_: Any) -> dict[str, float]:
        calls.append(function)
        end = left.pop(0)
        if isinstance(end, GangError):
            raise end
        return end

    monkeypatch.setattr(Gang, "call", call)
    return calls


@pytest.mark.parametrize("error", [DIED, LaunchError("a rank went away before every rank was ready")])
def test_a_gang_that_someone_killed_refuses_no_study(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch, error: GangError
) -> None:
    calls = play(monkeypatch, error, {"lattice_constant": 3.2})
    [(recipe, arrays)] = trial.try_inputs(prepared)
    assert arrays == {"lattice_constant": 3.2}
    assert calls == [recipe.function] * 2


def test_a_potential_that_kills_every_gang_is_refused(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = play(monkeypatch, DIED, DIED)
    with pytest.raises(StudyError, match="reference cannot be tried: rank 0 of 1 went away"):
        trial.try_inputs(prepared)
    assert len(calls) == trial.ATTEMPTS


def test_a_potential_that_hangs_is_not_waited_for_twice(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = play(monkeypatch, GangTimeout("it took longer than 300 s", ranks=(0,)))
    with pytest.raises(StudyError, match="longer than 300 s"):
        trial.try_inputs(prepared)
    assert len(calls) == 1


def test_a_potential_that_is_replaced_while_it_is_tried_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    potential, study = tmp_path / "mine.eam.fs", tmp_path / "mine.yaml"
    potential.write_text("as it was hashed")
    study.write_text(STUDY.replace("Fe_mm.eam.fs", potential.name))

    def call(*_: Any, **__: Any) -> dict[str, float]:
        potential.write_text("another")
        return {"lattice_constant": 2.9}

    monkeypatch.setattr(Gang, "call", call)
    with pytest.raises(StudyError, match=r"reference: .*mine\.eam\.fs was changed"):
        trial.try_inputs(prepare(study, tmp_path / "mine.zarr", None))
