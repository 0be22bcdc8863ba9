"""The `sweep` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

# Dask, xarray and all that works on a study are imported by the command that needs them, so that Ctrl-C during their
# seconds of loading ends quietly, and --help answers at once.
REFUSED, INTERRUPTED = 2, 130

application = typer.Typer(
    help="Measure how machine-learned interatomic potentials generalise to dislocation simulations.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

StudyFile = Annotated[Path, typer.Argument(help="the study file (YAML)", metavar="STUDY")]
StorePath = Annotated[
    Path | None, typer.Option("--store", help="the store [default: <study>.zarr in the current folder]")
]
ArtefactPath = Annotated[
    Path | None,
    typer.Option(
        "--artefacts", help="folder of artefacts, to share between studies [default: <store>.run/artefacts]"
    ),
]


@application.callback()
def sweep() -> None:
    """Measure how machine-learned interatomic potentials generalise to dislocation simulations."""


@application.command()
def plan(study: StudyFile, store: StorePath = None, artefacts: ArtefactPath = None) -> None:
    """Say what a run would do: points, blocks, tasks by stage, and what exists already."""
    from sweep.plan import described
    from sweep.run import forecast

    console = Console(soft_wrap=True, highlight=False)
    for line in described(forecast(study, store=store, artefacts=artefacts)):
        console.print(line, markup=False)


@application.command()
def run(
    study: StudyFile,
    store: StorePath = None,
    workers: Annotated[
        int | None, typer.Option(help="workers, each with a gang of MPI ranks [default: CPUs / ranks]")
    ] = None,
    ranks: Annotated[int, typer.Option(help="MPI ranks of each worker's gang")] = 1,
    artefacts: ArtefactPath = None,
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
    from sweep.run import run_study

    status = run_study(
        study,
        store=store,
        workers=workers,
        ranks=ranks,
        artefacts=artefacts,
        accept_versions=accept_versions,
        retry_failed=retry_failed,
    )
    raise typer.Exit(status)


def main() -> None:
    """Run the command.

    Exit status: 0 done, 1 done with failed points, 2 bad input (nothing written), 3 stopped by the machine, 130
    interrupted; after the last two, running again goes on.
    """
    try:
        application()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except ValueError as error:
        from sweep.run import RefusedError

        if not isinstance(error, RefusedError):
            raise
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"sweep: {error}", markup=False)
        raise SystemExit(REFUSED) from None


if __name__ == "__main__":
    main()
