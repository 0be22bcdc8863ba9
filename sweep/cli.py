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


@application.command()
def rates(
    store: Annotated[Path, typer.Argument(help="the store", metavar="STORE")],
    error: Annotated[str, typer.Option(help="variable whose rate is asked: geometry_error, ...")],
    along: Annotated[str, typer.Option(help="dimension, or other variable, along which it falls")],
    over: Annotated[
        list[str] | None, typer.Option(help="dimension whose points make one curve; only along a variable")
    ] = None,
    select: Annotated[
        list[str] | None, typer.Option(metavar="NAME=LABEL", help="only this label of a dimension")
    ] = None,
    model: Annotated[str, typer.Option(help="power | power-log | auto")] = "auto",
    log_exponent: Annotated[
        float | None, typer.Option(help="exponent of the logarithm [default: theory's, where it has one]")
    ] = None,
    length: Annotated[
        float, typer.Option(help="length that divides R in the logarithm: the Burgers vector's")
    ] = 1.0,
    expected: Annotated[float | None, typer.Option(help="rate to compare with")] = None,
    at_least: Annotated[float | None, typer.Option(help="rate that it should not be slower than")] = None,
    tolerance: Annotated[float, typer.Option(help="rates this close are taken for the same")] = 0.2,
    keep_ends: Annotated[
        bool, typer.Option("--keep-ends", help="fit pre-asymptotic and saturated ends too")
    ] = False,
    bootstrap: Annotated[bool, typer.Option("--bootstrap", help="intervals by resampling")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Fit the rate a of C R^-a at which an error falls, with its 95 % interval and what it rests on."""
    from sweep.rates.command import show_rates

    status = show_rates(
        store,
        error,
        along,
        over=over or (),
        select=select or (),
        as_json=as_json,
        model=model,
        log_exponent=log_exponent,
        length=length,
        expected=expected,
        at_least=at_least,
        tolerance=tolerance,
        ends="keep" if keep_ends else "leave out",
        interval="bootstrap" if bootstrap else "analytic",
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
