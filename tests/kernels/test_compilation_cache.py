"""Compiled programs that a killed rank left half-written do not cost every later one its time."""

import os
import subprocess
import sys
from pathlib import Path

from kernels.compilation_cache import remove_torn_programs

PROGRAM = """\
import sys, jax, jax.numpy as jnp
import kernels.compilation_cache as cache
cache.LEAST_COMPILE_S = 0.0
cache.use_compilation_cache(sys.argv[1])
print(jax.jit(lambda x: jnp.sin(x) + 1.0)(jnp.zeros(3)).tolist())
"""


def computed(folder: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )
    assert ran.stdout.strip() == "[1.0, 1.0, 1.0]"


def programs(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.glob("*-cache")}


def test_a_program_torn_by_a_kill_is_compiled_and_kept_again(tmp_path: Path) -> None:
    computed(tmp_path)
    whole = programs(tmp_path)
    assert len(whole) >= 2
    torn, empty = sorted(whole)[:2]
    os.truncate(tmp_path / torn, whole[torn] - 1)
    os.truncate(tmp_path / empty, 0)
    computed(tmp_path)
    assert programs(tmp_path).keys() == whole.keys()
    assert remove_torn_programs(tmp_path) == []
    os.truncate(tmp_path / torn, whole[torn] // 2)
    assert remove_torn_programs(tmp_path) == [torn]
    assert programs(tmp_path).keys() == whole.keys() - {torn}
