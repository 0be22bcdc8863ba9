"""The artefacts of a run: each file read and its checksum checked; none is moved or removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sweep.artefact_file import ContentsError, read_contents
from sweep.verify.findings import Finding, Weight


def check_artefacts(folder: Path) -> Iterator[Finding]:
    """Say which artefacts are damaged, were moved aside, or are half-written.

    Parameters
    ----------
    folder
        The artefacts'.
    """
    for path in sorted(folder.glob("??/*.npz")):
        try:
            read_contents(path)
        except (ContentsError, OSError) as error:
            yield Finding(
                str(path), f"damaged: {error}", "run the study again: it is made again where it is needed"
            )
    aside = sorted(folder.glob("??/*.damaged-*"))
    if aside:
        yield Finding(
            str(aside[0]), f"one of {len(aside)} moved aside", "remove them: nothing reads them", Weight.note
        )
    half = sorted(folder.glob("??/.*.tmp"))
    if half:
        what = f"one of {len(half)} half-written files: being written, or left behind"
        yield Finding(
            str(half[0]),
            what,
            "the next run on its host removes what was left behind, `sweep clean` all of it",
            Weight.note,
        )
