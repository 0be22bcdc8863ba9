"""The hypotheses' verdicts, group by group or counted where there are many groups."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import xarray as xr

from sweep.figures.labels import number, places
from sweep.hypotheses import examine
from sweep.hypotheses.findings import CANNOT_TELL, CONTRADICTED, SUPPORTED

#: Groups that are listed one by one, at the most.
MOST_LISTED = 6


@dataclass(frozen=True)
class Verdict:
    """What became of a hypothesis in one group of fits, or in many.

    Parameters
    ----------
    group
        Which fits.
    verdict
        Supported, contradicted, cannot tell; of many groups how often each.
    statistic
        Its value and interval.
    data
        What it rests on.
    """

    group: str
    verdict: str
    statistic: str
    data: str


@dataclass(frozen=True)
class Examined:
    """A hypothesis, and its verdicts.

    Parameters
    ----------
    name, claim, statistic
        As `sweep.hypotheses` states them.
    verdict
        In one line.
    verdicts
        In detail.
    """

    name: str
    claim: str
    statistic: str
    verdict: str
    verdicts: tuple[Verdict, ...]


def examined(ds: xr.Dataset) -> list[Examined]:
    """Test the hypotheses on a store, and put their findings into words."""
    return [_in_words(name, found) for name, found in examine(ds).items()]


def _in_words(name: str, found: xr.Dataset) -> Examined:
    verdicts = [str(word) for word in found["verdict"].values.ravel()]
    if len(verdicts) <= MOST_LISTED:
        listed = tuple(_one(found, at) for at in range(len(verdicts)))
    else:
        listed = tuple(
            _many(found, word) for word in (SUPPORTED, CONTRADICTED, CANNOT_TELL) if word in verdicts
        )
    kinds = set(verdicts)
    overall = verdicts[0] if len(kinds) == 1 else _counted(verdicts)
    return Examined(name, str(found.attrs["claim"]), str(found.attrs["statistic"]), overall, listed)


def _counted(verdicts: list[str]) -> str:
    counts = Counter(verdicts)
    return ", ".join(
        f"{word} in {counts[word]} of {len(verdicts)} groups"
        for word in (SUPPORTED, CONTRADICTED, CANNOT_TELL)
        if counts[word]
    )


def _one(found: xr.Dataset, at: int) -> Verdict:
    value = found["value"]
    where = np.unravel_index(at, value.shape) if value.dims else ()
    position = dict(zip(value.dims, where, strict=True))
    group = found.isel(position)
    names = {str(name): group[name].item() for name in value.dims}
    numbers = (float(group[name]) for name in ("value", "low", "high"))
    return Verdict(
        places(found, names) or "all fits",
        str(group["verdict"].item()),
        _span(*numbers),
        str(group["data"].item()),
    )


def _many(found: xr.Dataset, word: str) -> Verdict:
    chosen = (found["verdict"] == word).values
    values = found["value"].values[chosen]
    values = values[np.isfinite(values)]
    statistic = "no value"
    if values.size:
        low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
        statistic = f"median {number(middle)}, middle 80 % {number(low)} to {number(high)}"
    example = str(found["data"].values[chosen][0])
    count = int(chosen.sum())
    return Verdict(f"{count:,} groups of {chosen.size:,}", word, statistic, f"for example: {example}")


def _span(value: float, low: float, high: float) -> str:
    if not np.isfinite(value):
        return "no value"
    if not np.isfinite(low):
        return f"{number(value)}, no interval"
    return f"{number(value)} ({number(low)} to {number(high)})"
