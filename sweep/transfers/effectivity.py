"""How good estimates of transfers have been: against every transfer of a store that was relaxed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import xarray as xr
from rich.table import Table

from sweep.effectivity import Spread
from sweep.transfers.variables import PREFIX, STATUS, TARGET
from sweep.variables import Status, Trust


@dataclass(frozen=True)
class TransferEffectivity:
    """Effectivities of fits trained on one dislocation and relaxed in another's cylinder.

    Parameters
    ----------
    trained, judged
        Names of the dislocations.
    relaxed
        Estimated over relaxed geometry error.
    trusted
        The same of those whose estimate was trusted beforehand.
    lost
        Number of relaxations that ended unconverged, in another minimum, or failed.
    """

    trained: str
    judged: str
    relaxed: Spread
    trusted: Spread
    lost: int


def transfer_effectivities(ds: xr.Dataset) -> list[TransferEffectivity]:
    """Compare estimates of transfers with what was relaxed, for each pair of dislocations that has any.

    Parameters
    ----------
    ds
        A store, as `sweep.open_store` gives it; without transfers there is nothing.
    """
    if TARGET not in ds.dims:
        return []
    names = [PREFIX + name for name in ("effectivity", "estimate_trusted")]
    found = []
    for trained, judged in permutations(ds["dislocation"].values.tolist(), 2):
        cell = ds[[STATUS, *names]].sel({"dislocation": trained, TARGET: judged})
        status, ratio, trust = (np.asarray(cell[name].values).ravel() for name in (STATUS, *names))
        relaxed = status == Status.relaxed
        lost = np.isin(status, [Status.unconverged, Status.other_minimum])
        spreads = Spread.of(ratio[relaxed]), Spread.of(ratio[relaxed & (trust == Trust.trusted)])
        if relaxed.any() or lost.any():
            found.append(TransferEffectivity(trained, judged, *spreads, int(lost.sum())))
    return found


def transfer_table(found: list[TransferEffectivity]) -> Table:
    """Give effectivities as a table for a terminal: medians, with the range from the 5th to the 95th percentile."""
    table = Table(title="transfers: estimated over relaxed geometry error", title_justify="left")
    for heading in ("trained on", "judged on", "of"):
        table.add_column(heading)
    for heading in ("points", "median", "5–95 %"):
        table.add_column(heading, justify="right")
    for each in found:
        for number, (what, spread) in enumerate(
            {"relaxed": each.relaxed, "trusted ones": each.trusted}.items()
        ):
            where = ("", "") if number else (each.trained, each.judged)
            numbers = (
                (f"{spread.median:.2f}", f"{spread.low:.2f}–{spread.high:.2f}") if spread.count else ("", "")
            )
            table.add_row(*where, what, str(spread.count), *numbers)
        if each.lost:
            table.add_row("", "", "no such core", str(each.lost), "", "")
    return table
