"""What is kept running while it is killed: the command, and a scheduler with its worker started by hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sweep.clusters import write_certificates
from tests.small_study import SWEEP

# A gang of two ranks, and no more than one: fewer CPUs are on every machine that runs the tests.
RANKS = 2
START_S = 120.0


@dataclass
class Runs:
    """A folder with a study, and what was started for it.

    Parameters
    ----------
    folder
        Its study file, its store, its temporary folder, its logs; its name marks every process.
    """

    folder: Path
    driver: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    starts: int = 0
    statuses: list[int] = field(default_factory=list)
    scheduler: subprocess.Popen[bytes] | None = None
    nanny: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.temporary.mkdir(parents=True, exist_ok=True)

    @property
    def temporary(self) -> Path:
        """Temporary folder of every process."""
        return self.folder / "tmp"

    @property
    def log(self) -> Path:
        """What the commands print, one after another."""
        return self.folder / "driver.log"

    def _popen(self, command: list[str], log: Path) -> subprocess.Popen[bytes]:
        # a relative TMPDIR would be taken from wherever a process is
        variables = {"FARFIELD_TEST": str(self.folder), "TMPDIR": str(self.temporary.absolute())}
        with log.open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **variables},
            )

    def start_driver(self, study: Path, *options: str) -> None:
        """Run the command; one that ended must have been taken note of."""
        assert self.driver is None
        with self.log.open("a") as log:
            log.write(f"--- {study.name} {' '.join(options)}\n")
        self.driver = self._popen([*SWEEP, "run", study.name, "--ranks", str(RANKS), *options], self.log)
        self.started = time.monotonic()
        self.starts += 1

    def ended(self) -> int | None:
        """Exit status of the command, once; None while it runs."""
        if self.driver is None or (status := self.driver.poll()) is None:
            return None
        self.driver = None
        self.statuses.append(status)
        return status

    def keep_cluster(self) -> tuple[str, ...]:
        """See to it that there are a scheduler and a worker; the command's options to use them."""
        keys, told = self.folder / "certificates", self.folder / "scheduler.json"
        if not keys.exists():
            write_certificates(keys)
        names = {"ca-file": "cert.pem", "cert": "cert.pem", "key": "key.pem"}
        tls = [f"--tls-{kind}={keys / name}" for kind, name in names.items()]
        dask, log = [sys.executable, "-m", "dask"], self.folder / "dask.log"
        if self.scheduler is None or self.scheduler.poll() is not None:
            told.unlink(missing_ok=True)
            self.scheduler = self._popen(
                [*dask, "scheduler", "--protocol=tls", "--host=127.0.0.1", "--port=0", "--no-dashboard",
                 f"--scheduler-file={told}", *tls],
                log,
            )  # fmt: skip
            end = time.monotonic() + START_S
            while not told.exists():
                assert self.scheduler.poll() is None, log.read_text()[-4000:]
                assert time.monotonic() < end, "the scheduler does not start"
                time.sleep(0.05)
            self._end_nanny()  # it belonged to the scheduler before
        if self.nanny is None or self.nanny.poll() is not None:
            scratch = self.folder / "worker"
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            self.nanny = self._popen(
                [*dask, "worker", f"--scheduler-file={told}", "--nthreads=1", "--no-dashboard",
                 "--host=127.0.0.1", "--name=by-hand", f"--local-directory={scratch}", *tls],
                log,
            )  # fmt: skip
        address = str(json.loads(told.read_text())["address"])
        return ("--cluster", address, "--certificates", str(keys))

    def _end_nanny(self) -> None:
        if self.nanny is not None:
            self.nanny.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.nanny.wait(30.0)
            self.nanny.kill()
            self.nanny.wait()
            self.nanny = None

    def end_cluster(self) -> None:
        """End what was started by hand."""
        self._end_nanny()
        if self.scheduler is not None:
            self.scheduler.terminate()
            self.scheduler.wait()
            self.scheduler = None

    def end(self) -> None:
        """End everything that is still there; for a test that fails."""
        if self.driver is not None:
            self.driver.kill()
            self.driver.wait()
        self.end_cluster()
