"""A study's reference potential with everything that it draws on found: what a gang is given, and what is hashed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import JsonValue


@dataclass(frozen=True)
class PotentialFile:
    """A potential file: where it lies, and the SHA-256 of its contents (64 hexadecimal digits)."""

    path: Path
    sha256: str

    @property
    def placeholder(self) -> str:
        """What stands for the file where only its contents matter."""
        return f"sha256:{self.sha256}"


class ResolvedReference(Protocol):
    """A reference potential that can be opened, of any kind."""

    @property
    def element(self) -> str:
        """Chemical symbol."""
        ...

    @property
    def files(self) -> tuple[PotentialFile, ...]:
        """The files it draws on, each once."""
        ...

    def by_contents(self) -> dict[str, Any]:
        """Describe it as `kernels.references.open_reference` takes it, ``sha256:…`` in the place of each file."""
        ...

    def by_names(self) -> dict[str, Any]:
        """Describe it by its files' names without their folders; otherwise as `by_contents`."""
        ...

    def paths_by_contents(self) -> dict[str, str]:
        """Give each file's path, as its place in `by_contents` wants it, by its place-holder there."""
        ...


@dataclass(frozen=True)
class ResolvedLammps:
    """LAMMPS commands whose files are found.

    Parameters
    ----------
    element
        Chemical symbol of the single atom type.
    pair_style
        Arguments of LAMMPS's ``pair_style``, files as absolute paths.
    pair_coeff
        Arguments of each ``pair_coeff``, files as absolute paths.
    files
        The potential files, each once, in the order in which they are named.
    """

    element: str
    pair_style: str
    pair_coeff: tuple[str, ...]
    files: tuple[PotentialFile, ...]

    def by_contents(self) -> dict[str, Any]:
        """Describe the commands by their files' contents, wherever they lie and whatever they are called."""
        return self._with({file.path: file.placeholder for file in self.files})

    def by_names(self) -> dict[str, Any]:
        """Describe the commands by their files' names without their folders."""
        return self._with({file.path: file.path.name for file in self.files})

    def paths_by_contents(self) -> dict[str, str]:
        """Give each file's path as a word of a LAMMPS command, by its place-holder in `by_contents`."""
        return {file.placeholder: as_words([str(file.path)]) for file in self.files}

    def _with(self, names: dict[Path, str]) -> dict[str, Any]:
        def renamed(line: str) -> str:
            return as_words([names.get(Path(word), word) for word in shlex.split(line)])

        return {
            "kind": "lammps",
            "element": self.element,
            "pair_style": renamed(self.pair_style),
            "pair_coeff": [renamed(line) for line in self.pair_coeff],
        }


@dataclass(frozen=True)
class ResolvedConstants:
    """A Finnis–Sinclair potential: its constants are all there is.

    Parameters
    ----------
    element
        Chemical symbol.
    constants
        See `sweep.study.presets.FinnisSinclairPreset`.
    points
        Of its table.
    """

    element: str
    constants: Mapping[str, float] = field(hash=False)
    points: int
    files: tuple[PotentialFile, ...] = ()

    def by_contents(self) -> dict[str, Any]:
        """Describe the potential by its constants and the table's resolution."""
        return {
            "kind": "finnis-sinclair",
            "element": self.element,
            "constants": dict(self.constants),
            "points": self.points,
        }

    def by_names(self) -> dict[str, Any]:
        """Describe the potential as `by_contents` does: it has no files."""
        return self.by_contents()

    def paths_by_contents(self) -> dict[str, str]:
        """Give no paths."""
        return {}


@dataclass(frozen=True)
class ResolvedCalculator:
    """An ASE calculator.

    Parameters
    ----------
    element
        Chemical symbol.
    calculator
        ``"package.module:factory"``.
    options
        The factory's arguments, files as absolute paths.
    cutoff
        As the study gives it (Å), or None.
    version
        Of what holds the module: a distribution's name and version, or the hash of its source.
    files
        Files among the options.
    """

    element: str
    calculator: str
    options: Mapping[str, JsonValue] = field(hash=False)
    cutoff: float | None
    version: str
    files: tuple[PotentialFile, ...] = ()

    def by_contents(self) -> dict[str, Any]:
        """Describe the calculator by its files' contents, its options and the version of its module."""
        return self._with({str(file.path): file.placeholder for file in self.files})

    def by_names(self) -> dict[str, Any]:
        """Describe the calculator by its files' names without their folders."""
        return self._with({str(file.path): file.path.name for file in self.files})

    def paths_by_contents(self) -> dict[str, str]:
        """Give each file's path by its place-holder in `by_contents`."""
        return {file.placeholder: str(file.path) for file in self.files}

    def _with(self, names: Mapping[str, str]) -> dict[str, Any]:
        renamed = {
            name: names.get(value, value) if isinstance(value, str) else value
            for name, value in self.options.items()
        }
        return {
            "kind": "ase",
            "element": self.element,
            "calculator": self.calculator,
            "options": renamed,
            "cutoff": self.cutoff,
            "version": self.version,
        }


def as_words(words: list[str]) -> str:
    """Join words of a LAMMPS command; one with spaces, or its $, & or #, goes in double quotes.

    Examples
    --------
    >>> as_words(["*", "*", "/my files/W.eam", "W"])
    '* * "/my files/W.eam" W'
    """
    plain = set("_./+*:,@%=-")
    return " ".join(
        word if word and all(c.isascii() and (c.isalnum() or c in plain) for c in word) else f'"{word}"'
        for word in words
    )
