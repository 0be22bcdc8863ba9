"""Compiled programs: those that a killed rank left half-written cost no later one its time, and gangs share them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernels import shared_programs
from kernels.compilation_cache import remove_torn_programs
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


def test_a_torn_program_is_not_shared(tmp_path: Path) -> None:
    assert computed(tmp_path / "one", None) == 0
    whole = programs(tmp_path / "one")
    torn = whole[min(whole)]
    # as a rank that is killed while it writes leaves it
    os.truncate(torn, torn.stat().st_size // 2)
    computed(tmp_path / "one", tmp_path / "shared")
    folder = next((tmp_path / "shared").iterdir())
    assert {path.name for path in folder.iterdir()} == whole.keys()
    assert remove_torn_programs(folder) == []


@pytest.mark.parametrize("place", ["no folder", "/proc/farfield"])
def test_without_a_place_to_share_everything_is_compiled(tmp_path: Path, place: str) -> None:
    (tmp_path / "no folder").write_text("a file")
    assert computed(tmp_path / "one", tmp_path / place) == 0
    assert programs(tmp_path / "one")


def test_programs_are_shared_over_file_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    own, shared = tmp_path / "own", tmp_path / "shared"
    own.mkdir()
    shared.mkdir()
    (shared / "sine-cache").write_bytes(b"compiled")
    monkeypatch.setattr(Path, "hardlink_to", refused)
    SharedPrograms(own, shared).exchange()
    assert (own / "sine-cache").read_bytes() == b"compiled"
    assert [path.name for path in own.iterdir()] == ["sine-cache"]


def test_the_oldest_programs_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for age, name in enumerate(["new", "old", "older"]):
        path = tmp_path / f"{name}-cache"
        path.write_bytes(bytes(100))
        os.utime(path, (1e9 - age, 1e9 - age))
    monkeypatch.setattr(shared_programs, "LARGEST_BYTES", 250)
    SharedPrograms(tmp_path, tmp_path).make_room()
    assert {path.name for path in tmp_path.iterdir()} == {"new-cache", "old-cache"}


def test_nothing_is_shared_where_the_user_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(shared_programs.VARIABLE, "")
    assert shared_folder() is None
