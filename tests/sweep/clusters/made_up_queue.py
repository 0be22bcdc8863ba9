"""A queueing system, workers and a clock, all of them moved by the test."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sweep.clusters.batch.queue import Job, Phase, QueueError
from sweep.clusters.batch.supply import Supply


@dataclass
class MadeUpQueue:
    """Its jobs wait until told otherwise; `refusal` is what submitting is answered with."""

    listed: dict[str, Job] = field(default_factory=dict)
    refusal: str = ""
    submitted: int = 0

    def check(self, script: str) -> None:  # noqa: ARG002 - any script
        if self.refusal:
            raise QueueError(self.refusal)

    def submit(self, script: str) -> str:
        self.check(script)
        self.submitted += 1
        number = str(self.submitted)
        self.listed[number] = Job(number, Phase.WAITING, "PENDING", "Resources")
        return number

    def jobs(self, name: str) -> tuple[Job, ...]:  # noqa: ARG002 - one run's
        return tuple(self.listed.values())

    def cancel(self, numbers: Iterable[str]) -> None:
        for number in numbers:
            self.end(number, "CANCELLED")

    def run(self, number: str) -> None:
        self.listed[number] = Job(number, Phase.RUNNING, "RUNNING")

    def end(self, number: str, state: str) -> None:
        self.listed[number] = Job(number, Phase.ENDED, state)


@dataclass
class Scene:
    """A supply of jobs and all that it looks at."""

    logs: Path
    least: int = 1
    most: int = 2
    queue: MadeUpQueue = field(default_factory=MadeUpQueue)
    workers: set[str] = field(default_factory=set)
    retiring: set[str] = field(default_factory=set)
    tasks: int = 100
    told: list[str] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.supply = Supply(
            self.queue,
            "farfield-x",
            "script",
            self.least,
            self.most,
            self,
            self.told.append,
            self.logs,
            clock=lambda: self.now,
        )

    def present(self) -> frozenset[str]:
        return frozenset(self.workers)

    def staying(self) -> frozenset[str]:
        return frozenset(self.workers - self.retiring)

    def idle(self) -> frozenset[str]:
        return frozenset(sorted(self.workers - self.retiring)[self.tasks :])

    def unfinished(self) -> int:
        return self.tasks

    def pass_time(self, seconds: float) -> None:
        """Look every ten seconds."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + 10.0, end)
            self.supply.step()

    def work(self, number: str) -> None:
        self.queue.run(number)
        self.workers.add(number)
