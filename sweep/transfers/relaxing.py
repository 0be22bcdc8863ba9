"""Relax some fits in other dislocations' cylinders, so that estimates of transfers can be compared with errors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from sweep.artefacts import ArtefactFolder, Recipe
from sweep.exporting.choice import block_of, chosen_point, named, place_of
from sweep.exporting.errors import ExportError
from sweep.exporting.stored_study import stored_recipes
from sweep.gang import Gang, GangError, GangOptions
from sweep.kernel_arguments import resolved
from sweep.location import StoreLike, location_of
from sweep.lock import driver_lock
from sweep.store import open_store, undo_growth
from sweep.store.transfers import write_relaxed_transfer
from sweep.transfers.variables import STATUS, TARGET
from sweep.variables import Status

# A large cylinder and a large basis, s.
LIMIT_S = 1800.0
#: Inputs that are artefacts.
_NEEDED = ("material", "equilibrium", "fit", "response")
#: Transfers that are relaxed unless a number is given: enough to see whether estimates are of the right size.
SAMPLE = 12


class Target(NamedTuple):
    """A point, and another dislocation that its fit is judged on."""

    labels: Mapping[str, Any]
    target: str

    @property
    def name(self) -> str:
        """Say which in one line."""
        return f"{named(self.labels)} on {self.target}"


def chosen_transfers(
    dataset: xr.Dataset, at: Mapping[str, str] | None, to: str | None, sample: int, seed: int
) -> list[Target]:
    """Choose transfers that are estimated and not relaxed yet.

    Parameters
    ----------
    dataset
        A store, as `sweep.open_store` gives it.
    at
        Labels by axis, as text, of the one point that is meant; or None.
    to
        The dislocation to judge on; None for all others.
    sample
        Where no point is named: how many are drawn, as evenly as can be from the pairs of dislocations.
    seed
        Of the draw.

    Raises
    ------
    ExportError
        If the store has no transfers, no such point or dislocation, or nothing is left to relax.
    """
    if TARGET not in dataset.dims:
        raise ExportError(
            "the store has no transfers: its study has one dislocation, or is to be run once more with this version"
        )
    names = dataset[TARGET].values.tolist()
    if to is not None and to not in names:
        raise ExportError(f"--to {to}: the store's dislocations are {', '.join(names)}")
    targets = names if to is None else [to]
    if at is not None:
        labels = chosen_point(dataset, at)
        return [Target(labels, each) for each in targets if each != labels["dislocation"]]
    estimated = (dataset[STATUS] == Status.estimated).load()
    random, drawn = np.random.default_rng(seed), []
    for trained in dataset["dislocation"].values.tolist():
        for target in targets:
            if trained != target:
                one = estimated.sel({"dislocation": [trained]}).sel({TARGET: target})
                places = np.argwhere(one.values)
                order = random.permutation(len(places))
                drawn.append([Target(_labels(one, places[place]), target) for place in order])
    found = [each for turn in _turns(drawn) for each in turn][:sample]
    if not found:
        raise ExportError("no transfer is left to relax: none is estimated")
    return found


def relax_transfers(
    store: StoreLike,
    at: Mapping[str, str] | None = None,
    *,
    to: str | None = None,
    sample: int = SAMPLE,
    ranks: int = 1,
    artefacts: str | os.PathLike[str] | None = None,
    track: Callable[[Sequence[Target]], Iterable[Target]] = iter,
) -> list[tuple[Target, Status]]:
    """Relax fits in other dislocations' cylinders, each written to the store before the next begins.

    Parameters
    ----------
    store
        The store; the artefacts of the run that made it must still be there.
    at, to, sample
        As in `chosen_transfers`.
    ranks
        MPI ranks that share the atoms.
    artefacts
        Folder of artefacts; by default the one in the run folder beside the store.
    track
        Shows progress.

    Returns
    -------
    list of (Target, Status)
        How each ended.

    Raises
    ------
    ExportError
        As `chosen_transfers`; if artefacts are gone, or each fit was relaxed in a lattice of its own.
    StoreError
        As `sweep.open_store`.
    sweep.lock.StoreLockedError
        If a run is going on.
    """
    location = location_of(store)
    location.must_be_writable()
    run = location.run_folder
    folder = ArtefactFolder(run / "artefacts" if artefacts is None else artefacts)
    recipes = stored_recipes(store)
    if recipes.simulating_own_lattices:
        raise ExportError(
            f"{store} was made with simulation.predictor: potential: its fits are not judged on other dislocations; "
            "run the study with predictor: reference, into another store"
        )
    ended = []
    with driver_lock(run) as lock, Gang(GangOptions(ranks=ranks)) as gang:
        undo_growth(location.guarded(lock.check))
        # under the lock, so that what another command has relaxed meanwhile is known
        for each in track(chosen_transfers(open_store(store), at, to, sample, recipes.study.seed)):
            block = block_of(each.labels)
            recipes = stored_recipes(store, block, folder)
            recipe, weighting = recipes.relaxation(block, each.target), place_of(recipes.grid, each.labels)
            status, values = _relaxed(gang, recipe, weighting, folder, each)
            write_relaxed_transfer(
                location.guarded(lock.check), block, weighting, each.target, status, values
            )
            ended.append((each, status))
    return ended


def _relaxed(
    gang: Gang, recipe: Recipe, weighting: int, folder: ArtefactFolder, each: Target
) -> tuple[Status, dict[str, Any]]:
    if gone := [name for name in _NEEDED if not folder.has(recipe.inputs[name])]:
        raise ExportError(
            f"{each.name}: {', '.join(gone)} not found in {folder.path}; name the folder that the run used with "
            "--artefacts, or run the study again with this version"
        )
    arguments = resolved(recipe.inputs, folder, {})
    try:
        values = dict(gang.call(recipe.function, timeout_s=LIMIT_S, weighting=weighting, **arguments))
    except GangError:
        return Status.failed, {}
    return Status[str(values.pop("status"))], values


def _labels(one: xr.DataArray, place: np.ndarray) -> dict[str, Any]:
    return {
        str(name): one[name].values[at].item() if one[name].dtype.kind in "if" else str(one[name].values[at])
        for name, at in zip(one.dims, place, strict=True)
    }


def _turns(drawn: Sequence[Sequence[Target]]) -> Iterable[list[Target]]:
    """Take one of each list in turn."""
    for turn in range(max(map(len, drawn), default=0)):
        yield [each[turn] for each in drawn if turn < len(each)]
