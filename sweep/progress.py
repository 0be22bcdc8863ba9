"""Live progress of a run: a line for each stage on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from sweep.plan import Plan, stages_with_work
from sweep.schedule import Event

# Where there is no terminal, a stage speaks at its end and at most this often, s.
QUIET_S = 15.0


def saying(console: Console, words: str) -> AbstractContextManager[object]:
    """Say on a terminal what is being done as long as it lasts; elsewhere nothing."""
    return console.status(words) if console.is_terminal else nullcontext()


class RunProgress:
    """Shows stage, tasks or points done, rate, time left and failures.

    Parameters
    ----------
    plan
        What is to be done.
    console
        Where to show it.
    """

    def __init__(self, plan: Plan, console: Console) -> None:
        self._console = console
        self._totals = {stage: plan.tasks[stage] for stage in stages_with_work(plan)}
        self._started = time.monotonic()
        self._spoken = self._started
        self._first: dict[str, tuple[float, int]] = {}
        self._over: set[str] = set()
        self._bars: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("[red]{task.fields[failed]}"),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        for stage, total in self._totals.items():
            self._bars[stage] = self._progress.add_task(stage, total=total, start=False, rate="", failed="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Show what an event says."""
        if event.stage not in self._bars:
            return
        bar = self._bars[event.stage]
        self._progress.start_task(bar)
        task = self._progress.tasks[self._progress.task_ids.index(bar)]
        seconds = task.elapsed or time.monotonic() - self._started
        rate = f"{event.done / seconds:.2g}/s" if seconds > 0 and event.done else ""
        failed = f"{event.failed} failed" if event.failed else ""
        self._progress.update(
            bar, completed=event.done + event.failed, total=event.total, rate=rate, failed=failed
        )
        if not self._console.is_terminal:
            self._speak(event)

    def _speak(self, event: Event) -> None:
        now, over = time.monotonic(), event.done + event.failed
        began, before = self._first.setdefault(event.stage, (now, over))
        if event.stage in self._over or (over < event.total and now - self._spoken < QUIET_S):
            return
        if over >= event.total:
            self._over.add(event.stage)
        self._spoken = now
        parts = [f"{event.stage}: {event.done}/{event.total}", f"{now - self._started:.0f} s"]
        if event.stage == "relaxations" and before < over < event.total:
            rate = (over - before) / (now - began)
            parts.append(f"{rate:.2g}/s, about {(event.total - over) / rate:.0f} s left")
        if event.failed:
            parts.append(f"{event.failed} failed")
        self._console.print(", ".join(parts), highlight=False)
