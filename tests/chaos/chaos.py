"""Keeps a study running while it is killed at random, until the deck is dealt and the study done."""

from __future__ import annotations

import os
import random
import signal
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sweep.run import DONE, SOME_FAILED, STOPPED
from tests.chaos.kills import Blow, Kill, Moment
from tests.chaos.progress import Progress
from tests.chaos.running import Runs
from tests.chaos.study import NAME, write_study
from tests.chaos.victims import Victim, victims

# Kills of one step of growth: the rest of it may go on undisturbed, so that kills reach every stage and every step.
MOST_A_STEP, MOST_OF_THE_FIRST = 18, 18
# Without any result for this long, and without a kill, a run hangs, s.
HANGING_S = 600.0
# A kill waits so long for its moment, then takes any, s.
PATIENCE_S = 60.0
LOCAL, CLUSTER = "local", "at an address"
# What a run may say that finds no worker, or the run before it not quite gone, or two gangs of its trial killed in a
# row: it has written nothing.
REFUSED, REFUSALS = (
    2,
    (
        "no worker within",
        "no scheduler answers",
        "went away while",
        "another run has these workers",
        "cannot be tried",
    ),
)


class Chaos:
    """Runs a study that grows, and kills.

    Parameters
    ----------
    runs
        Where, and what runs.
    decks
        Blows by place, local and at an address; the places take turns as the study grows.
    seed
        Of the moments.
    tell
        Called with a line about each kill and each end of the command.
    """

    def __init__(
        self, runs: Runs, decks: dict[str, list[Blow]], seed: int, tell: Callable[[str], None] = print
    ) -> None:
        self.runs, self.decks, self.tell = runs, decks, tell
        self.random = random.Random(seed)
        self.progress = Progress(runs.folder / f"{NAME}.zarr")
        self.kills: list[Kill] = []
        self.costs: list[tuple[Kill, float]] = []
        self.step, self.place = 0, LOCAL
        self.began = time.monotonic()
        self._failed = False
        self._unpaid: list[tuple[Kill, float]] = []
        self._count = (0, 0)
        self._news = time.monotonic()

    def run(self) -> None:
        """Kill until the deck is dealt, let the study finish, and end what was started by hand."""
        self._begin_step()
        while True:
            dealt = not any(self.decks.values())
            if (
                self._killed_here < (MOST_A_STEP if self.step else MOST_OF_THE_FIRST)
                and self.decks[self.place]
            ):
                finished = self._strike(self._deal())
            else:
                finished = self._wait(lambda: False)
            if finished and dealt:
                break
            if finished:
                self.step += 1
                self._begin_step()
        self.runs.end_cluster()

    def pace(self) -> float:
        """Give the time that it takes from a kill to the next result, s: about three kills come in that."""
        last = [seconds for _, seconds in self.costs[-9:]]
        return min(15.0, max(3.0, statistics.median(last))) if last else 5.0

    def _begin_step(self) -> None:
        other = CLUSTER if self.place == LOCAL and self.step else LOCAL
        self.place = other if self.decks[other] or not self.decks[self.place] else self.place
        self.study = write_study(self.runs.folder, self.step)
        self._killed_here, self._since, self._before = 0, time.time(), self.progress.keys()
        self.tell(f"step {self.step}, {self.place}: kills about every {self.pace():.1f} s")
        if self.place == LOCAL:
            self.runs.end_cluster()
        # the store grows at the beginning of a step alone
        self.decks[self.place].sort(key=lambda blow: blow.moment is Moment.growth and self.step > 0)
        self._start()

    def _start(self) -> None:
        options = ("--workers", "1") if self.place == LOCAL else self.runs.keep_cluster()
        self.runs.start_driver(self.study, *options, *["--retry-failed"] * self._failed)

    def _deal(self) -> Blow:
        """Take the next blow; just after a start one that is for the set-up, where there is one."""
        here = self.decks[self.place]
        fresh = time.monotonic() - self.runs.started < 1.0
        if fresh and here[-1].moment is not Moment.growth and self.random.random() < 0.5:
            for blow in here:
                if blow.moment is Moment.set_up:
                    here.remove(blow)
                    return blow
        return here.pop()

    def _strike(self, blow: Blow) -> bool:
        """Make a kill at its moment; True if the study is finished before it, and the blow is kept for later."""
        late = time.monotonic() - self.runs.started > 2.0
        if (blow.moment is Moment.set_up and late) or (blow.moment is Moment.growth and not self._growing):
            blow = Blow(blow.victim)
        if blow.moment is Moment.any:
            moment = time.monotonic() + self.random.expovariate(3.0 / self.pace())
            come = lambda: time.monotonic() >= moment  # noqa: E731
        elif blow.moment is Moment.set_up:
            moment = self.random.uniform(0, 1.2) * self.pace()
            come = lambda: time.monotonic() - self.runs.started >= moment  # noqa: E731
        else:
            come = self._changes_of_the_store(blow.moment)
        if self._wait(come) or not (found := self._found(blow.victim, blow.moment)):
            self.decks[self.place].insert(0, blow)
            return self._finished
        pid = self.random.choice(found)
        kill = Kill(
            time.monotonic() - self.began, blow, pid, self.step, self.place,
            self.progress.stage(self._since, self._before), len(self.progress.keys()),
        )  # fmt: skip
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.kills.append(kill)
            self._unpaid.append((kill, time.monotonic()))
            self._killed_here += 1
            self._news = time.monotonic()
            self.tell(str(kill))
        if blow.victim is Victim.driver and self.runs.driver is not None:
            self.runs.driver.wait()
            self._take_note(self.runs.ended() or 0)
            self._start()
        return False

    @property
    def _growing(self) -> bool:
        """Whether the store is still to grow in this step."""
        return self.step > 0 and not self._killed_here

    def _found(self, victim: Victim, moment: Moment) -> list[int]:
        """Wait for a victim to be there, as long as the command runs."""
        found: list[int] = []

        def there() -> bool:
            now = victims(self.runs.folder)
            # the gang of the trial, which no worker owns, is for the set-up alone
            early = victim in (Victim.launcher, Victim.rank) and moment is not Moment.set_up
            found[:] = now[victim] if now[Victim.worker] or not early else []
            return bool(found)

        self._wait(there)
        return found

    def _changes_of_the_store(self, moment: Moment) -> Callable[[], bool]:
        """Say when a write into the store has begun: its arrays' metadata, or chunks of what is written early."""
        names = ("*/zarr.json",) if moment is Moment.growth else ("rmse_energy/**/", "geometry_error/**/")
        before, since = self._newest(names), time.monotonic()
        delay = self.random.uniform(0, 0.2)

        def changed() -> bool:
            end = time.monotonic() + 0.25
            while time.monotonic() < end:
                if self._newest(names) != before:
                    time.sleep(delay)
                    return True
                time.sleep(0.004)
            return time.monotonic() - since > PATIENCE_S

        return changed

    def _newest(self, names: tuple[str, ...]) -> int:
        newest = 0
        for name in names:
            for path in self.progress.store.glob(name):
                with suppress(FileNotFoundError):
                    newest = max(newest, path.stat().st_mtime_ns)
        return newest

    def _wait(self, come: Callable[[], bool]) -> bool:
        """Keep everything running until a moment has come, or the study is finished; whether it is finished."""
        self._finished = False
        while not come():
            self._see_progress()
            status = self.runs.ended()
            if status is not None:
                self._take_note(status)
                if status == DONE:
                    self._finished = True
                    return True
                self._start()
            elif self.place == CLUSTER:
                self.runs.keep_cluster()
            time.sleep(0.05)
        return False

    def _take_note(self, status: int) -> None:
        killed = status == -signal.SIGKILL
        if not killed:
            self.tell(f"the command ended with {status}")
        said = _tail(self.runs.log)
        refused = status == REFUSED and any(words in said for words in REFUSALS)
        assert killed or refused or status in (DONE, SOME_FAILED, STOPPED), said
        assert "Traceback" not in said, said
        self._failed = status == SOME_FAILED or (self._failed and status != DONE)

    def _see_progress(self) -> None:
        count, now = self.progress.count(), time.monotonic()
        if count != self._count:
            self._count, self._news = count, now
            self.costs += [(kill, now - then) for kill, then in self._unpaid]
            self._unpaid.clear()
        assert now - self._news < HANGING_S, (
            f"nothing came of the run for {HANGING_S} s:\n{_tail(self.runs.log)}"
        )


def _tail(log: Path) -> str:
    """What the last command printed."""
    return log.read_text(errors="replace").rpartition("\n--- ")[2][-6000:]
