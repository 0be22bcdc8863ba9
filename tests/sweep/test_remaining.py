"""What is left of a block: every way in which its results may be known, and may be missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweep.grid import Block, Grid, GridError, grid_of
from sweep.journal import Journal
from sweep.plan import BlockWork
from sweep.records import Record
from sweep.remaining import Remaining
from sweep.selection import Estimates
from sweep.store import create_store, write_records
from sweep.study import read_study

STUDY = """
study: few
material: {element: W, structure: bcc}
reference: {preset: tungsten-snap}
dislocations: [screw]
axes: {simulation_radius: [25.0], degree: [6], domain_radius: [6.0], n_train: [4], replica: 2,
       weight_energy: [%s], weight_forces: [0.0, 1.0], weight_virial: [0.0, 1.0]}
"""
BLOCK = Block("screw", 25.0, 6, 6.0, 4, 1)


class Place:
    """A store, its journals, and records on their way from one to the other."""

    def __init__(self, folder: Path, weight_energy: str) -> None:
        self.grid: Grid = grid_of(read_study(STUDY % weight_energy))
        self.store, self.journals = folder / "few.zarr", folder / "few.zarr.run" / "journals"
        attributes = {"study": "few", "fingerprint": {}, "packages": {}}
        create_store(self.store, self.grid, [0.0, 1.0], attributes)
        self.excluded = [w.excluded for w in self.grid.weightings()]
        self.fits = tuple(place for place, excluded in enumerate(self.excluded) if not excluded)
        self.records: list[Record] = []

    def block(self, status: str, block: Block = BLOCK) -> None:
        words = tuple("excluded" if excluded else status for excluded in self.excluded)
        self.records.append(Record(block, None, words, {}))

    def point(self, weighting: int, status: str) -> None:
        self.records.append(Record(BLOCK, weighting, status, {}))

    def left(self, known: str, **options: Any) -> BlockWork:
        """Ask, with the records in the store, in the journals or in both."""
        if known != "journals":
            write_records(self.store, self.records)
        if known != "store":
            with Journal.create(self.journals) as journal:
                for record in self.records:
                    journal.append(record)
        settings = {"relaxing": True, "retry_failed": False} | options
        return Remaining(self.grid, self.store, self.journals, **settings)(BLOCK)


@pytest.fixture(params=["0.0", "1.0"], ids=["with an excluded weighting", "without"])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    return Place(tmp_path, request.param)


KNOWN = pytest.mark.parametrize("known", ["journals", "store", "both"])


def test_nothing_known_is_everything_left(place: Place) -> None:
    assert place.left("both") == BlockWork(BLOCK, recorded=False, weightings=place.fits)


@KNOWN
def test_an_estimated_block_is_to_be_relaxed(place: Place, known: str) -> None:
    place.block("estimated")
    assert place.left(known) == BlockWork(BLOCK, recorded=True, weightings=place.fits)


@KNOWN
def test_or_is_finished_where_nothing_is_relaxed(place: Place, known: str) -> None:
    place.block("estimated")
    assert place.left(known, relaxing=False).finished


@KNOWN
def test_points_that_ended_anyhow_are_done(place: Place, known: str) -> None:
    place.block("estimated")
    ends = ["relaxed", "unconverged", "other_minimum"]
    for weighting, status in zip(place.fits, ends, strict=False):
        place.point(weighting, status)
    assert place.left(known).weightings == place.fits[3:]


@KNOWN
def test_a_failed_block_is_final_until_retried(place: Place, known: str) -> None:
    place.block("failed")
    assert place.left(known).finished
    assert place.left("both", retry_failed=True) == BlockWork(BLOCK, recorded=False, weightings=place.fits)


@KNOWN
def test_a_failed_block_is_retried(place: Place, known: str) -> None:
    place.block("failed")
    assert place.left(known, retry_failed=True) == BlockWork(BLOCK, recorded=False, weightings=place.fits)


@KNOWN
def test_failed_points_are_final_until_retried(place: Place, known: str) -> None:
    place.block("estimated")
    for weighting in place.fits:
        place.point(weighting, "failed")
    assert place.left(known).finished
    retried = place.left("both", retry_failed=True)
    assert retried == BlockWork(BLOCK, recorded=True, weightings=place.fits)


@KNOWN
def test_a_fit_that_is_not_finite_is_not_relaxed(place: Place, known: str) -> None:
    words = ["excluded" if excluded else "estimated" for excluded in place.excluded]
    words[place.fits[0]] = "failed"
    place.records.append(Record(BLOCK, None, tuple(words), {}))
    assert place.left(known).weightings == place.fits[1:]


@KNOWN
def test_another_blocks_results_say_nothing(place: Place, known: str) -> None:
    place.block("estimated", Block("screw", 25.0, 6, 6.0, 4, 0))
    assert place.left(known) == BlockWork(BLOCK, recorded=False, weightings=place.fits)


class Third:
    """Chooses by estimate, as a study's own choice does."""

    def __init__(self, *, by_trust: bool = False) -> None:
        self.by_trust = by_trust

    def __call__(self, block: Block, estimates: Estimates) -> np.ndarray:  # noqa: ARG002 - as a choice is called
        return np.asarray(estimates.geometry > 3.0)


def estimated(place: Place, checked: int = 0) -> None:
    """Estimate a block, so many of its fits checked."""
    words = tuple("excluded" if excluded else "estimated" for excluded in place.excluded)
    ratios = np.full(len(words), np.nan)
    ratios[list(place.fits[:checked])] = 0.01
    values = {
        "geometry_estimate": np.where(place.excluded, np.nan, 1.0 + np.arange(len(words))),
        "trust_ratio": ratios,
        "stiffness_estimate": np.where(place.excluded, np.nan, 1.0),
    }
    place.records.append(Record(BLOCK, None, words, values))


@KNOWN
def test_only_what_is_chosen_is_left(place: Place, known: str) -> None:
    estimated(place)
    left = place.left(known, choice=Third())
    assert left == BlockWork(BLOCK, recorded=True, weightings=tuple(w for w in place.fits if w >= 3))


@KNOWN
def test_the_choice_stays_as_points_are_relaxed(place: Place, known: str) -> None:
    estimated(place)
    place.point(place.fits[-1], "relaxed")
    assert place.left(known, choice=Third()).weightings == tuple(w for w in place.fits[:-1] if w >= 3)


@KNOWN
def test_what_a_screen_left_unchecked_is_checked_before_points_are_chosen_by_trust(
    place: Place, known: str
) -> None:
    estimated(place, checked=2)
    left = place.left(known, choice=Third(by_trust=True))
    assert left == BlockWork(BLOCK, recorded=False, weightings=place.fits)


@KNOWN
def test_what_is_checked_is_not_estimated_again(place: Place, known: str) -> None:
    estimated(place, checked=len(place.fits))
    left = place.left(known, choice=Third(by_trust=True))
    assert left == BlockWork(BLOCK, recorded=True, weightings=tuple(w for w in place.fits if w >= 3))


def test_nothing_is_chosen_before_there_are_estimates(place: Place) -> None:
    assert place.left("both", choice=Third()) == BlockWork(BLOCK, recorded=False, weightings=place.fits)


@pytest.mark.parametrize(
    "record",
    [
        Record(BLOCK, 4, "relaxed"),
        Record(BLOCK, None, ("estimated",) * 3),
        Record(Block("mixed", 25.0, 8, 8.5, 4, 1), 0, "relaxed"),
    ],
    ids=["weighting", "statuses", "block"],
)
def test_journals_off_the_grid_are_refused_in_words(tmp_path: Path, record: Record) -> None:
    with Journal.create(tmp_path) as journal:
        journal.append(record)
    with pytest.raises(GridError, match="off the grid"):
        Remaining(
            grid_of(read_study(STUDY % "1.0", "few.yaml")), tmp_path / "none.zarr", tmp_path, relaxing=True
        )


def test_a_part_of_the_journals_of_which_nothing_counts_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver's failures of points that have results since, read after these."""
    place = Place(tmp_path, "1.0")
    monkeypatch.setattr("sweep.journal.PART_BYTES", 1)
    relaxed = place.fits[0]
    for name, status in (("a", "relaxed"), ("b", "failed")):
        place.journals.mkdir(parents=True, exist_ok=True)
        with Journal(place.journals / f"{name}.journal") as journal:
            journal.append(Record(BLOCK, relaxed, status, {}))
    remaining = Remaining(place.grid, place.store, place.journals, relaxing=True)
    assert relaxed not in remaining.left_of(BLOCK, (relaxed,))
    assert remaining.failed == 0
