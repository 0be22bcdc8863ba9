"""A file system that lags: what another host has written is waited for, and told of where it does not come."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from sweep.artefacts import KEY_MARK, ArtefactFolder, Recipe
from sweep.compaction import Compaction
from sweep.journal import Journal, JournalReader
from sweep.lag import NotSeenError, Sight
from sweep.remaining import Remaining
from sweep.store import open_store
from sweep.variables import Status
from sweep.worker import gangs
from tests.sweep.small_store import BLOCK, GRID, block_record, new_store, point_record
from tests.sweep.test_worker import Place, client, place

__all__ = ["client", "place"]
RECIPE = Recipe("faulty_kernels:echo", 1, {"value": 7})
APPEARS_AFTER_S = 0.6


@contextmanager
def appearing(hidden: Path, seen: Path) -> Iterator[None]:
    """A file or a folder that is seen where it belongs only after a while."""

    def appear() -> None:
        time.sleep(APPEARS_AFTER_S)
        seen.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(hidden, seen)

    server = threading.Thread(target=appear)
    server.start()
    yield
    server.join()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """File systems that lag for a fraction of a second at most."""
    monkeypatch.setattr("sweep.lag.LAG_S", 0.1)
    monkeypatch.setattr("sweep.compaction.LAG_S", 0.1)


def test_files_that_never_come_are_waited_for_less_and_less(tmp_path: Path, short: None) -> None:
    waits = list[float]()

    def given_up(seconds: float) -> bool:
        waits.append(seconds)
        time.sleep(0.05)
        return False

    sight = Sight(given_up)
    started = time.monotonic()
    for _ in range(40):
        with pytest.raises(NotSeenError, match="cannot be seen on"):
            sight.wait_for(tmp_path / "no-folder" / "no-file")
    assert time.monotonic() - started < 30.0, "where nothing is shared, a run would take hours to say so"
    assert len(waits) > 2
    (tmp_path / "no-folder").mkdir()
    (tmp_path / "no-folder" / "no-file").touch()
    sight.wait_for(tmp_path / "no-folder" / "no-file")


def test_whoever_has_to_leave_waits_no_longer(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(NotSeenError):
        Sight(lambda _: True).wait_for(tmp_path / "late")
    assert time.monotonic() - started < 30.0


def artefact_elsewhere(folder: Path) -> Path:
    """An artefact that another host has written."""
    return ArtefactFolder(folder / "elsewhere").write(RECIPE, {"value": np.array(7)})


def test_an_artefact_of_another_host_is_waited_for(place: Place, tmp_path: Path) -> None:
    hidden = artefact_elsewhere(tmp_path)
    seen = ArtefactFolder(tmp_path / "artefacts").path_of(RECIPE)
    with gangs(place.client, place.workplace()), appearing(hidden, seen):
        place.relax("relaxed_from", artefact={KEY_MARK: RECIPE.key}).result(timeout=120)
    assert [record.status for record in place.recorded] == ["relaxed"]
    assert [line["outcome"] for line in place.logged] == ["succeeded"]


def test_an_artefact_that_never_comes_is_named_and_no_kernel_is_called(place: Place, short: None) -> None:
    with gangs(place.client, place.workplace()):
        future = place.relax("relaxed_from", artefact={KEY_MARK: RECIPE.key})
        with pytest.raises(FileNotFoundError, match=rf"{RECIPE.key}\.npz was made, and cannot be seen"):
            future.result(timeout=120)
    assert place.recorded == []
    assert place.logged == []


def journal_elsewhere(folder: Path) -> tuple[Path, dict[str, int]]:
    """A journal that another host has written, and what its worker says of it."""
    with Journal.create(folder / "elsewhere") as journal:
        for record in (block_record(), point_record(2)):
            journal.append(record)
        return journal.path, {journal.path.name: journal.size}


def count(store: Path, status: Status) -> int:
    return int((open_store(store)["status"] == status).sum())


def test_what_workers_say_they_recorded_is_waited_for(tmp_path: Path) -> None:
    store, journals, told = new_store(tmp_path / "a.zarr"), tmp_path / "journals", list[str]()
    compaction = Compaction(store, Remaining(GRID, store, journals, relaxing=True), told.append)
    compaction.begin()
    hidden, sizes = journal_elsewhere(tmp_path)
    with appearing(hidden, journals / hidden.name):
        compaction.finish(sizes)
    assert (count(store, Status.relaxed), told) == (1, [])


def test_a_journal_that_is_seen_in_part_is_told_of_and_merged_another_time(
    tmp_path: Path, short: None
) -> None:
    store, journals, told = new_store(tmp_path / "a.zarr"), tmp_path / "journals", list[str]()
    compaction = Compaction(store, Remaining(GRID, store, journals, relaxing=True), told.append)
    compaction.begin()
    hidden, sizes = journal_elsewhere(tmp_path)
    journals.mkdir()
    whole = hidden.read_bytes()
    (journals / hidden.name).write_bytes(whole[:-50])
    for _ in range(2):
        with pytest.raises(NotSeenError, match=rf"more than can be seen here after 0.1 s in {hidden.name}"):
            compaction.finish(sizes)
        assert (count(store, Status.relaxed), count(store, Status.estimated)) == (0, 6), "the rest is merged"
    (journals / hidden.name).write_bytes(whole)
    compaction.finish(sizes)
    assert (count(store, Status.relaxed), told) == (1, [])


def test_points_that_are_known_to_be_recorded_are_not_left(tmp_path: Path) -> None:
    store, journals = new_store(tmp_path / "a.zarr"), tmp_path / "journals"
    compaction = Compaction(store, Remaining(GRID, store, journals, relaxing=True), print)
    compaction.begin()
    hidden, sizes = journal_elsewhere(tmp_path)
    with appearing(hidden, journals / hidden.name):
        assert compaction.left_of(BLOCK, (1, 2, 3), sizes) == (1, 3)


def test_a_reader_knows_which_journals_it_is_behind(tmp_path: Path) -> None:
    reader = JournalReader(tmp_path)
    with Journal.create(tmp_path) as journal:
        journal.append(point_record(0))
        sizes = {journal.path.name: journal.size}
        assert journal.size == journal.path.stat().st_size
        assert reader.behind(sizes) == (journal.path.name,)
        reader.refresh()
        assert reader.behind(sizes) == ()
        journal.append(point_record(1))
        assert reader.behind({journal.path.name: journal.size}) == (journal.path.name,)
