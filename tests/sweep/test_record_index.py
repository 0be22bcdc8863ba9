"""What an index of records keeps of large studies."""

from pathlib import Path

import numpy as np
import pytest

from sweep.grid import Block
from sweep.journal import Journal, JournalReader
from sweep.record_index import RecordIndex
from sweep.records import Record

BLOCK = Block("screw", 25.0, 6, 8.0, 4, 0)


def record(index: int, status: str = "relaxed") -> Record:
    return Record(BLOCK, index, status, {"geometry_error": 0.1})


def test_an_index_keeps_a_byte_of_a_point_and_all_of_a_failure(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path)
    index = RecordIndex(JournalReader(tmp_path), keeping=())
    for written in (record(3), record(700, "failed"), record(5, "unconverged")):
        journal.append(written)
    index.refresh()
    assert [index.get(BLOCK, weighting) for weighting in (0, 4, 701)] == [None] * 3
    kept = [index.get(BLOCK, weighting) for weighting in (3, 5, 700)]
    assert [found and found.status for found in kept] == ["relaxed", "unconverged", "failed"]
    assert (len(index), len(index.records)) == (3, 1)
    assert {each.weighting_index for each in index.each()} == {3, 5, 700}
    # a failure hides no result, and a result does away with a failure
    journal.append(record(3, "failed"))
    journal.append(record(700))
    index.refresh()
    kept = [index.get(BLOCK, weighting) for weighting in (3, 700)]
    assert [found and found.status for found in kept] == ["relaxed", "relaxed"]
    assert (len(index), index.records) == (3, ())
    journal.close()


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_estimates_that_a_screen_did_not_check_never_hide_those_that_were(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    for name, ratios in zip(names, ([np.nan, 0.1], [np.inf, 0.1]), strict=True):
        with Journal(tmp_path / f"{name}.journal") as journal:
            journal.append(Record(BLOCK, None, ("estimated",) * 2, {"trust_ratio": ratios}))
    index = RecordIndex(JournalReader(tmp_path), keeping=("trust_ratio",))
    index.refresh()
    record = index.get(BLOCK, None)
    assert record is not None
    assert record.values["trust_ratio"].tolist() == [np.inf, 0.1]
