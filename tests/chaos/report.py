"""What the chaos was and what it cost, for people and as figures."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.chaos.kills import Kill
from tests.chaos.study import FITS, blocks_of
from tests.chaos.victims import Victim


@dataclass(frozen=True)
class Outcome:
    """What a run of the suite has seen, every check having passed.

    Parameters
    ----------
    seed, step
        Of the decks, and how often the study grew.
    kills, costs
        Kills in the order in which they were made, and those with the time until the next result (s).
    statuses
        How often the command ended how.
    looked
        How often the reader opened the store.
    results, failures, compared
        Results and failures in the journals, and values compared with the uninterrupted run.
    gone_s, taken_s, uninterrupted_s
        Time until the last process had gone, wall time of the whole, and of the uninterrupted run (s).
    """

    seed: int
    step: int
    kills: tuple[Kill, ...]
    costs: tuple[tuple[Kill, float], ...]
    statuses: Counter[int]
    looked: int
    results: int
    failures: int
    compared: int
    gone_s: float
    taken_s: float
    uninterrupted_s: float

    @property
    def figures(self) -> dict[str, object]:
        """The same as plain data, every kill in a line."""
        return {
            "seed": self.seed,
            "kills": [str(kill) for kill in self.kills],
            "by_victim": Counter(kill.blow.victim.value for kill in self.kills),
            "ends": {str(status): count for status, count in sorted(self.statuses.items())},
            "wall_s": round(self.taken_s, 1),
            "uninterrupted_s": round(self.uninterrupted_s, 1),
            "results": self.results,
            "failures": self.failures,
            "values_compared": self.compared,
        }

    @property
    def text(self) -> str:
        """The outcome for people, in Markdown."""
        blocks, ends = (
            blocks_of(self.step),
            [f"{end}: {count}" for end, count in sorted(self.statuses.items())],
        )
        return f"""\
# Chaos

`make chaos`, seed {self.seed}: {len(self.kills)} kills (SIGKILL) of a study of iron while it grew {self.step} times
to {blocks} blocks and {blocks * FITS} relaxations, all on one gang of 2 ranks. Workers were
{_counted(kill.place for kill in self.kills)}. Moments waited for: {_counted(kill.blow.moment for kill in self.kills)}.
Furthest stage at that time: {_counted(kill.stage for kill in self.kills)}.

{table_of(self.kills, self.costs)}

- Store: {self.compared} values equal to the last bit to those of an uninterrupted run; timings apart, none differs.
- Journals: {self.results} results of blocks, points and cylinders, each once: none was computed again once journaled.
  {self.failures} records of failure: the same work killed twice, then tried again with `--retry-failed`.
- Wall time: {self.taken_s:.0f} s, {self.taken_s / self.uninterrupted_s:.1f} times the uninterrupted run's
  {self.uninterrupted_s:.0f} s. Ends of the command by exit status: {", ".join(ends)} (-9 is a kill).
- A reader opened the store {self.looked} times meanwhile; it never failed, nor saw a status without its data.
- The last process had gone {self.gone_s:.1f} s after the end; no temporary file was left."""


def _counted(words: Iterable[str]) -> str:
    return ", ".join(f"{word} {count}" for word, count in Counter(words).most_common())


def table_of(kills: Sequence[Kill], costs: Iterable[tuple[Kill, float]]) -> str:
    """Markdown table: kills by victim, and how long it took until the next result."""
    rows, paid = [["victim", "kills", "s to the next result, median", "longest"], ["---"] * 4], list(costs)
    for victim in Victim:
        made = sum(kill.blow.victim is victim for kill in kills)
        seconds = [cost for kill, cost in paid if kill.blow.victim is victim]
        middle, most = (f"{statistics.median(seconds):.1f}", f"{max(seconds):.1f}") if seconds else ("", "")
        rows.append([victim, str(made), middle, most])
    rows.append(["all", str(len(kills)), "", ""])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
