"""Journal, compactor and growth as a machine that may lose its power at any write, and is started again."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sweep.compaction import Compaction
from sweep.grid import Block, Grid
from sweep.journal import Journal, JournalReader
from sweep.record_index import RecordIndex
from sweep.records import Record
from sweep.remaining import Remaining
from sweep.store import create_store, grow_store, open_store, undo_growth
from sweep.variables import Status
from tests.sweep.small_store import ATTRIBUTES, EDGES, grid_with

# Small: one dislocation, two weightings; replicas grow.
SIZES = {
    "dislocation": ("screw",),
    "degree": (6,),
    "domain_radius": (6.0,),
    "weight_forces": (1.0,),
    "weight_virial": (0.0, 1.0),
}
MOST_REPLICAS = 3
CRASHES = st.none() | st.integers(0, 60)


class PowerCutError(BaseException):
    """The process ends here; nothing that it does afterwards reaches the disk."""


class Power:
    """Counts what reaches the disk, and lets the power fail at a chosen one; then nothing more does."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.on = True

    def step(self) -> None:
        if self.on and self.left is not None:
            self.left -= 1
            self.on = self.left >= 0
        if not self.on:
            raise PowerCutError


def grid_of(replicas: int) -> Grid:
    return grid_with(**SIZES, replica=tuple(range(replicas)))


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store, self.journals = self.folder / "small.zarr", self.folder / "journals"
        self.replicas, self.number = 1, 0
        self.power = Power()
        #: What was answered for: by block and weighting, whether it failed and its value.
        self.acknowledged: dict[tuple[Block, int | None], tuple[bool, float]] = {}
        self.patch = pytest.MonkeyPatch()
        self._wire()
        create_store(self.store, grid_of(1), EDGES, ATTRIBUTES)
        self._start()

    def _wire(self) -> None:
        """Put the power's switch before every write, sync, rename and removal."""

        def switched(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **options: Any) -> Any:
                self.power.step()
                return function(*args, **options)

            return call

        write = os.write

        def torn(descriptor: int, data: bytes) -> int:
            try:
                self.power.step()
            except PowerCutError:
                if self.power.left == -1:
                    self.power.left = -2
                    write(descriptor, data[: len(data) // 2])
                raise
            return write(descriptor, data)

        self.patch.setattr("sweep.journal.os.write", torn)
        for name in ("os.fsync", "os.ftruncate", "os.replace", "os.rename", "shutil.rmtree"):
            self.patch.setattr(
                name, switched(getattr({"os": os, "shutil": shutil}[name.split(".")[0]], name.split(".")[1]))
            )
        self.patch.setattr("zarr.storage._local._put", switched(__import__("zarr").storage._local._put))

    def _start(self) -> None:
        """Start the driver and a worker anew, as after a power cut."""
        self.power = Power() if not hasattr(self, "power") else self.power
        self.power.on, self.power.left = True, None
        self.journal = Journal(self.journals / f"{self.number}.journal")
        self.number += 1
        self.grid = grid_of(self.replicas)
        undo_growth(self.store)
        self.compaction = Compaction(
            self.store, Remaining(self.grid, self.store, self.journals, relaxing=True), lambda _: None
        )
        self.compaction.begin()

    def _until_the_power_fails(self, after: int | None, act: Callable[[], None]) -> bool:
        """Do something; whether it was done. If the power failed, a reader looks, and all is started again."""
        self.power.left = after
        try:
            act()
        except PowerCutError:
            self.journal.close()
            self.status_claims_nothing()
            self._start()
            return False
        self.power.left = None
        return True

    @rule(
        replica=st.integers(0, MOST_REPLICAS - 1),
        weighting=st.sampled_from([None, 0, 1]),
        failed=st.booleans(),
        after=CRASHES,
    )
    def record(self, replica: int, weighting: int | None, failed: bool, after: int | None) -> None:
        block = Block("screw", 25.0, 6, 6.0, 4, replica % self.replicas)
        value = float(len(self.acknowledged) + self.number)
        name = "geometry_estimate" if weighting is None else "geometry_error"
        status = "failed" if failed else ("estimated" if weighting is None else "relaxed")
        values = {} if failed else {name: value, **({"basis_size": 61.0} if weighting is None else {})}
        if self._until_the_power_fails(
            after, lambda: self.journal.append(Record(block, weighting, status, values))
        ):
            known = self.acknowledged.get((block, weighting))
            if known is None or known[0] or not failed:
                self.acknowledged[block, weighting] = (failed, value)

    @rule(after=CRASHES)
    def compact(self, after: int | None) -> None:
        self._until_the_power_fails(after, self.compaction.run)

    @precondition(lambda self: self.replicas < MOST_REPLICAS)
    @rule(after=CRASHES)
    def grow(self, after: int | None) -> None:
        longer = grid_of(self.replicas + 1)
        if self._until_the_power_fails(
            after, lambda: grow_store(self.store, longer, f"study: {self.replicas}\n") and None
        ):
            self.replicas += 1
            self._start()

    @invariant()
    def status_claims_nothing(self) -> None:
        """A reader at any moment opens the store, and no status says what the data do not hold."""
        dataset = open_store(self.store)[["status", "geometry_error", "basis_size", "replica"]].load()
        assert not dataset["replica"].isnull().any()
        relaxed = dataset["status"] == Status.relaxed
        assert np.isfinite(dataset["geometry_error"].values[relaxed.values]).all()

    @invariant()
    def nothing_acknowledged_is_lost(self) -> None:
        index = RecordIndex(JournalReader(self.journals))
        index.refresh()
        for (block, weighting), (failed, value) in self.acknowledged.items():
            record = index.get(block, weighting)
            assert record is not None
            assert record.failed <= failed
            name = "geometry_estimate" if weighting is None else "geometry_error"
            assert failed or value in np.atleast_1d(record.values[name]) or not record.failed

    def teardown(self) -> None:
        """Running again completes: whatever was acknowledged is in the store."""
        try:
            self.power.left = None
            self.compaction.run()
            status = open_store(self.store)["status"]
            for (block, weighting), (failed, _) in self.acknowledged.items():
                if weighting is not None:
                    cell = status.sel(replica=block.replica).values.reshape(-1)[weighting]
                    assert cell == Status.relaxed if not failed else cell in (Status.failed, Status.relaxed)
        finally:
            self.journal.close()
            self.patch.undo()
            shutil.rmtree(self.folder)


def _bounded(machine: type[Machine], examples: int, steps: int) -> Any:
    case = machine.TestCase
    case.settings = settings(
        max_examples=examples,
        stateful_step_count=steps,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    return case


class _Longer(Machine):
    """The same machine, for longer."""


TestCrashes = _bounded(Machine, 4, 10)
# three thousand steps, each of which may start the driver anew: some ten minutes
TestManyCrashes = pytest.mark.timeout(3600)(pytest.mark.slow(_bounded(_Longer, 100, 30)))
