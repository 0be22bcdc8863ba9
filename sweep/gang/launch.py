"""A launch: the processes of a gang, from start to end.

A launch owns a private folder (``TMPDIR`` of its ranks, where they learn how to reach their owner), the launcher's
process, and the log of what the ranks print. Ending it leaves no process and no file.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from sweep.gang.connections import Keys, Listener
from sweep.gang.errors import LaunchError
from sweep.gang.logs import last_lines, put_aside
from sweep.gang.options import GangOptions
from sweep.gang.private_folder import PrivateFolder
from sweep.gang.rank_command import RANK_MODULE, check_kernels, command, environment
from sweep.gang.spawn import spawn

OWNER_FILE = "owner.json"
"""Tells the ranks, and nobody else, where their owner listens and the keys of both sides."""
LAUNCHER_PATIENCE_S = 1.0
"""How long a launcher that was asked to end may take before it is killed."""

PRINTING_S = 0.2
"""How long a launcher may take to pass on what ranks have printed; a call that failed waits so long for it."""


class Launch:
    """The launcher and the ranks that it started.

    Parameters
    ----------
    options : GangOptions
        What to launch.

    Attributes
    ----------
    listener : Listener
        Where the ranks present themselves.
    process : subprocess.Popen
        The launcher.
    connections : list of Connection
        One for each rank once the gang has gathered; closed by `end`.

    Raises
    ------
    LaunchError
        The launcher is missing, or `kernels` is not ours.
    """

    def __init__(self, options: GangOptions) -> None:
        check_kernels(options)
        ranks_command = command(options)
        self._owner_pid = os.getpid()
        self._on_one_host = options.interface is None
        self.connections: list[Connection] = []
        keys = Keys.new()
        try:
            with contextlib.ExitStack() as undo:
                self._folder = PrivateFolder(options.shared_folder)
                undo.callback(self._folder.remove)
                self.listener = Listener(_address(options, self._folder.path), keys, backlog=options.ranks)
                undo.callback(self.listener.close)
                _tell_ranks(self._folder.path, self.listener.address, keys)
                self._private_log = options.log is None
                self._log = options.log or self._folder.path / "log"
                self._log.parent.mkdir(parents=True, exist_ok=True)
                put_aside(self._log)
                variables = environment(options) | {"TMPDIR": str(self._folder.path)}
                with self._log.open("ab") as output:
                    self.mark_log()
                    self.process = spawn((*ranks_command, str(self._folder.path)), variables, output)
                undo.pop_all()
        except OSError as error:
            raise LaunchError(f"the ranks could not be launched: {error}") from error

    def stop_listening(self) -> None:
        """Close the door behind the ranks, and forget the keys."""
        self.listener.close()
        (self._folder.path / OWNER_FILE).unlink(missing_ok=True)

    def mark_log(self) -> None:
        """Let `log_tail` quote only what is printed from here on."""
        self._log_start = 0
        # A log that someone removed is no reason to refuse a call.
        with contextlib.suppress(FileNotFoundError):
            if self._private_log:
                os.truncate(self._log, 0)
            else:
                self._log_start = self._log.stat().st_size

    def log_tail(self) -> str:
        """Return the last lines printed since the mark; empty where there are none."""
        return last_lines(self._log, self._log_start)

    def patient_log_tail(self) -> str:
        """Return `log_tail` once the launcher, which passes on what ranks print, has had a moment to do so."""
        end, lines = time.monotonic() + PRINTING_S, self.log_tail()
        while time.monotonic() < end:
            time.sleep(PRINTING_S / 10)
            before, lines = lines, self.log_tail()
            if lines and lines == before:
                break
        return lines

    def exit_code(self, patience_s: float) -> int | None:
        """Return what the launcher ended with, 128 + the number for a signal; None if it does not end."""
        try:
            code = self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            return None
        return 128 - code if code < 0 else code

    def dump_stacks(self) -> None:
        """Have every rank print where it is."""
        if self._on_one_host:
            self._signal_ranks(signal.SIGUSR1)
        else:
            # mpiexec and srun hand it on, also to the ranks on this host
            self.process.send_signal(signal.SIGUSR1)
        # The dump passes through the launcher's pipes on its way to the log.
        time.sleep(0.2)

    def stop(self, patience_s: float) -> None:
        """Ask the ranks to leave in good order, and wait for it."""
        with contextlib.suppress(OSError):
            for connection in self.connections:
                connection.send_bytes(b"")
            self.exit_code(patience_s)

    def kill(self) -> None:
        """Kill the launcher and the ranks on this host; may be called while another thread waits for them."""
        self.process.kill()
        self._signal_ranks(signal.SIGKILL)

    def end(self) -> None:
        """End every process of the gang, whatever state it is in, and remove its folder."""
        if os.getpid() != self._owner_pid:
            return
        self.listener.close()
        for connection in self.connections:
            connection.close()
        self.process.terminate()
        if self.exit_code(LAUNCHER_PATIENCE_S) is None:
            self.process.kill()
            self.process.wait()
        end = time.monotonic() + LAUNCHER_PATIENCE_S
        while self._signal_ranks(signal.SIGKILL) and time.monotonic() < end:
            time.sleep(0.01)
        self._folder.remove()

    def _signal_ranks(self, number: signal.Signals) -> int:
        """Send a signal to the ranks on this host; return how many there were.

        They are known by the folder on their command line, which no other process has.
        """
        signalled = 0
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if words[1:] == [b"-P", b"-m", RANK_MODULE.encode(), os.fsencode(self._folder.path), b""]:
                    os.kill(int(entry.name), number)
                    signalled += 1
        return signalled


def _address(options: GangOptions, folder: Path) -> str | tuple[str, int]:
    """Return where to listen: in the private folder, or on a free port of the interface."""
    if options.interface is None:
        return str(folder / "socket")
    interfaces = psutil.net_if_addrs()
    for address in interfaces.get(options.interface, []):
        if address.family == socket.AF_INET:
            return address.address, 0
    raise LaunchError(
        f"this host has no network interface {options.interface!r} with an IPv4 address: name one of "
        f"{', '.join(sorted(interfaces))}"
    )


def _tell_ranks(folder: Path, address: str | tuple[str, int], keys: Keys) -> None:
    descriptor = os.open(folder / OWNER_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"address": address, "rank_key": keys.rank.hex(), "owner_key": keys.owner.hex()}, file)
