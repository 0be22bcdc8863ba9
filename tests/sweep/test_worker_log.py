"""A worker's log: whole lines, so many files of so many bytes, and no error that ends a run."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from sweep import worker_log
from sweep.worker_log import KEPT, WorkerLog


def test_a_line_is_an_object_with_what_it_was_given(tmp_path: Path) -> None:
    log = WorkerLog(tmp_path / "logs", "a")
    log.write(logging.ERROR, stage="relaxations", at={"degree": 6}, message="two\nlines")
    log.close()
    (line,) = (tmp_path / "logs" / "worker-a.jsonl").read_text(encoding="utf-8").splitlines()
    words = json.loads(line)
    assert words.pop("time").endswith("+00:00")
    assert words == {
        "level": "error",
        "worker": "a",
        "stage": "relaxations",
        "at": {"degree": 6},
        "message": "two\nlines",
    }


def test_a_log_that_is_full_is_put_aside_and_the_oldest_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_log, "LARGEST", 1000)
    log = WorkerLog(tmp_path, "a")
    for number in range(100):
        log.write(logging.INFO, number=number)
    log.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [
        "worker-a.jsonl",
        *(f"worker-a.jsonl.{n}" for n in range(1, KEPT + 1)),
    ]
    assert all(file.stat().st_size <= 1000 for file in files)
    numbers = [json.loads(line)["number"] for file in files[:0:-1] for line in file.read_text().splitlines()]
    numbers += [json.loads(line)["number"] for line in files[0].read_text().splitlines()]
    assert numbers == list(range(numbers[0], 100))


def test_a_log_is_continued(tmp_path: Path) -> None:
    for number in range(2):
        log = WorkerLog(tmp_path, "a")
        log.write(logging.INFO, number=number)
        log.close()
    lines = (tmp_path / "worker-a.jsonl").read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == [0, 1]


def test_a_full_disk_costs_lines_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "worker-a.jsonl").symlink_to("/dev/full")
    log = WorkerLog(tmp_path, "a")
    log.write(logging.INFO, number=0)
    log.write(logging.INFO, number=1)
    log.close()
