"""The watch over a run's jobs: as many as there is work for, each lost one replaced, everything odd told."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sweep.clusters.batch.queue import Job, Phase, Queue, QueueError
from sweep.clusters.errors import WorkersLostError
from sweep.gang import last_lines

# A job just submitted may not be listed yet, s.
UNLISTED_S = 10.0
# Waiting without any worker is told after this, s: under a minute, so that nobody watches in silence.
TELL_S = 30.0
# A job that runs and whose worker is not there is told after this, and given up after the second, s.
SLOW_S, TOO_SLOW_S = 60.0, 600.0
# Jobs that end one after the other before their worker was there: the next would too.
MOST_FAILURES = 3
# After a refusal the next is tried after this, s; without any job for the second, the run stops.
AGAIN_S, REFUSED_S = 20.0, 120.0
# Submitted at once: a site's limit on submissions is not met by one run's start.
AT_ONCE = 50
# Jobs without work are let go after this, s: the next stage of a study may be seconds away.
IDLE_S = 120.0


class View(Protocol):
    """What the scheduler knows of workers."""

    def present(self) -> frozenset[str]:
        """Name the workers that are connected."""

    def staying(self) -> frozenset[str]:
        """Name those of them that take work."""

    def idle(self) -> frozenset[str]:
        """Name those that have nothing to do."""

    def unfinished(self) -> int:
        """Count the tasks that have not ended."""


@dataclass
class Watched:
    """A job from its submission to its end, times by the monotonic clock."""

    submitted: float
    running: float | None = None
    worked: bool = False
    let_go: bool = False
    told_slow: bool = False


@dataclass
class Supply:
    """Keeps a run in jobs. One call of `step` is one look; `JobWatch` makes them in a thread.

    Parameters
    ----------
    queue, name, script
        Where jobs go, what they are called and what they run.
    least, most
        Jobs kept while there is work, and never exceeded.
    view
        Of the workers.
    tell
        Shows the user a line.
    logs
        Folder of what jobs print.
    clock
        Seconds that only ever grow.
    """

    queue: Queue
    name: str
    script: str
    least: int
    most: int
    view: View
    tell: Callable[[str], None]
    logs: Path
    clock: Callable[[], float] = time.monotonic
    open: dict[str, Watched] = field(default_factory=dict)
    _failures: int = 0
    _alone_since: float | None = None
    _idle_since: float | None = None
    _last_told: str = ""
    _refused: tuple[float, float, str] | None = None
    _listed: dict[str, Job] = field(default_factory=dict)

    def begin(self) -> None:
        """Submit the first job.

        Raises
        ------
        QueueError
            If it is refused.
        """
        self._submit()
        self._alone_since = self.clock()

    def step(self) -> None:
        """Look at queue and workers once: tell what has changed, submit what is missing.

        Raises
        ------
        WorkersLostError
            If no worker is there, and none can be had.
        """
        now, present = self.clock(), self.view.present()
        try:
            self._listed = {job.number: job for job in self.queue.jobs(self.name)}
        except QueueError as error:
            self._tell_once(f"the queue does not answer: {error}")
            return
        self._note(now, present)
        if present:
            self._alone_since, self._failures = None, 0
        elif self._alone_since is None:
            self._alone_since = now
        self._tell_waiting(now)
        self._submit_missing(now)
        self._let_go(now)

    def wanted(self) -> int:
        """How many jobs there is work for."""
        unfinished, staying = self.view.unfinished(), len(self.view.staying())
        # the driver keeps two tasks at hand for each worker: as many as that, and more are waiting behind them
        if unfinished >= 2 * max(1, staying):
            return self.most
        return max(self.least, min(unfinished, self.most))

    def _note(self, now: float, present: frozenset[str]) -> None:
        """Follow each job: whose worker is there, which runs, which has ended."""
        for number, watched in list(self.open.items()):
            job = self._listed.get(number)
            watched.worked |= number in present
            if job is not None and job.phase is Phase.RUNNING and watched.running is None:
                watched.running = now
            if number in present:
                continue
            if job is None and now - watched.submitted < UNLISTED_S:
                continue
            if job is None or job.phase is Phase.ENDED:
                del self.open[number]
                if not watched.let_go:
                    self._tell_ended(number, watched, job)
            elif watched.running is not None and not watched.worked:
                self._check_slow(number, watched, now - watched.running)

    def _tell_ended(self, number: str, watched: Watched, job: Job | None) -> None:
        words = job.words if job else "no longer listed"
        if watched.worked:
            if job is None or job.state != "COMPLETED":
                self.tell(
                    f"job {number} was lost: {words}; another takes its place, nothing journaled is lost"
                )
            return
        self.tell(f"job {number} ended before its worker was there: {words}{self._quoted(number)}")
        self._failures += watched.running is not None or (job is not None and job.state == "FAILED")
        if self._failures >= MOST_FAILURES:
            raise WorkersLostError(
                f"{self._failures} jobs, one after the other, ended before their worker was there: {words}"
                f"{self._quoted(number)}\nlook at prologue and modules in the cluster file"
            )

    def _check_slow(self, number: str, watched: Watched, running_s: float) -> None:
        if running_s > TOO_SLOW_S:
            self.tell(f"job {number} is cancelled: no worker after {TOO_SLOW_S:.0f} s{self._quoted(number)}")
            self.queue.cancel([number])
        elif running_s > SLOW_S and not watched.told_slow:
            watched.told_slow = True
            self.tell(
                f"job {number} runs, but its worker has not reached this host within {SLOW_S:.0f} s; if it never does, "
                f"give the network interface both share{self._quoted(number)}"
            )

    def _quoted(self, number: str) -> str:
        log = self.logs / f"job-{number}.log"
        lines = last_lines(log)
        return f"; the end of {log}:\n{lines}" if lines else ""

    def _tell_waiting(self, now: float) -> None:
        if self._alone_since is None or now - self._alone_since < TELL_S:
            return
        waiting = [self._listed[number] for number in self.open if number in self._listed]
        waiting = [job for job in waiting if job.phase is Phase.WAITING]
        if waiting:
            reasons = ", ".join(sorted({job.words for job in waiting}))
            self._tell_once(f"no worker yet, jobs in the queue: {len(waiting)}, {reasons}; Ctrl-C gives up")

    def _tell_once(self, line: str) -> None:
        if line != self._last_told:
            self.tell(line)
        self._last_told = line

    def _submit_missing(self, now: float) -> None:
        missing = min(self.wanted() - len(self._kept()), AT_ONCE)
        if self._refused is not None and now - self._refused[1] < AGAIN_S:
            missing = 0
        try:
            for _ in range(missing):
                self._submit()
                self._refused = None
        except QueueError as error:
            first = self._refused[0] if self._refused else now
            self._refused = (first, now, str(error))
            self._tell_once(f"a job was refused: {error}")
        if self._refused and not self.open and now - self._refused[0] > REFUSED_S:
            raise WorkersLostError(f"no job is left, and none is accepted any more: {self._refused[2]}")

    def _kept(self) -> list[str]:
        """Name the jobs that go on; one that the queue has forgotten is among them while its worker works."""
        leaving = self.view.present() - self.view.staying()
        return [n for n, watched in self.open.items() if not watched.let_go and n not in leaving]

    def _let_go(self, now: float) -> None:
        """Cancel jobs for which there has been no work for a while, those that wait first."""
        kept = self._kept()
        surplus = len(kept) - self.wanted()
        if surplus <= 0:
            self._idle_since = None
            return
        if self._idle_since is None:
            self._idle_since = now
        if now - self._idle_since < IDLE_S:
            return
        idle = self.view.idle()
        waiting = [n for n in kept if n in self._listed and self._listed[n].phase is Phase.WAITING]
        chosen = [*waiting, *(number for number in kept if number in idle)][:surplus]
        for number in chosen:
            self.open[number].let_go = True
        with suppress(QueueError):
            self.queue.cancel(chosen)

    def _submit(self) -> None:
        self.open[self.queue.submit(self.script)] = Watched(self.clock())
