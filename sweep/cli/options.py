"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StudyFile = Annotated[Path, typer.Argument(help="the study file (YAML)", metavar="STUDY")]
StoreFolder = Annotated[
    str, typer.Argument(help="the store: a folder, or a URL such as s3://bucket/study.zarr", metavar="STORE")
]
StorePath = Annotated[
    str | None,
    typer.Option(
        "--store", help="the store: a folder, or a URL [default: <study>.zarr in the current folder]"
    ),
]
RunFolder = Annotated[
    Path | None,
    typer.Option(
        "--run-folder",
        help="folder of journals, lock and logs, which all workers share [default: <store>.run beside the store]",
    ),
]
ArtefactPath = Annotated[
    Path | None,
    typer.Option(
        "--artefacts", help="folder of artefacts, to share between studies [default: <store>.run/artefacts]"
    ),
]
WorkerCount = Annotated[
    int | None, typer.Option(help="workers, each with a gang of MPI ranks [default: CPUs / ranks]")
]
RankCount = Annotated[int | None, typer.Option(help="MPI ranks of each worker's gang [default: 1]")]
ClusterName = Annotated[
    str,
    typer.Option(
        "--cluster", help="where workers are: local, a scheduler's tls://HOST:PORT, or a cluster file (YAML)"
    ),
]
Certificates = Annotated[
    Path | None,
    typer.Option(
        "--certificates",
        help="folder of cert.pem and key.pem for that scheduler [default: what Dask's configuration names]",
    ),
]
WithDashboard = Annotated[
    bool,
    typer.Option(
        "--dashboard",
        help="show Dask's dashboard on 127.0.0.1 of this host: plain HTTP, which its other users can read too",
    ),
]
Selections = Annotated[
    list[str] | None, typer.Option(metavar="NAME=LABEL", help="only this label of a dimension")
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
