"""Compiled programs: those that a killed rank left half-written cost no later one its time, and gangs share them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kernels import shared_programs
from kernels.compilation_cache import is_whole, remove_torn_programs
from kernels.shared_programs import SharedPrograms, shared_folder

PROGRAM = """\
import sys, jax, jax.numpy as jnp
import kernels.compilation_cache as cache
hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event) if event.endswith("/cache_hits") else None)
cache.LEAST_COMPILE_S = 0.0
cache.use_compilation_cache(sys.argv[1])
print(jax.jit(lambda x: jnp.sin(x) + 1.0)(jnp.zeros(3)).tolist(), len(hits))
"""


def computed(own: Path, shared: Path | None) -> int:
    """Compute something with a gang's own folder and the one that all share; how many programs were not compiled."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(own)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu", shared_programs.VARIABLE: str(shared or "")},
    )
    answer, _, hits = ran.stdout.strip().rpartition(" ")
    assert answer == "[1.0, 1.0, 1.0]"
    return int(hits)


def programs(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in folder.glob("*/*-cache")}


def sharing(tmp_path: Path, own: str) -> SharedPrograms:
    (tmp_path / own).mkdir(exist_ok=True)
    return SharedPrograms(tmp_path / own, tmp_path / "programs/for-these", Path.exists)


def test_a_program_torn_by_a_kill_is_compiled_and_kept_again(tmp_path: Path) -> None:
    assert computed(tmp_path, None) == 0
    whole = programs(tmp_path)
    assert len(whole) >= 2
    folder = next(iter(whole.values())).parent
    torn, empty = sorted(whole)[:2]
    os.truncate(whole[torn], whole[torn].stat().st_size - 1)
    os.truncate(whole[empty], 0)
    assert computed(tmp_path, None) == len(whole) - 2
    assert programs(tmp_path).keys() == whole.keys()
    assert remove_torn_programs(folder) == []
    os.truncate(whole[torn], whole[torn].stat().st_size // 2)
    assert remove_torn_programs(folder) == [torn]
    assert programs(tmp_path).keys() == whole.keys() - {torn}


def test_what_one_gang_has_compiled_no_other_compiles_again(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    assert computed(tmp_path / "one", shared) == 0
    compiled = programs(shared)
    assert compiled.keys() == programs(tmp_path / "one").keys()
    assert computed(tmp_path / "two", shared) == len(compiled)


def test_a_running_gang_takes_what_another_has_compiled_meanwhile(tmp_path: Path) -> None:
    one, two = sharing(tmp_path, "one"), sharing(tmp_path, "two")
    two.take()
    (tmp_path / "one/sine-cache").write_bytes(b"compiled")
    one.give()
    two.take()
    assert (tmp_path / "two/sine-cache").read_bytes() == b"compiled"


def test_a_torn_program_is_neither_given_nor_left_to_others(tmp_path: Path) -> None:
    """A full disk tears what JAX writes, and JAX goes on; a host that goes down, what was shared."""
    assert computed(tmp_path / "one", tmp_path / "shared") == 0
    whole = programs(tmp_path / "shared")
    torn = whole[min(whole)]
    torn.unlink()
    torn.write_bytes(b"torn")
    assert computed(tmp_path / "two", tmp_path / "shared") == len(whole) - 1
    again = programs(tmp_path / "shared")
    assert again.keys() == whole.keys()
    assert all(is_whole(path) for path in again.values())
    one = SharedPrograms(tmp_path / "one", tmp_path / "other", is_whole)
    (tmp_path / "one" / "torn-cache").write_bytes(b"torn")
    one.give()
    assert list((tmp_path / "other").iterdir()) == []
    assert not (tmp_path / "one" / "torn-cache").exists()


def test_what_cannot_be_had_is_tried_once(tmp_path: Path) -> None:
    """It is asked for before everything that is compiled."""
    looked_at: list[Path] = []

    def fails(path: Path) -> bool:
        looked_at.append(path)
        raise PermissionError(path)

    (tmp_path / "own").mkdir()
    programs = SharedPrograms(tmp_path / "own", tmp_path / "shared", fails)
    programs.take()
    (tmp_path / "shared/sine-cache").write_bytes(b"compiled")
    programs.take()
    programs.take()
    assert looked_at == [tmp_path / "shared/sine-cache"]


def test_what_had_to_make_room_is_not_given_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = sharing(tmp_path, "one")
    (tmp_path / "one/sine-cache").write_bytes(bytes(100))
    programs.give()
    monkeypatch.setattr(shared_programs, "LARGEST_BYTES", 50)
    programs.make_room()
    programs.give()
    sharing(tmp_path, "one").give()
    assert list((tmp_path / "programs/for-these").iterdir()) == []


def test_a_folder_of_another_users_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = tmp_path / "programs/for-these"
    theirs.mkdir(parents=True)
    (theirs / "sine-cache").write_bytes(b"something else")
    monkeypatch.setattr(os, "getuid", lambda: theirs.stat().st_uid + 1)
    programs = sharing(tmp_path, "one")
    programs.take()
    (tmp_path / "one/cosine-cache").write_bytes(b"compiled")
    programs.give()
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["cosine-cache"]
    assert [path.name for path in theirs.iterdir()] == ["sine-cache"]


def test_nobody_else_may_write_what_will_run_here(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        sharing(tmp_path, "one").take()
    finally:
        os.umask(before)
    for folder in ("programs", "programs/for-these"):
        assert (tmp_path / folder).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("place", ["no folder", "/proc/farfield"])
def test_without_a_place_to_share_everything_is_compiled(tmp_path: Path, place: str) -> None:
    (tmp_path / "no folder").write_text("a file")
    assert computed(tmp_path / "one", tmp_path / place) == 0
    assert programs(tmp_path / "one")


def test_programs_are_shared_over_file_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    programs = sharing(tmp_path, "one")
    programs.take()
    (tmp_path / "programs/for-these/sine-cache").write_bytes(b"compiled")
    monkeypatch.setattr(Path, "hardlink_to", refused)
    programs.take()
    assert (tmp_path / "one/sine-cache").read_bytes() == b"compiled"
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["sine-cache"]


def test_the_oldest_programs_make_room_for_any_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for age, name in enumerate(["for-these/new", "for-others/old", "for-these/older"]):
        path = tmp_path / f"programs/{name}-cache"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(100))
        os.utime(path, (1e9 - age, 1e9 - age))
    # not ours, though its name is one that JAX might give
    elsewhere = tmp_path / "programs/my-jax/oldest-cache"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(bytes(1000))
    os.utime(elsewhere, (0.0, 0.0))
    monkeypatch.setattr(shared_programs, "LARGEST_BYTES", 250)
    sharing(tmp_path, "one").make_room()
    assert {path.name for path in tmp_path.glob("programs/for-*/*")} == {"new-cache", "old-cache"}
    assert elsewhere.exists()


def test_what_killed_processes_left_unfinished_goes_in_time(tmp_path: Path) -> None:
    programs = sharing(tmp_path, "one")
    programs.take()
    for folder in ("one", "programs/for-these"):
        for name, age_s in (("being-written", 0.0), ("left", 7200.0)):
            path = tmp_path / folder / f".unfinished-{name}"
            path.write_bytes(b"half")
            os.utime(path, (time.time() - age_s,) * 2)
    programs.make_room()
    programs.take()
    assert [path.name for path in (tmp_path / "one").iterdir()] == [".unfinished-being-written"]
    assert [path.name for path in (tmp_path / "programs/for-these").iterdir()] == [
        ".unfinished-being-written"
    ]


@pytest.mark.parametrize("value", ["", "~nobody-of-this-name/programs"])
def test_nothing_is_shared_where_the_user_says_so_or_no_place_is_known(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(shared_programs.VARIABLE, value)
    assert shared_folder() is None
