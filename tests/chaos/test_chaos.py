"""A hundred kills at random, and the store is that of one run that nothing happened to."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.measuring import write
from tests.chaos import reading
from tests.chaos.chaos import CLUSTER, LOCAL, Chaos
from tests.chaos.kills import CLUSTER_BLOWS, LOCAL_BLOWS, deck
from tests.chaos.outcome import check_equal, failures_in, litter, results_of, wait_until_gone
from tests.chaos.report import Outcome
from tests.chaos.running import Runs
from tests.chaos.study import FITS, NAME, blocks_of, write_study
from tests.chaos.victims import Victim

LEAST_KILLS, LEAST_OF_EACH = 100, 10


@pytest.mark.slow
@pytest.mark.timeout(3 * 3600)
def test_a_hundred_kills_change_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    runs, whole = (Runs(tmp_path / name) for name in ("killed", "whole"))
    store = runs.folder / f"{NAME}.zarr"

    def tell(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    tell(f"\nseed {seed}: CHAOS_SEED={seed} deals the same deck again")
    chaos = Chaos(
        runs, {LOCAL: deck(LOCAL_BLOWS, seed), CLUSTER: deck(CLUSTER_BLOWS, seed + 1)}, seed + 2, tell
    )
    reader = subprocess.Popen(
        [sys.executable, reading.__file__, str(store)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        chaos.run()
        taken = time.monotonic() - chaos.began
        seen, failed = reader.communicate(timeout=60)
    finally:
        reader.kill()
        reader.communicate()
        runs.end()
    gone = wait_until_gone(runs.folder)
    assert reader.returncode == 0, failed
    assert [line.split()[0] for line in seen.splitlines()] == ["looked"], seen
    assert litter(runs.folder, runs.temporary) == []

    made = Counter(kill.blow.victim for kill in chaos.kills)
    assert made.total() >= LEAST_KILLS
    assert min(made[victim] for victim in Victim) >= LEAST_OF_EACH, made
    results = results_of(store)
    assert set(results.values()) == {1}, "a result was computed again after it was journaled"
    assert len(results) == blocks_of(chaos.step) * (FITS + 1) + (2 if chaos.step else 1)

    began = time.monotonic()
    try:
        whole.start_driver(write_study(whole.folder, chaos.step), "--workers", "1")
        assert whole.driver is not None
        assert whole.driver.wait() == 0, whole.log.read_text()
    finally:
        whole.end()
    outcome = Outcome(
        seed=seed,
        step=chaos.step,
        kills=tuple(chaos.kills),
        costs=tuple(chaos.costs),
        statuses=Counter(runs.statuses),
        looked=int(seen.split()[1]),
        results=len(results),
        failures=failures_in(store),
        compared=check_equal(store, whole.folder / store.name),
        gone_s=gone,
        taken_s=taken,
        uninterrupted_s=time.monotonic() - began,
    )
    tell(outcome.text)
    if os.environ.get("CHAOS_WRITE"):
        write("chaos", outcome.text, outcome.figures)
