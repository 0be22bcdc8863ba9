"""Which study a store and its journals belong to: everything that its numbers and their places depend on."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.durable import sync_path
from sweep.fingerprint import differences
from sweep.grid import BLOCK_DIMENSIONS, Grid
from sweep.location import StoreLike
from sweep.store import open_store, stored_fingerprint

IDENTITY_NAME = "study.json"


class StudyChangedError(ValueError):
    """A study that is no longer the one its store or its journals were made for."""


@dataclass(frozen=True)
class Identity:
    """A study's fingerprint, and the labels along its axes: journals name a weighting by its place on them.

    Parameters
    ----------
    fingerprint
        As `sweep.fingerprint.fingerprint` gives it.
    axes
        Labels by dimension.
    """

    fingerprint: dict[str, Any]
    axes: dict[str, list[Any]]

    @classmethod
    def of(cls, fingerprint: dict[str, Any], grid: Grid) -> Identity:
        """Describe a study."""
        return cls(fingerprint, {axis.name: [_plain(label) for label in axis.values] for axis in grid.axes})

    @classmethod
    def of_store(cls, store: StoreLike) -> Identity:
        """Read which study a store was made for; raises as `sweep.open_store`."""
        fingerprint, dataset = stored_fingerprint(store), open_store(store)
        names = [str(name) for name in dataset["status"].dims]
        return cls(fingerprint, {name: [_plain(v) for v in dataset[name].values.tolist()] for name in names})

    @classmethod
    def of_run(cls, folder: Path) -> Identity | None:
        """Read which study a run folder belongs to; None where it does not say.

        Raises
        ------
        StudyChangedError
            If what it says cannot be read.
        """
        path = folder / IDENTITY_NAME
        if not path.exists():
            return None
        try:
            return cls(**json.loads(path.read_text()))
        except (ValueError, TypeError, OSError) as error:
            raise StudyChangedError(
                f"{path} cannot be read ({error}); without it the journals beside it belong to no study: "
                "move the run folder away, or name another store"
            ) from error

    def write(self, folder: Path) -> None:
        """Write which study a run folder belongs to, whole or not at all."""
        temporary = folder / f".{IDENTITY_NAME}.{os.getpid()}.tmp"
        temporary.write_text(json.dumps({"fingerprint": self.fingerprint, "axes": self.axes}, indent=1))
        sync_path(temporary)
        temporary.rename(folder / IDENTITY_NAME)
        sync_path(folder)

    def added_to(self, earlier: Identity) -> dict[str, list[Any]]:
        """Give the labels that an earlier state of the study did not have, by dimension."""
        new = {
            name: [label for label in labels if label not in earlier.axes.get(name, labels)]
            for name, labels in self.axes.items()
        }
        return {name: labels for name, labels in new.items() if labels}

    def _as_known_to(self, earlier: Identity) -> dict[str, Any]:
        """Give the fingerprint without the kernels that the earlier version lacked: they made none of its numbers."""
        before = earlier.fingerprint.get("kernels", {})
        kernels = {name: version for name, version in self.fingerprint["kernels"].items() if name in before}
        return {**self.fingerprint, "kernels": kernels}

    def check_same(self, earlier: Identity, where: StoreLike, *, accept_versions: bool) -> bool:
        """Compare with what a store or a run folder was made for.

        Parameters
        ----------
        earlier
            What it was made for.
        where
            The store or the run folder, for the message.
        accept_versions
            Let packages differ.

        Returns
        -------
        bool
            Whether packages differ.

        Raises
        ------
        StudyChangedError
            If anything else that changes numbers differs, or an axis lacks a value or has another weight; the
            message names it.
        """
        changed = differences(earlier.fingerprint, self._as_known_to(earlier))
        versions = [field for field in changed if field.startswith("packages.")]
        others = [field for field in changed if field not in versions]
        if others:
            raise StudyChangedError(
                f"{where} was made for another study: {'; '.join(others)}. Undo the change, or name another store "
                "with --store; artefacts that still hold are found with --artefacts"
            )
        for name, labels in self.axes.items():
            before = earlier.axes.get(name)
            # journals name a weighting by its place, so these axes stay exactly as they are
            grows = name in BLOCK_DIMENSIONS and before is not None and set(before) <= set(labels)
            if before != labels and not grows:
                allowed = (
                    "new values may be added, none left out"
                    if name in BLOCK_DIMENSIONS
                    else ("weights and regularisations of a study that has begun stay as they are")
                )
                raise StudyChangedError(
                    f"{where} has {name} {before}, the study {labels}: {allowed}. Name another store with --store, "
                    "and the same --artefacts so that nothing is made twice"
                )
        if versions and not accept_versions:
            raise StudyChangedError(
                f"{where} was made with other packages: {'; '.join(versions)}. Install those again, or go on "
                "with --accept-versions"
            )
        return bool(versions)


def _plain(label: Any) -> Any:
    """Give 25 and 25.0 one form."""
    return float(label) if isinstance(label, (int, float)) else str(label)
