"""Artefacts that are looked at and left alone: which are whole, and which are damaged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sweep.artefact_file import ContentsError, read_contents
from sweep.artefacts import ArtefactFolder, Recipe


@dataclass(frozen=True)
class Damaged:
    """An artefact that is wanted and does not hold what was written to it.

    Parameters
    ----------
    function
        The kernel that made it, and makes it again.
    path
        Where it is.
    reason
        What is wrong with it.
    """

    function: str
    path: Path
    reason: str


class LookedAt(ArtefactFolder):
    """A folder of artefacts in which nothing is moved aside: a run does that, a forecast only says so.

    Parameters
    ----------
    path
        The folder; it need not exist.

    Attributes
    ----------
    damaged : dict
        Those of the recipes asked for that are damaged, or were moved aside as such and not made again; by key.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.damaged: dict[str, Damaged] = {}
        self._whole: dict[str, bool] = {}
        self._aside = {found.name.partition(".")[0]: found for found in path.glob("??/*.npz.damaged-*")}

    def has(self, recipe: Recipe | str, *, verify: bool = True) -> bool:
        """Say whether an artefact is there and whole; each is read once."""
        path = self.path_of(recipe)
        if not verify:
            return path.exists()
        if path.stem not in self._whole:
            self._whole[path.stem] = self._look(path, "" if isinstance(recipe, str) else recipe.function)
        return self._whole[path.stem]

    def _look(self, path: Path, function: str) -> bool:
        try:
            read_contents(path)
        except FileNotFoundError:
            if (aside := self._aside.get(path.stem)) is not None:
                self.damaged[path.stem] = Damaged(function, aside, "moved aside by an earlier run")
            return False
        except ContentsError as error:
            self.damaged[path.stem] = Damaged(function, path, str(error))
            return False
        return True
