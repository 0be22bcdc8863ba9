"""What workers have journaled enters the store: now and then, and in the end."""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from sweep.causes import Cause
from sweep.failures import failure_changes
from sweep.grid import Block, Cylinder, Grid
from sweep.journal import AnyRecord
from sweep.lag import LAG_S, LOOK_S, NotSeenError
from sweep.location import StoreLike
from sweep.measuring import unmeasured
from sweep.records import Record
from sweep.remaining import Remaining
from sweep.schedule import Failure
from sweep.store import (
    Failed,
    StoreError,
    UnstorableRecordError,
    read_failures,
    write_failures,
    write_records,
    write_truncations,
)
from sweep.truncations import TruncationRecord
from sweep.variables import Status

# Merging rewrites whole chunks, so it waits a while; a killed driver loses nothing, it is merged next time, s.
COMPACTION_S = 5.0
# ... and longer where it takes long: the driver shares its processors with kernels, one part in so many is its own.
COMPACTION_SHARE = 50.0
# Writing down failures may take one part in so many of a run's time.
FAILURES_SHARE = 20.0
DRIVER = "driver"
_NOTHING_TOLD: Mapping[str, int] = {}


class Compaction:
    """Takes journaled records into the store. Only the driver has one, under its lock.

    Parameters
    ----------
    store
        The store.
    remaining
        Reads the journals.
    tell
        Called with a line about what cannot be merged.

    Attributes
    ----------
    unmeasured
        How often the user's own measures failed, by reason, in what was merged.
    """

    def __init__(self, store: StoreLike, remaining: Remaining, tell: Callable[[str], None]) -> None:
        self._store, self._remaining, self._tell = store, remaining, tell
        # from the first look on: workers take seconds to start
        self._due: float | None = None
        self._damaged: set[Path] = set()
        self._missed: set[str] = set()
        self._changes: dict[Failed, Cause | None] = {}
        self._failed: frozenset[Failed] | None = None
        self._failures_due = 0.0
        self.unmeasured: Counter[str] = Counter()

    @property
    def records(self) -> tuple[AnyRecord, ...]:
        """What is journaled of blocks and cylinders and of failed points, values left out."""
        return (*self._remaining.index.records, *self._remaining.index.truncations)

    def begin(self) -> None:
        """Merge what journals of an earlier run hold: a killed driver may have had no time to."""
        for records in self._remaining.take_found():
            self._merge(records)
        # with nothing new too: what reading failures takes is not to keep workers waiting later
        self._keep_failures()
        self._tell_damage()

    def run(self) -> None:
        """Merge everything that is new."""
        started = time.monotonic()
        parts = self._remaining.index.parts()
        more = True
        while more:
            with _no_search_for_cycles():
                # nothing keeps a part: what comes next is not read beside it
                more = self._merge_part(next(parts, None))
        if time.monotonic() > self._failures_due:
            self._keep_failures()
        self._tell_damage()
        ended = time.monotonic()
        self._due = ended + max(COMPACTION_S, COMPACTION_SHARE * (ended - started))

    def finish(self, journaled: Mapping[str, int] = _NOTHING_TOLD) -> None:
        """Merge everything that is new, for the last time in this run.

        Parameters
        ----------
        journaled
            Journals by name, and how much of each is on the disk (bytes): what cannot be seen on this host yet is
            waited for, as long as file systems lag.

        Raises
        ------
        NotSeenError
            If it does not come; the rest is merged.
        """
        self._failures_due = 0.0
        if behind := self._catch_up(journaled):
            raise NotSeenError(
                f"workers have recorded more than can be seen here after {LAG_S:g} s in {', '.join(behind)}: the file "
                "system lags, or is not shared"
            )

    def _catch_up(self, journaled: Mapping[str, int]) -> tuple[str, ...]:
        """Merge everything that is new and known to be there; which journals hold more all the same."""
        self.run()
        until = time.monotonic() + LAG_S
        while (behind := self._remaining.index.behind(journaled)) and not self._missed.issuperset(behind):
            if time.monotonic() > until:
                # it is not waited for again
                self._missed.update(behind)
                break
            time.sleep(LOOK_S)
            self.run()
        return behind

    def now_and_then(self) -> None:
        """Merge if it has been a while."""
        if self._due is None:
            self._due = time.monotonic() + COMPACTION_S
        if time.monotonic() > self._due:
            self.run()

    def left_of(
        self, block: Block, weightings: tuple[int, ...], journaled: Mapping[str, int] = _NOTHING_TOLD
    ) -> tuple[int, ...]:
        """Of some points, those that no journal has, as of now; what is known to be there is waited for."""
        self._catch_up(journaled)
        return self._remaining.left_of(block, weightings)

    def _keep_failures(self) -> None:
        """Bring the store's failures up to date. They are written whole, so a run of many failures does it seldom."""
        started, changes, self._changes = time.monotonic(), self._changes, {}
        if self._failed is not None:
            changes = {
                where: why for where, why in changes.items() if why is not None or where in self._failed
            }
        if not changes and self._failed is not None:
            return
        try:
            known = read_failures(self._store)
        except StoreError as error:
            self._tell(str(error))
            known = {}
        failed = {where: why for where, why in {**known, **changes}.items() if why is not None}
        if failed != known:
            write_failures(self._store, failed)
        self._failed = frozenset(failed)
        ended = time.monotonic()
        self._failures_due = ended + FAILURES_SHARE * (ended - started)

    def _merge_part(self, part: Sequence[tuple[AnyRecord, bool]] | None) -> bool:
        """Merge a part of the journals; whether there was one."""
        if part is not None:
            self._merge([record for record, counts in part if counts])
        return part is not None

    def _merge(self, records: Sequence[AnyRecord]) -> None:
        self.unmeasured += unmeasured(records)
        try:
            self._write(records)
        except UnstorableRecordError:
            # one record that fits nowhere must not keep the others out
            for record in records:
                self._merge_one(record)

    def _merge_one(self, record: AnyRecord) -> None:
        try:
            self._write([record])
        except UnstorableRecordError as error:
            self._tell(f"left out of the store: {error}")

    def _write(self, records: Sequence[AnyRecord]) -> None:
        of_truncation = [record for record in records if isinstance(record, TruncationRecord)]
        of_points = [record for record in records if not isinstance(record, TruncationRecord)]
        if of_truncation:
            write_truncations(self._store, of_truncation)
        if of_points:
            write_records(self._store, of_points)
        for where, why in failure_changes(records, self._remaining.index).items():
            # millions of points never fail: of them nothing is kept
            if why is not None or where in self._changes or self._failed is None or where in self._failed:
                self._changes[where] = why

    def _tell_damage(self) -> None:
        for damage in self._remaining.index.damage:
            if damage.path not in self._damaged:
                self._damaged.add(damage.path)
                self._tell(
                    f"{damage.path} is damaged from byte {damage.offset} on ({damage.reason}): what stands before "
                    "is taken, what it held after that is computed again"
                )


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Put the search for unused cycles off: thousands of records, which are in none, set it off again and again."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()


def failure_lines(records: Sequence[AnyRecord]) -> Iterator[str]:
    """Say why points, blocks and truncation errors failed, each reason once with how often it was met."""
    reasons = Counter(record.message.partition("\n")[0] for record in records if record.failed)
    for reason, count in reasons.most_common():
        yield f"failed {count} time{'s' * (count != 1)}: {reason}"
    if reasons:
        yield "the logs are in the run folder; --retry-failed tries them again"


def truncation_lines(records: Sequence[AnyRecord]) -> Iterator[str]:
    """Say why cylinders have no truncation errors although nothing failed."""
    for record in records:
        if isinstance(record, TruncationRecord) and record.message and not record.failed:
            cylinder = record.cylinder
            where = f"{cylinder.dislocation} at {cylinder.simulation_radius:g} Å"
            yield f"no truncation errors of {where}: {record.status}, {record.message}"


def failure_records(grid: Grid, failure: Failure) -> Iterator[AnyRecord]:
    """Write down a failure: of truncation errors, of points, or of a block with all its points."""
    place, failed, why = failure.place, Status.failed.name, asdict(failure.cause)
    why["worker"] = why["worker"] or DRIVER
    if isinstance(place, Cylinder):
        yield TruncationRecord(place, failed, **why)
        return
    if failure.weightings:
        for weighting in failure.weightings:
            yield Record(place, weighting, failed, **why)
        return
    statuses = tuple(
        Status.excluded.name if weighting.excluded else failed for weighting in grid.weightings()
    )
    yield Record(place, None, statuses, **why)
