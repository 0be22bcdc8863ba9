"""What workers have made of transfers enters the store, at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sweep.artefacts import ArtefactDamagedError
from sweep.grid import Block
from sweep.prepared import Prepared
from sweep.store.transfers import write_transfers
from sweep.transfers.made_from import transfer, untransferred


def gathered_transfers(prepared: Prepared) -> Iterator[str]:
    """Write transfers to the store as far as they are made, and say in a line what is lacking.

    A study of one dislocation has none. Only the driver may call this, under its lock.

    Parameters
    ----------
    prepared
        The study; its artefacts are what workers made.

    Yields
    ------
    str
        Nothing where the store has them all.

    Raises
    ------
    StoreError, OSError
        As `sweep.store.transfers.write_transfers`.
    """
    recipes, folder = prepared.recipes, prepared.artefacts
    if not recipes.fitting or len(recipes.study.dislocations) < 2:
        return

    def values_of(block: Block, target: str) -> dict[str, np.ndarray] | None:
        try:
            return folder.read(transfer(recipes, block, target))
        except (FileNotFoundError, ArtefactDamagedError):
            return None

    write_transfers(prepared.folders.store, values_of)
    lacking = sum(1 for _ in untransferred(recipes, prepared.folders.store))
    if lacking:
        pairs = recipes.grid.n_blocks * (len(recipes.study.dislocations) - 1)
        told = f"transfers to other dislocations: {lacking} of {pairs} are not known"
        yield f"{told}; running again makes what can be made"
