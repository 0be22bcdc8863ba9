"""Gangs for the tests of them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from sweep.gang import Gang
from tests.sweep.gang.gangs import (
    all_gone,
    options,
)


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a temporary folder of its own, to see what is left in it."""
    folder = tmp_path_factory.mktemp("t")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(params=["Unix socket", "network"])
def reached(request: pytest.FixtureRequest, temporary: Path) -> dict[str, object]:
    """How ranks reach their owner, as options of a gang: what follows holds for both."""
    return {} if request.param == "Unix socket" else {"interface": "lo", "shared_folder": temporary}


@pytest.fixture
def gang(temporary: Path, reached: dict[str, object]):
    with Gang(options(**reached)) as gang:
        yield gang
        processes = [*gang.pids, *filter(None, [gang.launcher_pid])]
    assert all_gone(processes)
    assert list(temporary.iterdir()) == []


@pytest.fixture(scope="module")
def shared():
    """Run one gang for the tests that do it no harm."""
    with Gang(options()) as gang:
        yield gang
