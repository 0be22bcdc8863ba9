"""Several calls with one request: their answers are those of as many calls, and a fault costs no more than one."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.gang import Gang, GangDied, GangError, GangTimeout, KernelError
from tests.sweep.gang.gangs import SOON_S, all_gone, call, options, started

MARKED = "faulty_kernels:marked"


def numbered(*then: str) -> list[dict[str, object]]:
    """Arguments of calls that end in these ways."""
    return [{"number": number, "then": way} for number, way in enumerate(then)]


def begun(folder: Path) -> list[int]:
    return sorted(int(mark.name) for mark in folder.iterdir())


def within(seconds: float, done) -> bool:
    end = time.monotonic() + seconds
    while not (reached := done()) and time.monotonic() < end:
        time.sleep(0.01)
    return reached


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_a_series_answers_as_so_many_calls(ranks: int) -> None:
    arrays = [np.random.default_rng(seed).normal(size=5) for seed in range(4)]
    with Gang(options(ranks=ranks)) as gang:
        series = gang.calls("faulty_kernels:total", [{"values": array} for array in arrays])
        for answer, array in zip(series, arrays, strict=True):
            np.testing.assert_allclose(answer, array * ranks * (ranks + 1) / 2, rtol=1e-15)
        assert gang.generation == 1


def test_what_is_shared_is_given_to_each(shared: Gang) -> None:
    each = [{"number": number} for number in range(3)]
    assert list(shared.calls(MARKED, each, then="")) == [0, 1, 2]
    # what a call alone is given comes before what all are
    assert list(shared.calls(MARKED, each, number=7)) == [0, 1, 2]


def test_no_calls_start_no_ranks() -> None:
    gang = Gang(options())
    assert list(gang.calls(MARKED, [])) == []
    assert gang.generation == 0


@settings(max_examples=15)
@given(
    ways=st.lists(st.sampled_from(["", "", "", "raise", "raise on the last", "foreign", "exit"]), max_size=6),
    asked=st.integers(0, 6),
)
def test_a_series_is_a_prefix_of_so_many_calls(shared: Gang, ways: list[str], asked: int) -> None:
    """Whatever goes wrong, wherever one stops to ask: values in their order, the right error, the next call served."""
    good = next((place for place, way in enumerate(ways) if way), len(ways))
    answers: list[int] = []
    with closing(shared.calls(MARKED, numbered(*ways))) as series:
        if asked > good and good < len(ways):
            error = {"exit": GangDied}.get(ways[good], KernelError)
            with pytest.raises(error, match="NotPlain" if ways[good] == "foreign" else "marked"):
                answers.extend(islice(series, asked))
        else:
            answers.extend(islice(series, asked))
    assert answers == list(range(min(good, asked)))
    assert call(shared, "echo", value=9) == 9


def taken(
    gang: Gang, each: list[dict[str, object]], most: int, pause: float = 0.0, **shared: str
) -> list[int]:
    """Answers of a series that is asked for no more than so many."""
    answers: list[int] = []
    for answer in gang.calls(MARKED, each, enough=lambda: len(answers) >= most, **shared):
        answers.append(answer)
        time.sleep(pause)
    return answers


@pytest.mark.parametrize("way", ["raise", "raise on the last"])
def test_what_raises_ends_the_series_and_leaves_the_ranks(gang: Gang, tmp_path: Path, way: str) -> None:
    pids = started(gang)
    answers = []
    with pytest.raises(KernelError, match=r"LookupError.*no 1"):
        answers.extend(gang.calls(MARKED, numbered("", way, "", ""), marks=str(tmp_path)))
    assert call(gang, "echo", value=3) == 3
    assert started(gang) == pids
    assert begun(tmp_path) == [0, 1]


def test_an_answer_that_ranks_do_not_know_to_be_wrong_ends_them(gang: Gang) -> None:
    pids = started(gang)
    with pytest.raises(KernelError, match="NotPlainError"):
        list(gang.calls(MARKED, numbered("", "foreign", "", "")))
    assert all_gone(pids)
    with pytest.raises(KernelError, match="NotPlainError"):
        list(gang.calls(MARKED, numbered("", "foreign")))
    assert gang.generation == 2
    assert gang.alive


def test_a_death_costs_what_was_not_answered(gang: Gang) -> None:
    series = gang.calls(MARKED, numbered("", "", "exit", ""))
    assert [next(series), next(series)] == [0, 1]
    with pytest.raises(GangDied, match="went away during"):
        next(series)
    assert call(gang, "echo", value=4) == 4
    assert gang.generation == 2


def test_each_call_has_the_whole_time(gang: Gang) -> None:
    started(gang)
    began = time.monotonic()
    assert list(gang.calls(MARKED, numbered("", "", "", ""), seconds=0.5, timeout_s=1.5)) == [0, 1, 2, 3]
    assert time.monotonic() - began > 1.5


def test_a_call_that_takes_too_long_is_the_one_that_is_named(gang: Gang) -> None:
    pids = started(gang)
    each = [{"number": 0, "seconds": 0.0}, {"number": 1, "seconds": 600.0}, {"number": 2}]
    series = gang.calls(MARKED, each, timeout_s=0.5)
    assert next(series) == 0
    # what the owner does meanwhile takes nothing from the time of a call that is answered, and adds none to another's
    time.sleep(1.0)
    with pytest.raises(GangTimeout, match=r"longer than 0\.5 s"):
        next(series)
    assert all_gone(pids)
    assert call(gang, "echo", value=5) == 5


def test_answers_that_came_in_time_are_taken_late(gang: Gang) -> None:
    started(gang)
    answers = []
    for answer in gang.calls(MARKED, numbered("", "", ""), timeout_s=0.4):
        answers.append(answer)
        time.sleep(0.6)
    assert answers == [0, 1, 2]


def test_ranks_go_on_while_an_answer_is_dealt_with(gang: Gang, tmp_path: Path) -> None:
    with closing(gang.calls(MARKED, numbered("", "", ""), marks=str(tmp_path))) as series:
        assert next(series) == 0
        assert within(SOON_S, lambda: begun(tmp_path) == [0, 1, 2])
        assert list(series) == [1, 2]


@pytest.mark.parametrize("ranks", [1, 2])
def test_enough_is_at_most_one_call_more(ranks: int, tmp_path: Path) -> None:
    with Gang(options(ranks=ranks)) as gang:
        each = [{"number": number, "seconds": 0.2} for number in range(20)]
        answers = taken(gang, each, 2, marks=str(tmp_path))
        assert answers == begun(tmp_path)
        assert 2 <= len(answers) <= 4
        assert call(gang, "echo", value=6) == 6
        assert gang.generation == 1


def test_enough_that_comes_too_late_is_no_next_call(gang: Gang) -> None:
    for _ in range(5):
        answers = taken(gang, numbered("", "", ""), 2, pause=0.05)
        assert answers == [0, 1, 2]
        assert call(gang, "echo", value=7) == 7
    assert gang.generation == 1


def test_whoever_asks_no_further_ends_the_ranks(gang: Gang) -> None:
    pids = started(gang)
    each = [{"number": 0}, {"number": 1, "seconds": 600.0}]
    with closing(gang.calls(MARKED, each)) as series:
        assert next(series) == 0
    assert all_gone(pids)
    assert call(gang, "echo", value=8) == 8


def test_who_has_every_answer_keeps_the_ranks(gang: Gang) -> None:
    with closing(gang.calls(MARKED, numbered("", ""))) as series:
        assert [next(series), next(series)] == [0, 1]
    call(gang, "echo", value=8)
    assert gang.generation == 1


def test_a_series_that_is_not_over_admits_no_other_call_of_its_thread(gang: Gang) -> None:
    with closing(gang.calls(MARKED, numbered("", "", ""))) as series:
        assert next(series) == 0
        for other in (lambda: call(gang, "echo", value=1), gang.renew):
            with pytest.raises(GangError, match="not over"):
                other()
        assert list(series) == [1, 2]
    assert call(gang, "echo", value=1) == 1


def test_a_call_of_another_thread_waits_for_its_turn(gang: Gang) -> None:
    answers = []
    with closing(gang.calls(MARKED, numbered("", ""))) as series:
        next(series)
        thread = threading.Thread(target=lambda: answers.append(call(gang, "echo", value=2)))
        thread.start()
        thread.join(0.3)
        assert not answers
        assert list(series) == [1]
    thread.join(SOON_S)
    assert answers == [2]


def test_a_gang_closed_between_two_answers_says_so() -> None:
    gang = Gang(options())
    pids = started(gang)
    series = gang.calls(MARKED, numbered("", ""), seconds=0.2)
    next(series)
    gang.close()
    assert all_gone(pids)
    with pytest.raises(GangError, match="has been closed"):
        next(series)


def test_a_gang_closed_after_the_last_answer_has_given_them_all() -> None:
    gang = Gang(options())
    series = gang.calls(MARKED, numbered("", ""))
    assert [next(series), next(series)] == [0, 1]
    gang.close()
    assert list(series) == []


def test_many_large_answers_wait_for_a_slow_owner(gang: Gang) -> None:
    arrays = [np.full(2**18, float(number)) for number in range(6)]
    for number, answer in enumerate(gang.calls("faulty_kernels:echo", [{"value": a} for a in arrays])):
        time.sleep(0.1)
        assert np.array_equal(answer, arrays[number])
    assert gang.generation == 1
