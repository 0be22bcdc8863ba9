"""A batch on a worker: what an error costs, what is not begun, and what is on the disk before anything is told."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import sweep.working
from sweep.artefacts import KernelCall
from sweep.assignments import NOT_BEGUN, Assignment
from sweep.gang import GangDied, KernelError
from sweep.grid import Block
from sweep.working import work_through

BLOCK = Block("screw", 25.0, 6, 8.0, 4, 0)
CALL = KernelCall("kernels.points:relax_point", {})
BATCH = [Assignment("relaxations", CALL, BLOCK, (weighting,)) for weighting in range(4)]


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a worker does, in order."""
    found = list[str]()
    plugin = SimpleNamespace(
        recorded=SimpleNamespace(refresh=lambda: found.append("read")),
        journal=SimpleNamespace(sync=lambda: found.append("sync"), sizes={"w.journal": 70}),
        log=SimpleNamespace(flush=lambda: None),
        look=lambda: found.append("read"),
    )
    monkeypatch.setattr(sweep.working, "here", lambda: plugin)
    return found


def relaxing(monkeypatch: pytest.MonkeyPatch, events: list[str], errors: dict[int, Exception]) -> None:
    def relax(block: Block, weightings: tuple[int, ...], *_: object, until: float) -> tuple[int, ...]:
        events.append(str(weightings[0]))
        if weightings[0] in errors:
            raise errors[weightings[0]]
        return ()

    monkeypatch.setattr(sweep.working, "relax_points", relax)


@pytest.mark.parametrize("error", [GangDied("rank 0 went away"), KernelError("no rows"), KeyError("status")])
def test_an_error_costs_its_own_assignment(
    monkeypatch: pytest.MonkeyPatch, events: list[str], error: Exception
) -> None:
    relaxing(monkeypatch, events, {1: error})
    outcomes = work_through(BATCH)
    assert [outcome.error for outcome in outcomes] == [None, error, None, None]
    assert all(outcome.begun for outcome in outcomes)
    assert [outcome.journaled for outcome in outcomes] == [{}, {}, {}, {"w.journal": 70}]
    assert events == ["read", "0", "1", "2", "3", "sync"]


def test_nothing_is_begun_behind_an_error_of_the_worker(
    monkeypatch: pytest.MonkeyPatch, events: list[str]
) -> None:
    full = OSError(28, "No space left on device")
    relaxing(monkeypatch, events, {1: full})
    outcomes = work_through(BATCH)
    assert [outcome.error for outcome in outcomes] == [None, full, None, None]
    assert outcomes[2:] == [NOT_BEGUN] * 2
    assert events == ["read", "0", "1", "sync"]


def test_after_its_time_nothing_is_begun_but_the_first(
    monkeypatch: pytest.MonkeyPatch, events: list[str]
) -> None:
    monkeypatch.setattr(sweep.working, "LONGEST_BATCH_S", -1.0)
    relaxing(monkeypatch, events, {})
    outcomes = work_through(BATCH)
    assert outcomes[0].begun
    assert outcomes[1:] == [NOT_BEGUN] * 3
    assert events == ["read", "0", "sync"]
