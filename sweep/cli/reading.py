"""Commands that read a store and say what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sweep.cli.options import ArtefactPath, AsJson, RunFolder, Selections, StoreFolder


def status(
    store: StoreFolder,
    failures: Annotated[
        bool, typer.Option("--failures", help="say what failed, by cause, with the last lines of a log")
    ] = False,
) -> None:
    """Count a store's points by status, also while it is worked on, and compare its estimates with what was relaxed."""
    from sweep.status import show_status

    raise typer.Exit(show_status(store, failures=failures))


def rates(
    store: StoreFolder,
    error: Annotated[str, typer.Option(help="variable whose rate is asked: geometry_error, ...")],
    along: Annotated[str, typer.Option(help="dimension, or other variable, along which it falls")],
    over: Annotated[
        list[str] | None, typer.Option(help="dimension whose points make one curve; only along a variable")
    ] = None,
    select: Selections = None,
    model: Annotated[str, typer.Option(help="power | power-log | auto")] = "auto",
    log_exponent: Annotated[
        float | None, typer.Option(help="exponent of the logarithm [default: theory's, where it has one]")
    ] = None,
    length: Annotated[
        float | None,
        typer.Option(help="length that divides R in the logarithm [default: the store's Burgers vector]"),
    ] = None,
    expected: Annotated[float | None, typer.Option(help="rate to compare with")] = None,
    at_least: Annotated[float | None, typer.Option(help="rate that it should not be slower than")] = None,
    tolerance: Annotated[float, typer.Option(help="rates this close are taken for the same")] = 0.2,
    keep_ends: Annotated[
        bool, typer.Option("--keep-ends", help="fit pre-asymptotic and saturated ends too")
    ] = False,
    bootstrap: Annotated[bool, typer.Option("--bootstrap", help="intervals by resampling")] = False,
    as_json: AsJson = False,
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


def figures(
    store: StoreFolder,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="folder [default: beside the store, with .figures for .zarr]"),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="svg | png | pdf")] = "svg",
) -> None:
    """Draw what a store has data for, and print the files' paths: errors by weighting with rates first."""
    from sweep.figures.command import write_figures

    raise typer.Exit(write_figures(store, output, form=form))


def report(
    store: StoreFolder,
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


def hypotheses(
    store: StoreFolder,
    as_json: AsJson = False,
) -> None:
    """Test the hypotheses of the case study: statistic, interval, verdict, and the data used."""
    from sweep.hypotheses.command import show_hypotheses

    raise typer.Exit(show_hypotheses(store, as_json=as_json))


def advise(
    store: StoreFolder,
    tolerance: Annotated[float, typer.Option(help="largest error that will do, in the error's unit")],
    error: Annotated[
        str, typer.Option(help="geometry_error, energy_error, or geometry_estimate where nothing was relaxed")
    ] = "geometry_error",
    share: Annotated[
        float,
        typer.Option(help="share of training sets that are to meet it: 0.5, a typical one, or 0.9, say"),
    ] = 0.5,
    select: Selections = None,
    as_json: AsJson = False,
) -> None:
    """Say how to reach an error: cheapest point, labelling cost, weighting, which observations help."""
    from sweep.advice.command import show_advice

    status = show_advice(store, tolerance, error=error, share=share, select=select or (), as_json=as_json)
    raise typer.Exit(status)


def verify(
    store: StoreFolder,
    run_folder: RunFolder = None,
    artefacts: ArtefactPath = None,
    as_json: AsJson = False,
) -> None:
    """Check every checksum of a store, its journals and artefacts, and that they agree; write nothing."""
    from sweep.verify.command import show_verified

    raise typer.Exit(show_verified(store, run_folder=run_folder, artefacts=artefacts, as_json=as_json))
