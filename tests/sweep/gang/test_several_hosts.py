"""Ranks on this host and on another: a network namespace with an address of its own, where root may make one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from sweep.gang import Gang, GangDied, GangOptions, GangTimeout
from sweep.gang.launchers import launcher_command
from tests.sweep.gang.gangs import CHECKOUT, TESTS, all_gone, call, options, started

REQUIRED = os.environ.get("FARFIELD_REQUIRE_NAMESPACES") == "1"
# stands for ssh: mpiexec calls it with a host and the words of a command
REMOTE_SHELL = """\
#!/bin/sh
host=$1
shift
[ "$host" = here ] && eval exec "$@"
eval exec ip netns exec "$host" "$@"
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def hosts():
    """Make another host; yield its name and the interface that leads to it."""
    name, interface = f"farfield{os.getpid()}", f"ff{os.getpid()}"
    try:
        ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError) as error:
        if REQUIRED:
            raise
        pytest.skip(f"no network namespace can be made here: {error}")
    try:
        ip("link", "add", interface, "type", "veth", "peer", "name", "there", "netns", name)
        ip("addr", "add", "198.51.100.1/24", "dev", interface)
        ip("link", "set", interface, "up")
        ip("-n", name, "addr", "add", "198.51.100.2/24", "dev", "there")
        ip("-n", name, "link", "set", "there", "up")
        ip("-n", name, "link", "set", "lo", "up")
        yield name, interface
    finally:
        ip("netns", "del", name)


@pytest.fixture
def spread(hosts: tuple[str, str], temporary: Path, tmp_path: Path) -> GangOptions:
    """Describe four ranks, two on each host."""
    name, interface = hosts
    shell = tmp_path / "remote-shell"
    shell.write_text(REMOTE_SHELL)
    shell.chmod(0o755)
    program, *shape = launcher_command(str(Path(sys.executable).with_name("mpiexec")), ranks=4, nodes=2)
    how = ["-launcher", "rsh", "-launcher-exec", str(shell), "-localhost", "198.51.100.1"]
    return options(
        ranks=4,
        launcher=(program, *how, "-hosts", f"here,{name}", *shape),
        interface=interface,
        shared_folder=temporary,
        cpus="claimed",
    )


def namespaces(pids: object) -> list[str]:
    return [str(Path(f"/proc/{pid}/ns/net").readlink()) for pid in pids]


def test_ranks_on_two_hosts_are_one_world_and_share_no_processor(
    spread: GangOptions, temporary: Path
) -> None:
    with Gang(spread) as gang:
        assert call(gang, "total", values=np.ones(2)).tolist() == [10.0, 10.0]
        seen = call(gang, "describe")
        places = namespaces(gang.pids)
        assert call(gang, "echo", value=np.arange(10**6)).sum() == 499999500000
    assert places[0] == places[1] != places[2] == places[3]
    assert places[0] == str(Path("/proc/self/ns/net").readlink())
    if len(os.sched_getaffinity(0)) > 1:
        for first, second in (seen["cpus"][:2], seen["cpus"][2:]):
            assert len(first) == len(second) == 1
            assert first != second
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("rank", [1, 3])
def test_a_rank_that_dies_ends_the_ranks_of_every_host(spread: GangOptions, rank: int) -> None:
    with Gang(spread) as gang:
        before = started(gang)
        with pytest.raises(GangDied, match="went away"):
            call(gang, "leave", rank=rank, code=3)
        assert all_gone(before)
        assert call(gang, "echo", value=1) == 1


def test_a_hang_on_another_host_says_where(spread: GangOptions) -> None:
    with Gang(spread) as gang:
        before = started(gang)
        with pytest.raises(GangTimeout, match=r"(?s)ranks 0, 1, 2, 3 of 4.*in sleep"):
            call(gang, "sleep", rank=3, seconds=600, timeout_s=0.5)
        assert all_gone(before)


def test_a_killed_owner_leaves_no_rank_on_another_host(spread: GangOptions) -> None:
    program = """
        import sys
        from pathlib import Path
        from sweep.gang import Gang, GangOptions
        interface, folder, tests, *launcher = sys.argv[1:]
        gang = Gang(GangOptions(ranks=4, launcher=tuple(launcher), interface=interface, shared_folder=Path(folder),
            python_path=(tests,)))
        print(*gang.call("faulty_kernels:describe")["pids"], flush=True)
        gang.call("faulty_kernels:sleep", rank=3, seconds=600)
    """
    words = [spread.interface, str(spread.shared_folder), str(TESTS), *spread.launcher]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *words],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        pids = [int(word) for word in owner.stdout.readline().split()]
        owner.send_signal(signal.SIGKILL)
    assert len(pids) == 4
    assert all_gone(pids)


def test_a_host_without_the_interface_says_which_it_has(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"no network interface 'ib7' with an IPv4 address: name one of .*lo"):
        call(Gang(options(interface="ib7", shared_folder=tmp_path)), "describe")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("alone", [{"interface": "lo"}, {"shared_folder": Path()}])
def test_ranks_on_other_hosts_need_an_interface_and_a_folder(alone: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="interface and shared_folder go together"):
        options(**alone)


def test_a_shared_folder_that_others_may_enter_holds_a_private_one(tmp_path: Path) -> None:
    open_to_all = tmp_path / "scratch"
    open_to_all.mkdir(mode=0o755)
    with Gang(options(ranks=1, interface="lo", shared_folder=open_to_all / "gangs")) as gang:
        folder = Path(call(gang, "describe")["temporary"])
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.parent.parent == open_to_all
    shutil.rmtree(open_to_all)
