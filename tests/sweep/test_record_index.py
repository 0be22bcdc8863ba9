"""What an index of records keeps of large studies."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def of_block(words: tuple[str, ...], checked: bool) -> Record:
    return Record(BLOCK, None, words, {"trust_ratio": [0.1, 0.2]} if checked else {"rank": 2.0})


RECORDS = st.one_of(
    st.builds(record, st.integers(0, 3), st.sampled_from(["relaxed", "unconverged", "failed"])),
    st.builds(
        of_block,
        st.sampled_from(
            [("estimated",) * 2, ("estimated", "failed"), ("failed",) * 2, ("excluded", "estimated")]
        ),
        st.booleans(),
    ),
)


@given(
    taken=st.lists(RECORDS, max_size=12), keeping=st.sampled_from([("trust_ratio",), ("trust_ratio", "rank")])
)
def test_what_counts_does_not_depend_on_what_is_kept(
    tmp_path_factory: pytest.TempPathFactory, taken: list[Record], keeping: tuple[str, ...]
) -> None:
    empty = JournalReader(tmp_path_factory.getbasetemp() / "nowhere")
    whole, slim = RecordIndex(empty), RecordIndex(empty, keeping=keeping)
    assert [whole.take(each) for each in taken] == [slim.take(each) for each in taken]
    assert len(whole) == len(slim)
    for place in (None, 0, 1, 2, 3):
        kept, known = slim.get(BLOCK, place), whole.get(BLOCK, place)
        assert (kept and kept.status) == (known and known.status)
        if place is None and kept is not None and known is not None:
            assert dict(kept.values).keys() == known.values.keys() & set(keeping)
    assert sorted((str(each.weighting_index), each.status) for each in slim.each()) == sorted(
        (str(each.weighting_index), each.status) for each in whole.each()
    )


def test_of_a_block_without_values_to_keep_its_statuses_are_kept_once(tmp_path: Path) -> None:
    index, words = RecordIndex(JournalReader(tmp_path), keeping=()), ["estimated", "excluded"]
    for replica in range(3):
        index.take(Record(Block("screw", 25.0, 6, 8.0, 4, replica), None, tuple(words), {"rank": 2.0}))
    kept = [index.get(Block("screw", 25.0, 6, 8.0, 4, replica), None) for replica in range(3)]
    assert [dict(found.values) for found in kept if found] == [{}, {}, {}]
    assert len({id(found.status) for found in kept if found}) == 1
    assert index.records == ()
