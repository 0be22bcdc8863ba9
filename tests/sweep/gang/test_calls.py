"""Calls and their answers."""

from __future__ import annotations

import pickle
import threading
import time
from pathlib import Path
from types import ModuleType

import distributed.protocol.pickle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.gang import Gang, GangDied, GangError, GangTimeout, KernelError, LaunchError
from tests.sweep.gang.gangs import (
    SOON_S,
    all_gone,
    call,
    options,
    started,
)


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_an_allreduce_does_not_depend_on_how_it_is_asked(ranks: int) -> None:
    values = np.random.default_rng(0).normal(size=(7, 3))
    with Gang(options(ranks=ranks)) as gang:
        results = [call(gang, "total", values=values) for _ in range(2)]
    # Rank r adds (r + 1) times the values.
    np.testing.assert_allclose(results[0], values * ranks * (ranks + 1) / 2, rtol=1e-15)
    assert np.array_equal(results[0], results[1])


def test_large_arrays_go_there_and_back_unchanged(shared: Gang) -> None:
    array = np.random.default_rng(0).integers(0, 2**63, size=2**23)
    returned = call(shared, "echo", value=array)
    assert array.nbytes == 64 * 2**20
    assert np.array_equal(returned, array)
    returned[0] = 0  # it is the caller's own


def test_the_memory_of_a_call_is_its_own_and_of_all_ranks() -> None:
    with Gang(options(ranks=2)) as gang:
        assert gang.peak_memory_bytes is None
        peaks = []
        for megabytes in (1, 200, 1):
            call(gang, "hold_memory", megabytes=megabytes)
            assert gang.peak_memory_bytes is not None
            peaks.append(gang.peak_memory_bytes / 1e6)
    before, large, after = peaks
    # on each of two ranks; what was let go again is no part of the next call
    assert large - before == pytest.approx(2 * 199, abs=20)
    assert after == pytest.approx(before, abs=20)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=8,
)


@settings(max_examples=50)
@given(value=plain)
def test_plain_data_comes_back_equal(shared: Gang, value: object) -> None:
    assert call(shared, "echo", value=value) == value


@pytest.mark.parametrize(
    "value",
    [np.float64(0.5), np.arange(6).reshape(2, 3).T, np.zeros((0, 3)), np.array(["W", "Mo"]), Path("a/b")],
)
def test_arrays_and_scalars_come_back_alike(shared: Gang, value: object) -> None:
    returned = call(shared, "echo", value=value)
    assert type(returned) is type(value)
    assert np.array_equal(returned, value)


def test_much_output_does_not_block_and_is_dropped(gang: Gang, temporary: Path) -> None:
    assert call(gang, "chatter", lines=20_000, timeout_s=60) == "done"
    call(gang, "echo", value=1)
    (log,) = temporary.glob("*/log")
    # Of some 4 MB, what was still in the launcher's pipes when the second call began.
    assert log.stat().st_size < 1_000_000


def test_what_kernels_leave_in_the_temporary_folder_goes_with_the_gang(temporary: Path) -> None:
    with Gang(options(ranks=1)) as gang:
        left = Path(call(gang, "litter"))
        assert left.exists()
    assert list(temporary.iterdir()) == []


def test_a_killed_gang_leaves_no_shared_memory(gang: Gang) -> None:
    started(gang)
    mapped = Path(f"/proc/{gang.pids[0]}/maps").read_text()
    assert "/dev/shm/mpich_shm" in mapped
    assert not [
        line for line in mapped.splitlines() if "/dev/shm/mpich_shm" in line and "(deleted)" not in line
    ]


def test_threads_take_turns(shared: Gang) -> None:
    call(shared, "echo", value=0)
    generation = shared.generation
    results = {}

    def ask(number: int) -> None:
        for _ in range(20):
            results.setdefault(number, set()).add(float(call(shared, "total", values=np.array([number]))[0]))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: {3.0 * number} for number in range(4)}
    assert shared.generation == generation


def test_two_gangs_at_once() -> None:
    with Gang(options(ranks=1)) as one, Gang(options(ranks=2)) as two:
        assert call(one, "describe")["size"] == 1
        assert call(two, "describe")["size"] == 2
        with pytest.raises(GangDied):
            call(one, "leave", rank=0, code=1)
        assert call(two, "echo", value=1) == 1
        assert (one.generation, two.generation) == (1, 1)


def test_closing_ends_a_call_under_way(temporary: Path) -> None:
    gang = Gang(options())
    pids = started(gang)
    caught = []

    def ask() -> None:
        try:
            call(gang, "sleep", rank=0, seconds=600)
        except GangError as error:
            caught.append(type(error))

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.3)
    gang.close()
    thread.join(SOON_S)
    assert caught == [GangDied]
    assert all_gone(pids)
    assert list(temporary.iterdir()) == []


def test_a_closed_gang_says_so() -> None:
    gang = Gang(options())
    gang.close()
    gang.close()
    assert not gang.alive
    with pytest.raises(GangError, match="has been closed"):
        call(gang, "describe")


@pytest.mark.parametrize("name", ["", "module", "module:", ":function", "module:a b", "os:path.join"])
def test_what_names_no_kernel_is_refused_unasked(name: str) -> None:
    with pytest.raises(ValueError, match="write 'module:function'"):
        Gang(options()).call(name)


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan")])
def test_a_timeout_is_positive(timeout_s: float) -> None:
    with pytest.raises(ValueError, match="positive number of seconds"):
        call(Gang(options()), "describe", timeout_s=timeout_s)


@pytest.mark.parametrize("timeout_s", [float("inf"), 1e300, 1e12])
def test_a_timeout_without_end_is_none(shared: Gang, timeout_s: float) -> None:
    assert call(shared, "echo", value=1, timeout_s=timeout_s) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"ranks": 0},
        {"cpus": (0,)},
        {"cpus": "mine"},
        {"start_timeout_s": 0.0},
        {"grace_s": float("inf")},
        {"grace_s": -1.0},
    ],
)
def test_options_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        options(**wrong)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (GangError("a"), RuntimeError),
        (GangDied("a", ranks=(1,), exit_code=3), ConnectionError),
        (GangTimeout("a", ranks=(0, 1)), TimeoutError),
        (KernelError("a", kind="ValueError", reason="b", tracebacks={0: "c"}), GangError),
        (LaunchError("a"), OSError),
    ],
)
@pytest.mark.parametrize("pickling", [pickle, distributed.protocol.pickle], ids=["plain", "as Dask does it"])
def test_errors_travel(error: GangError, builtin: type[Exception], pickling: ModuleType) -> None:
    error.log_tail, error.worker = "its last words", "3"
    copy = pickling.loads(pickling.dumps(error))
    assert type(copy) is type(error)
    assert isinstance(copy, builtin)
    assert isinstance(copy, GangError)
    assert copy.message == "a"
    assert str(copy) == "a\nThe last lines the ranks printed:\nits last words"
    assert vars(copy) == vars(error)
