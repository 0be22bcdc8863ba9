"""What transfers are made from: a block's fits, and what is known of another dislocation at the same radius."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sweep.artefacts import Recipe
from sweep.fixed_choices import ESTIMATES_CHECKED
from sweep.grid import Block
from sweep.location import StoreLike, location_of
from sweep.recipes import Recipes
from sweep.store.transfers import read_transfer_status
from sweep.variables import Status


def transfer(recipes: Recipes, block: Block, target: str) -> Recipe:
    """Give how a block's fits do on another dislocation.

    Parameters
    ----------
    recipes
        The study's.
    block
        The block whose fits are judged.
    target
        The dislocation, another than the block's.
    """
    functions, radius = recipes.functions(block), block.simulation_radius
    pairs = recipes.grid.n_blocks * (len(recipes.study.dislocations) - 1)
    return recipes.make(
        "kernels.blocks:transfer_block",
        fit=recipes.fit(block),
        response=recipes.response(target, radius, functions),
        held_out=recipes.held_out(target, functions),
        basis=recipes.basis(functions),
        equilibrium=recipes.equilibrium(target, radius),
        # a force evaluation each: as many as a screen checks of its own estimates
        checked=recipes.drawn(block, ESTIMATES_CHECKED // pairs),
    )


def targets_of(recipes: Recipes, block: Block) -> list[str]:
    """Name the dislocations of a study other than a block's own."""
    return [name for name in recipes.study.dislocations if name != block.dislocation]


def untransferred(recipes: Recipes, store: StoreLike) -> Iterator[tuple[Block, str]]:
    """Go through the blocks and targets of which a store does not say yet how the fits do.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    grid = recipes.grid
    if not recipes.fitting or len(recipes.study.dislocations) < 2:
        return
    # transfers are estimated with lattice and predictor of the reference
    if recipes.simulating_own_lattices:
        return
    unknown = np.ones((*grid.shape, len(recipes.study.dislocations)), dtype=bool)
    if location_of(store).exists() and (status := read_transfer_status(store, grid)) is not None:
        # what was not asked for once may be so now
        unknown = np.isin(status, [Status.pending, Status.not_asked])
    place = {name: index for index, name in enumerate(recipes.study.dislocations)}
    for block in grid.blocks():
        of_block = unknown[grid.index(block)].reshape(-1, len(place))[grid.asked(block)]
        for target in targets_of(recipes, block):
            if of_block[:, place[target]].any():
                yield block, target
