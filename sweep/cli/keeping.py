"""Commands that keep more in a store, or take something out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sweep.cli.options import ArtefactPath, RankCount, StoreFolder


def core(
    store: StoreFolder,
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


def transfer(
    store: StoreFolder,
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=LABEL,...", help="the point [default: a sample of all that are estimated]"
        ),
    ] = None,
    to: Annotated[str | None, typer.Option(help="the dislocation to judge on [default: every other]")] = None,
    sample: Annotated[int, typer.Option(min=1, help="how many, without --at")] = 12,
    ranks: RankCount = 1,
    artefacts: ArtefactPath = None,
) -> None:
    """Relax fits in the cylinders of dislocations that they were not trained on, and compare with their estimates."""
    from sweep.transfers.command import show_transfers

    status = show_transfers(store, at or (), to=to, sample=sample, ranks=ranks, artefacts=artefacts)
    raise typer.Exit(status)


def export(
    store: StoreFolder,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="the file: .npz or .yace a potential, .csv, .nc or .parquet points, .xyz cores, .zarr.zip the store",
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


def merge(
    stores: Annotated[
        list[str],
        typer.Argument(metavar="STORE STORE...", help="stores of one study, the first before others"),
    ],
    output: Annotated[str, typer.Option("--output", "-o", help="the new store: a folder, or a URL")],
    accept_versions: Annotated[
        bool, typer.Option("--accept-versions", help="merge although packages differ, and record that")
    ] = False,
) -> None:
    """Make one store of those of one study from several sites; status 1 where results of a point differ."""
    from sweep.merging import merge_stores

    raise typer.Exit(merge_stores(stores, output, accept_versions=accept_versions))


def clean(
    places: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PLACE]...", help="stores, run folders and study files that need theirs"),
    ] = None,
    artefacts: Annotated[
        Path | None,
        typer.Option(help="the folder of artefacts [default: of the first PLACE]"),
    ] = None,
    finished: Annotated[
        bool,
        typer.Option(
            "--finished",
            help="of finished studies keep only what export, core and refine read: growing them takes longer then",
        ),
    ] = False,
    forget: Annotated[
        list[str] | None,
        typer.Option(metavar="STORE", help="a store that is gone for good: what only it needed may go"),
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="name every file")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="remove, instead of saying what would be removed")
    ] = False,
) -> None:
    """Say which artefacts no study needs, half-written and damaged ones too, or remove them."""
    from sweep.cleaning import clean as clean_artefacts

    status = clean_artefacts(
        places or (),
        artefacts,
        results_only=finished,
        forgotten=forget or (),
        listing=listing,
        yes=yes,
    )
    raise typer.Exit(status)
