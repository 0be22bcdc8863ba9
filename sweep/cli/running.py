"""Commands that run studies: plan, run, screen, refine."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from sweep.cli.options import (
    ArtefactPath,
    Certificates,
    ClusterName,
    RankCount,
    RunFolder,
    StoreFolder,
    StorePath,
    StudyFile,
    WithDashboard,
    WorkerCount,
)


def plan(
    study: StudyFile,
    store: StorePath = None,
    artefacts: ArtefactPath = None,
    run_folder: RunFolder = None,
) -> None:
    """Say what a run would do, what not and why, and what that costs by what earlier calls took; nothing is written."""
    from sweep.forecast import described, forecast
    from sweep.progress import saying
    from sweep.refusals import RefusedError

    console = Console(soft_wrap=True, highlight=False)
    with saying(Console(stderr=True), "looking at store, journals and artefacts"):
        found = forecast(study, store=store, artefacts=artefacts, run_folder=run_folder)
    for line in described(found):
        console.print(line, markup=False)
    if found.refused:
        raise RefusedError(found.refused)


def run(
    study: StudyFile,
    store: StorePath = None,
    workers: WorkerCount = None,
    ranks: RankCount = None,
    cluster: ClusterName = "local",
    certificates: Certificates = None,
    dashboard: WithDashboard = False,
    artefacts: ArtefactPath = None,
    run_folder: RunFolder = None,
    accept_versions: Annotated[
        bool,
        typer.Option(
            "--accept-versions", help="go on although packages have changed since the store was made"
        ),
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="try points again that are recorded as failed")
    ] = False,
) -> None:
    """Run a study, or what is left of it: running again is resuming."""
    from sweep.clusters import ClusterChoice
    from sweep.run import run_study

    status = run_study(
        study,
        store=store,
        where=ClusterChoice(cluster, workers, ranks, certificates, dashboard),
        artefacts=artefacts,
        run_folder=run_folder,
        accept_versions=accept_versions,
        retry_failed=retry_failed,
    )
    raise typer.Exit(status)


def screen(
    study: StudyFile,
    store: StorePath = None,
    workers: Annotated[int | None, typer.Option(help="workers [default: one a CPU]")] = None,
    cluster: ClusterName = "local",
    certificates: Certificates = None,
    dashboard: WithDashboard = False,
    artefacts: ArtefactPath = None,
    run_folder: RunFolder = None,
) -> None:
    """Fit and estimate every point of a study and relax none: for very large grids. `sweep run` then goes on."""
    from sweep.clusters import ClusterChoice
    from sweep.run import run_study
    from sweep.study.sections import Fidelity

    fidelity = Fidelity(relax="none")
    where = ClusterChoice(cluster, workers, certificates=certificates, dashboard=dashboard)
    status = run_study(
        study, store=store, where=where, artefacts=artefacts, run_folder=run_folder, fidelity=fidelity
    )
    raise typer.Exit(status)


def refine(
    store: StoreFolder,
    points: Annotated[int | None, typer.Option(min=1, help="relax at most so many points")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.0, help="begin nothing after so long")] = None,
    workers: WorkerCount = None,
    ranks: RankCount = None,
    cluster: ClusterName = "local",
    certificates: Certificates = None,
    dashboard: WithDashboard = False,
    artefacts: ArtefactPath = None,
    run_folder: RunFolder = None,
) -> None:
    """Relax next the points of a store that would change its conclusion most easily, until a budget is spent."""
    from sweep.clusters import ClusterChoice
    from sweep.refine import refine_store

    status = refine_store(
        store,
        points=points,
        minutes=minutes,
        where=ClusterChoice(cluster, workers, ranks, certificates, dashboard),
        artefacts=artefacts,
        run_folder=run_folder,
    )
    raise typer.Exit(status)
