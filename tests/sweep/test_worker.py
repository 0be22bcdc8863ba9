"""Workers of Dask with real gangs: what they record once, what they log, and when they give up a call."""

from __future__ import annotations

import errno
import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, Future, LocalCluster

from sweep.artefacts import KernelCall, Recipe
from sweep.gang import GangTimeout, KernelError
from sweep.grid import Block, Weighting
from sweep.journal import Journal, JournalReader
from sweep.limits import GivenLimits
from sweep.records import Record
from sweep.selection import SampledPoints
from sweep.source_files import SourceChangedError
from sweep.worker import estimate_block, gangs, make_artefact, relax_points
from sweep.workplace import Workplace

TESTS = Path(__file__).resolve().parents[1]
BLOCK = Block("screw", 25.0, 6, 8.0, 4, 0)
WEIGHTS = {"weight_energy": (1.0,), "weight_virial": (0.0, 10.0)}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        pytest.MonkeyPatch.context() as patch,
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
        ) as cluster,
        Client(cluster) as client,
    ):
        patch.setenv(
            "PYTHONPATH", os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
        )
        yield client


class Place:
    """Workers of a cluster, and the run folder that they share."""

    def __init__(self, client: Client, folder: Path) -> None:
        self.client, self.folder = client, folder
        self.workers = list(client.scheduler_info()["workers"])

    def workplace(self, **options: Any) -> Workplace:
        folders = {name: self.folder / name for name in ("artefacts", "journals", "logs", "compiled")}
        usual = {"files": {}, "ranks": 1, "cpus": {}, "weight_labels": WEIGHTS}
        return Workplace(**folders, **usual | options)

    def relax(
        self,
        kernel: str,
        worker: int = 0,
        attempt: int = 1,
        retries: int = 0,
        weightings: tuple[int, ...] = (1,),
        stop: float = math.inf,
        **inputs: Any,
    ) -> Future:
        call = KernelCall(f"faulty_kernels:{kernel}", inputs)
        return self.client.submit(
            relax_points,
            BLOCK,
            weightings,
            call,
            attempt,
            until=stop,
            workers=[self.workers[worker]],
            pure=False,
            retries=retries,
        )

    @property
    def recorded(self) -> list[Record]:
        return [
            record
            for record in JournalReader(self.folder / "journals").refresh()
            if isinstance(record, Record)
        ]

    @property
    def logged(self) -> list[dict[str, Any]]:
        paths = (self.folder / "logs").glob("worker-*.jsonl")
        return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


@pytest.fixture
def place(client: Client, tmp_path: Path) -> Place:
    return Place(client, tmp_path)


def test_two_workers_at_one_point_record_it_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """One was taken for lost, and was not: it ends its work after the other has recorded it."""
    monkeypatch.setattr("sweep.worker.LOOK_AGAIN_S", 0.0)
    with gangs(place.client, place.workplace()):
        thought_lost = place.relax("relaxed_after", 0, until=str(place.folder / "go"))
        place.relax("relaxed_after", 1, until="").result(timeout=120)
        assert len(place.recorded) == 1
        (place.folder / "go").touch()
        thought_lost.result(timeout=120)
    assert len(place.recorded) == 1


def test_a_disk_that_does_not_confirm_a_record_costs_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # every record is waited for, so that the first is what is refused
    monkeypatch.setattr("sweep.journal.LONGEST_WAIT_S", 0.0)
    with gangs(place.client, place.workplace()):
        fsync, refusals = os.fsync, iter([True])

        def refuse_once(descriptor: int) -> None:
            if next(refusals, False):
                raise OSError(errno.EIO, "Input/output error")
            fsync(descriptor)

        with monkeypatch.context() as patched:
            patched.setattr("sweep.journal.os.fsync", refuse_once)
            place.relax("relaxed_after", until="").result(timeout=120)
        assert next(refusals, "none left") == "none left"
    assert len({record.payload for record in place.recorded}) == 1
    levels = [line["level"] for line in place.logged]
    assert levels == ["info", "warning"], "the call, and that a journal had to be left"
    # of two workers, and the one that took the place of the first
    assert len(list((place.folder / "journals").glob("*.journal"))) == 3


def test_retries_of_dasks_own_record_a_point_once(place: Place) -> None:
    with gangs(place.client, place.workplace()):
        place.relax("relaxed_at_last", retries=2, marks=str(place.folder), failures=2).result(timeout=120)
        assert len(place.recorded) == 1
    outcomes = [(line["outcome"], line["level"]) for line in place.logged]
    assert outcomes == [("raised", "error")] * 2 + [("succeeded", "info")]


MANY = {"weight_energy": (1.0, 2.0), "weight_virial": (0.0, 5.0, 10.0)}


def test_points_before_one_that_fails_are_recorded_and_those_behind_are_not_tried(place: Place) -> None:
    with (
        gangs(place.client, place.workplace(weight_labels=MANY)),
        pytest.raises(KernelError, match="not 4"),
    ):
        place.relax("relaxed_but", weightings=(0, 3, 4, 5), failing=4).result(timeout=120)
    recorded = {record.weighting_index: record.values["geometry_error"] for record in place.recorded}
    assert recorded == {0: 0.0, 3: 3.0}
    ends = [
        (line["outcome"], line["at"]["weight_energy"], line["at"]["weight_virial"]) for line in place.logged
    ]
    assert ends == [("succeeded", 1.0, 0.0), ("succeeded", 2.0, 0.0), ("raised", 2.0, 5.0)]


def test_points_that_are_recorded_are_passed_over(place: Place) -> None:
    with gangs(place.client, place.workplace(weight_labels=MANY)):
        for weightings in ((1, 4), (0, 1, 2, 4)):
            asked = place.relax("relaxed_but", weightings=weightings, failing=-1)
            assert asked.result(timeout=120) == ()
    assert sorted(record.weighting_index or 0 for record in place.recorded) == [0, 1, 2, 4]
    assert len(place.logged) == 4


def test_when_time_is_over_what_was_not_begun_is_left(place: Place) -> None:
    with gangs(place.client, place.workplace(weight_labels=MANY)):
        weightings = tuple(range(6))
        asked = place.relax("relaxed_slowly", weightings=weightings, stop=-math.inf, seconds=0.3)
        left = asked.result(timeout=120)
    recorded = sorted(record.weighting_index or 0 for record in place.recorded)
    assert (*recorded, *left) == weightings
    # the one that is always begun, and the one that the ranks began before they were told
    assert 1 <= len(recorded) <= 3


def test_what_a_screen_left_unchecked_is_recorded_anew_and_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.worker.LOOK_AGAIN_S", 0.0)
    estimates = {"geometry_estimate": [0.1, 0.2], "trust_ratio": [0.01, math.nan], "stiffness_estimate": 1.0}
    with Journal.create(place.folder / "journals") as journal:
        journal.append(Record(BLOCK, None, ("estimated", "estimated"), estimates))
    weightings = tuple(Weighting(energy, 1.0, 1.0) for energy in (1.0, 2.0))
    call = KernelCall("faulty_kernels:checked_estimates", {})
    with gangs(place.client, place.workplace(choice=SampledPoints(0, weightings, 0.0))):
        for worker in place.workers:
            asked = place.client.submit(estimate_block, BLOCK, call, 1, workers=[worker], pure=False)
            # 0.2 is no candidate for the best, but it is not trusted
            assert asked.result(timeout=120).chosen == {0, 1}
    # journals are read in the order of their names, which are drawn
    first, second = sorted(record.values["trust_ratio"].tolist()[1] == 9.0 for record in place.recorded)
    assert (first, second) == (False, True)


def test_a_second_attempt_has_other_ranks(place: Place) -> None:
    with gangs(place.client, place.workplace()):
        ranks = set()
        for attempt in (1, 1, 2):
            with pytest.raises(KernelError, match="pid") as caught:
                place.relax("raise_pid", attempt=attempt).result(timeout=120)
            ranks.add(caught.value.reason)
            assert caught.value.worker
    assert len(ranks) == 2
    assert place.recorded == []


def test_each_call_is_a_line_with_its_coordinates(place: Place) -> None:
    began = time.monotonic()
    with gangs(place.client, place.workplace()):
        place.relax("relaxed_after", until="").result(timeout=120)
    (line,) = place.logged
    at = {"dislocation": "screw", "simulation_radius": 25.0, "degree": 6, "domain_radius": 8.0, "n_train": 4}
    assert line["at"] == at | {"replica": 0, "weight_energy": 1.0, "weight_virial": 10.0}
    assert (line["outcome"], line["status"], line["attempt"], line["ranks"]) == ("succeeded", "relaxed", 1, 1)
    assert line["function"] == "faulty_kernels:relaxed_after"
    assert 0 < line["duration_s"] < time.monotonic() - began
    assert line["time"].startswith("20")
    # a rank that has begun Python and MPI holds more than 10 MB and less than 1 GB
    assert 10 < line["peak_memory_mb"] < 1000
    assert line["worker"] == place.recorded[0].worker


def test_a_call_that_takes_too_long_names_its_limit(place: Place) -> None:
    with (
        gangs(place.client, place.workplace(limits=GivenLimits(0.2))),
        pytest.raises(GangTimeout, match=r"the study's limits.kernel_s; in the study, limits: ") as caught,
    ):
        place.relax("relaxed_after", until=str(place.folder / "never")).result(timeout=120)
    (line,) = place.logged
    assert (line["outcome"], line["message"]) == ("timed out", caught.value.message)


def test_a_call_whose_file_was_replaced_is_not_made(place: Place, tmp_path: Path) -> None:
    potential, placeholder = tmp_path / "W.eam.fs", f"sha256:{'0' * 64}"
    potential.write_text("not what was hashed")
    recipe = Recipe("faulty_kernels:raise_pid", 1, {"reference": placeholder})
    with (
        gangs(place.client, place.workplace(sources={placeholder: potential})),
        pytest.raises(SourceChangedError, match=r"W\.eam\.fs was changed while the study runs"),
    ):
        place.client.submit(make_artefact, recipe, 1, pure=False).result(timeout=120)
    assert place.logged == []
