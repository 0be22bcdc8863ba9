"""A forecast of a run: the plan, what is new or damaged, what forbids it, and what earlier calls took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sweep.forecast.looking import Damaged, LookedAt
from sweep.forecast.spent import Spent, spent_in_logs, spent_on_points
from sweep.identity import Identity, StudyChangedError
from sweep.journal import Damage
from sweep.location import StoreLike, location_of
from sweep.lock import LockHolder, holder_of
from sweep.plan import Plan
from sweep.prepared import Prepared, prepare
from sweep.refusals import REFUSALS, RefusedError
from sweep.stages import STAGES
from sweep.variables import Status

(RELAXATION,) = STAGES["relaxations"]


@dataclass(frozen=True)
class Forecast:
    """What a run would do, and why.

    Parameters
    ----------
    plan
        What would be done.
    refused
        Why a run into this store would be refused, naming what has changed; the plan is then of another store that
        shares its artefacts. Empty otherwise.
    versions
        Why it would be refused unless it accepts other packages; empty otherwise.
    driver
        Who is at work on the store now.
    added
        Labels that the store has not yet, by dimension.
    points_not_chosen
        Points that are estimated and stay so: the study's fidelity does not choose them.
    damaged
        Artefacts that would be made again.
    journals
        Journals that cannot be read to their end.
    spent
        What calls of kernels took so far, by kernel.
    logs
        Where that is known from.
    """

    plan: Plan
    refused: str = ""
    versions: str = ""
    driver: LockHolder | None = None
    added: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    points_not_chosen: int = 0
    damaged: tuple[Damaged, ...] = ()
    journals: tuple[Damage, ...] = ()
    spent: Mapping[str, Spent] = field(default_factory=dict)
    logs: Path = Path()


def forecast(
    study: StoreLike, *, store: StoreLike | None, artefacts: Path | None, run_folder: Path | None = None
) -> Forecast:
    """Say what a run would do; nothing is written or moved, and no worker started.

    Parameters
    ----------
    study, store, artefacts, run_folder
        As `sweep.run.run_study`.

    Raises
    ------
    RefusedError
        If the study cannot be run anywhere.
    """
    try:
        prepared = prepare(study, store, artefacts, run_folder=run_folder)
        folders = prepared.folders
        refused, versions = _refusals(prepared)
        if refused:
            another = folders.run / "another.zarr"
            prepared = replace(
                prepared, folders=replace(folders, store=location_of(another), run=another / "run")
            )
        remaining, looked_at = prepared.remaining(), LookedAt(folders.artefacts)
        plan = prepared.plan(remaining, verify=True, artefacts=looked_at)
        chosen = sum(len(work.weightings) for work in plan.blocks if work.recorded)
        estimated = int((remaining.status == Status.estimated).sum())
        return Forecast(
            plan,
            refused=refused,
            versions=versions,
            driver=holder_of(folders.run),
            added=_added(prepared),
            points_not_chosen=estimated - chosen if prepared.recipes.sampling else 0,
            damaged=tuple(looked_at.damaged.values()),
            journals=remaining.index.damage,
            spent=_spent(prepared, folders.logs),
            logs=folders.logs,
        )
    except REFUSALS as error:
        raise RefusedError(str(error)) from error


def _refusals(prepared: Prepared) -> tuple[str, str]:
    """Say what has changed that forbids a run, and what forbids it unless other packages are accepted."""
    try:
        differ = prepared.check_unchanged(accept_versions=True)
    except StudyChangedError as error:
        return str(error), ""
    if differ:
        try:
            prepared.check_unchanged(accept_versions=False)
        except StudyChangedError as error:
            return "", str(error)
    return "", ""


def _added(prepared: Prepared) -> dict[str, list[Any]]:
    """Give the labels that the store lacks; the journals' identity stands for a store that is not there."""
    store, run = prepared.folders.store, prepared.folders.run
    # a run's is written before its store grows
    earlier = Identity.of_store(store) if store.exists() else Identity.of_run(run)
    return {} if earlier is None else prepared.identity.added_to(earlier)


def _spent(prepared: Prepared, logs: Path) -> dict[str, Spent]:
    """Give what kernels took; what the store says of its points where the logs have gone."""
    spent, store = spent_in_logs(logs), prepared.folders.store
    if RELAXATION not in spent and store.exists() and (known := spent_on_points(store)) is not None:
        spent[RELAXATION] = known
    return spent
