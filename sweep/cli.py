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
    for line in described(*forecast(study, store=store, artefacts=artefacts)):
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
def screen(
    study: StudyFile,
    store: StorePath = None,
    workers: Annotated[int | None, typer.Option(help="workers [default: one a CPU]")] = None,
    artefacts: ArtefactPath = None,
) -> None:
    """Fit and estimate every point of a study and relax none: for very large grids. `sweep run` then goes on."""
    from sweep.run import run_study
    from sweep.study.sections import Fidelity

    fidelity = Fidelity(relax="none")
    raise typer.Exit(run_study(study, store=store, workers=workers, artefacts=artefacts, fidelity=fidelity))


@application.command()
def refine(
    store: Annotated[Path, typer.Argument(help="the store", metavar="STORE")],
    points: Annotated[int | None, typer.Option(min=1, help="relax at most so many points")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.0, help="begin nothing after so long")] = None,
    workers: Annotated[
        int | None, typer.Option(help="workers, each with a gang of MPI ranks [default: CPUs / ranks]")
    ] = None,
    ranks: Annotated[int, typer.Option(help="MPI ranks of each worker's gang")] = 1,
    artefacts: ArtefactPath = None,
) -> None:
    """Relax next the points of a store that would change its conclusion most easily, until a budget is spent."""
    from sweep.refine import refine_store

    status = refine_store(
        store, points=points, minutes=minutes, workers=workers, ranks=ranks, artefacts=artefacts
    )
    raise typer.Exit(status)


@application.command()
def status(store: Annotated[Path, typer.Argument(help="the store", metavar="STORE")]) -> None:
    """Count a store's points by status, and compare its estimates with what was relaxed."""
    from sweep.status import show_status

    raise typer.Exit(show_status(store))


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


@application.command()
def figures(
    store: Annotated[Path, typer.Argument(help="the store", metavar="STORE")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="folder [default: beside the store, with .figures for .zarr]"),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="svg | png | pdf")] = "svg",
) -> None:
    """Draw what a store has data for, and print the files' paths: errors by weighting with rates first."""
    from sweep.figures.command import write_figures

    raise typer.Exit(write_figures(store, output, form=form))


@application.command()
def core(
    store: Annotated[Path, typer.Argument(help="the store", metavar="STORE")],
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=LABEL,...",
            help="the point [default: of each dislocation the lowest geometry error]",
        ),
    ] = None,
    artefacts: ArtefactPath = None,
) -> None:
    """Relax a point's potential once more and keep its core in the store, to be drawn beside the reference's."""
    from sweep.cores.command import keep

    raise typer.Exit(keep(store, at or (), artefacts))


@application.command()
def report(
    store: Annotated[Path, typer.Argument(help="the store", metavar="STORE")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="the file [default: beside the store, with .html for .zarr]"),
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="an error that would do: the page advises on the cheapest way to it")
    ] = None,
) -> None:
    """Write what a store says as one HTML page that needs nothing else: conclusions, figures, provenance."""
    from sweep.report.command import make_report

    raise typer.Exit(make_report(store, output, tolerance=tolerance))


@application.command()
def export(
    store: Annotated[Path, typer.Argument(help="the store", metavar="STORE")],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="the file: .npz or .yace a potential, .csv, .nc or .parquet the points, .xyz cores",
        ),
    ],
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=LABEL,...", help="of a potential: its point; single labels may be left out"
        ),
    ] = None,
    artefacts: ArtefactPath = None,
) -> None:
    """Write what a store holds as a file that other programs read: one point's potential, every point, or the cores."""
    from sweep.exporting.command import export as export_file

    raise typer.Exit(export_file(store, output, at or (), artefacts))


@application.command()
def hypotheses(
    store: Annotated[Path, typer.Argument(help="the store", metavar="STORE")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Test the hypotheses of the case study: statistic, interval, verdict, and the data used."""
    from sweep.hypotheses.command import show_hypotheses

    raise typer.Exit(show_hypotheses(store, as_json=as_json))


@application.command()
def advise(
    store: Annotated[Path, typer.Argument(help="the store", metavar="STORE")],
    tolerance: Annotated[float, typer.Option(help="largest error that will do, in the error's unit")],
    error: Annotated[
        str, typer.Option(help="geometry_error, energy_error, or geometry_estimate where nothing was relaxed")
    ] = "geometry_error",
    share: Annotated[
        float,
        typer.Option(help="share of training sets that are to meet it: 0.5, a typical one, or 0.9, say"),
    ] = 0.5,
    select: Annotated[
        list[str] | None, typer.Option(metavar="NAME=LABEL", help="only this label of a dimension")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Say how to reach an error: cheapest point, labelling cost, weighting, which observations help."""
    from sweep.advice.command import show_advice

    status = show_advice(store, tolerance, error=error, share=share, select=select or (), as_json=as_json)
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
