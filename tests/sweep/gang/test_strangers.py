"""Proofs between a rank and its owner: who cannot give them is heard no further."""

from __future__ import annotations

import json
import multiprocessing.connection
import pickle
import threading
from collections.abc import Iterator
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection
from pathlib import Path

import pytest

from kernels.owner import OWNER_FILE, connect
from sweep.gang import launch
from sweep.gang.connections import Keys, Listener
from tests.sweep.gang.gangs import SOON_S


@pytest.fixture(params=["Unix socket", "network"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str | tuple[str, int]:
    return str(tmp_path / "socket") if request.param == "Unix socket" else ("127.0.0.1", 0)


@pytest.fixture
def door(address: str | tuple[str, int], tmp_path: Path) -> Iterator[tuple[Listener, Keys]]:
    """Listen as an owner does, and tell the ranks in `tmp_path`."""
    keys = Keys.new()
    listener = Listener(address, keys, backlog=4)
    tell(tmp_path, listener, keys)
    yield listener, keys
    listener.close()


def tell(folder: Path, listener: Listener, keys: Keys) -> None:
    words = {"address": listener.address, "rank_key": keys.rank.hex(), "owner_key": keys.owner.hex()}
    (folder / OWNER_FILE).write_text(json.dumps(words))


def rank(folder: Path) -> tuple[threading.Thread, list[object]]:
    """Connect as a rank does, in a thread; return it and the list that its connection or error will be in."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(connect(folder))
        except (AuthenticationError, OSError, EOFError) as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def test_both_sides_agree_where_the_owners_file_is() -> None:
    assert launch.OWNER_FILE == OWNER_FILE


def test_a_rank_and_its_owner_believe_each_other(door: tuple[Listener, Keys], tmp_path: Path) -> None:
    thread, outcome = rank(tmp_path)
    owners_end = door[0].accept()
    thread.join(SOON_S)
    (ranks_end,) = outcome
    owners_end.send_bytes(b"welcome")
    assert ranks_end.recv_bytes() == b"welcome"
    ranks_end.close()
    owners_end.close()


@pytest.mark.parametrize("key", [b"a guess", "the owner's"])
def test_a_stranger_who_cannot_prove_the_ranks_key_is_not_let_in(
    door: tuple[Listener, Keys], key: bytes | str
) -> None:
    listener, keys = door
    errors = []

    def intrude() -> None:
        try:
            Client(listener.address, authkey=keys.owner if isinstance(key, str) else key)
        except (AuthenticationError, EOFError) as error:
            errors.append(error)

    stranger = threading.Thread(target=intrude)
    stranger.start()
    assert listener.accept() is None
    stranger.join(SOON_S)
    assert len(errors) == 1


def test_a_false_owner_is_left_before_anything_it_sends_is_unpickled(
    door: tuple[Listener, Keys], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpickled = []
    monkeypatch.setattr(pickle, "loads", unpickled.append)
    listener, keys = door
    # it has stolen what ranks prove, and not what owners do
    listener._keys = Keys(keys.rank, b"a guess")
    thread, outcome = rank(tmp_path)
    assert listener.accept() is None
    thread.join(SOON_S)
    assert isinstance(outcome[0], AuthenticationError)
    assert unpickled == []


def test_one_ranks_proof_does_not_serve_a_false_owner_against_another(tmp_path: Path) -> None:
    """It sits in the owner's place without a key, and has rank B answer what rank A asks."""
    with multiprocessing.connection.Listener(("127.0.0.1", 0)) as false:
        (tmp_path / OWNER_FILE).write_text(
            json.dumps({"address": false.address, "rank_key": "aa" * 32, "owner_key": "bb" * 32})
        )
        thread_a, outcome_a = rank(tmp_path)
        a: Connection = false.accept()
        thread_b, outcome_b = rank(tmp_path)
        b: Connection = false.accept()
        # whatever A answers is accepted; its own challenge is what B is asked
        a.send_bytes(challenge_of_an_owner())
        a.recv_bytes()
        a.send_bytes(b"#WELCOME#")
        b.send_bytes(a.recv_bytes())
        a.send_bytes(b.recv_bytes())
        assert a.recv_bytes() == b"#FAILURE#"
        thread_a.join(SOON_S)
        b.close()
        thread_b.join(SOON_S)
        a.close()
    assert isinstance(outcome_a[0], AuthenticationError)
    assert isinstance(outcome_b[0], (AuthenticationError, EOFError, OSError))


def challenge_of_an_owner() -> bytes:
    """Return the first message of `multiprocessing.connection.deliver_challenge`, in the running Python's form."""
    sent: list[bytes] = []

    class Recorder:
        def send_bytes(self, message: bytes) -> None:
            sent.append(message)

        def recv_bytes(self, _longest: int) -> bytes:
            raise EOFError

    with pytest.raises(EOFError):
        multiprocessing.connection.deliver_challenge(Recorder(), b"any")
    return sent[0]
