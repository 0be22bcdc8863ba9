"""The launchers that can be named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sweep.gang import Gang, LaunchError
from sweep.gang.launchers import LAUNCHERS, check_launcher, launcher_command
from tests.sweep.gang.gangs import call, options


@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_command_starts_with_the_launchers_own_words(name: str) -> None:
    assert " ".join(launcher_command(name, ranks=3)).startswith(name)


@pytest.mark.parametrize("name", LAUNCHERS[1:])
def test_srun_ends_the_step_with_its_first_dead_rank_and_hands_on_the_environment(name: str) -> None:
    command = launcher_command(name, ranks=6, nodes=3)
    assert {"--kill-on-bad-exit=1", "--export=ALL"} <= set(command)
    assert {"--nodes=3", "--ntasks=6", "--ntasks-per-node=2"} <= set(command)


def test_a_sites_own_mpiexec_is_named_by_its_path() -> None:
    assert launcher_command("/opt/mpi ch/bin/mpiexec.hydra", ranks=2) == (
        "/opt/mpi ch/bin/mpiexec.hydra",
        "-n",
        "2",
    )


@pytest.mark.parametrize(
    "name", ["", "mpirun", "srun", "srun --mpi=none", "bin/mpiexec", "/bin/sh", "mpiexec -launcher fork"]
)
def test_what_is_no_launcher_is_refused_with_what_is(name: str) -> None:
    with pytest.raises(ValueError, match=r"no launcher: write mpiexec, srun --mpi=pmi2"):
        check_launcher(name)


@pytest.mark.parametrize(("ranks", "nodes"), [(3, 2), (1, 2), (0, 1), (2, 0)])
def test_ranks_spread_evenly(ranks: int, nodes: int) -> None:
    with pytest.raises(ValueError, match=r"evenly|at least one"):
        launcher_command("mpiexec", ranks, nodes)


def test_the_named_mpiexec_is_this_environments_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mpiexec").write_text("#!/bin/sh\necho another one; exit 9\n")
    (tmp_path / "mpiexec").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with Gang(options(launcher=launcher_command("mpiexec", ranks=2))) as gang:
        assert call(gang, "describe")["size"] == 2
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(LaunchError, match=r"(?s)exit code 9.*another one"):
        call(Gang(options(launcher=launcher_command("mpiexec", ranks=2))), "describe")


def test_a_launcher_may_be_a_path() -> None:
    here = str(Path(sys.executable).with_name("mpiexec"))
    with Gang(options(launcher=launcher_command(here, ranks=2))) as gang:
        assert call(gang, "describe")["size"] == 2
