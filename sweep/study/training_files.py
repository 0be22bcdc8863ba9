"""Users' own training data: the files that a study's patterns match, found and hashed."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from sweep.study.document import Study
from sweep.study.errors import TrainingFilesError


@dataclass(frozen=True)
class TrainingFile:
    """A file of training configurations.

    Parameters
    ----------
    path
        Where it lies, absolute.
    name
        How the study's folder knows it: its path relative to that folder, or the bare name of one named by an
        absolute path.
    sha256
        SHA-256 of its contents, 64 hexadecimal digits.
    """

    path: Path
    name: str
    sha256: str

    @property
    def placeholder(self) -> str:
        """What stands for the file where only its contents matter."""
        return f"sha256:{self.sha256}"

    def is_unchanged(self) -> bool:
        """Say whether the file still holds what was hashed."""
        try:
            return _sha256(self.path) == self.sha256
        except OSError:
            return False


@dataclass(frozen=True)
class ResolvedTrainingFiles:
    """The training files of a study, each once; none where it names none.

    Examples
    --------
    >>> files = ResolvedTrainingFiles((TrainingFile(Path("/data/b.xyz"), "b.xyz", "f1"),))
    >>> files.by_contents(), files.paths_by_contents(), files.by_names()
    (['sha256:f1'], {'sha256:f1': '/data/b.xyz'}, {'b.xyz': 'f1'})
    """

    files: tuple[TrainingFile, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.files)

    def by_contents(self) -> list[str]:
        """Describe the files by their contents, ``sha256:…`` each, whatever their folders, names and order."""
        return sorted(file.placeholder for file in self.files)

    def by_names(self) -> dict[str, str]:
        """Give the hash of each file's contents by its name."""
        return {file.name: file.sha256 for file in self.files}

    def changed(self) -> list[Path]:
        """Give the files that do not hold any more what was hashed: edited, or gone."""
        return [file.path for file in self.files if not file.is_unchanged()]

    def paths_by_contents(self) -> dict[str, str]:
        """Give each file's path by its place-holder in `by_contents`."""
        return {file.placeholder: str(file.path) for file in self.files}


#: What most studies have.
NO_TRAINING_FILES = ResolvedTrainingFiles()


def find_training_files(study: Study, study_folder: Path) -> ResolvedTrainingFiles:
    """Find the files that ``training.files`` names, and hash them.

    A name may hold ``*``, ``?``, ``[…]`` and ``**`` (folders, at any depth), and is relative to the study's folder
    unless it is absolute. What the files hold is not looked at: the kernel that reads them does that.

    Parameters
    ----------
    study
        The study.
    study_folder
        Folder of the study file.

    Returns
    -------
    ResolvedTrainingFiles
        In the order of the patterns, and of names within one; a file that two patterns match counts once.

    Raises
    ------
    TrainingFilesError
        If a pattern matches no file, a file cannot be read, or two files have one name or the same contents.
    """
    found: dict[Path, TrainingFile] = {}
    for place, pattern in enumerate(study.training.files or ()):
        where = f"training.files[{place}]"
        matches = list(_matches(pattern, study_folder))
        if not matches:
            raise _refusal(
                study,
                f"{where}: no file matches {pattern!r} in {study_folder.absolute()}; give names or patterns of "
                "extended XYZ files, relative to the study file's folder",
            )
        for name in matches:
            path = (study_folder / name).resolve()
            if path not in found:
                found[path] = _checked(study, where, path, name, found.values())
    return ResolvedTrainingFiles(tuple(found.values()))


def _matches(pattern: str, folder: Path) -> Iterator[str]:
    """Names of the files that a pattern matches; a name with brackets of its own is taken as it is written."""
    if _is_file(folder / pattern):
        yield pattern
        return
    # not Path.glob, which refuses absolute patterns
    for name in sorted(glob.glob(pattern, root_dir=folder, recursive=True)):  # noqa: PTH207
        if _is_file(folder / name):
            yield name


def _checked(
    study: Study, where: str, path: Path, match: str, others: Collection[TrainingFile]
) -> TrainingFile:
    """Hash a file, and refuse what would count another one twice or could not be told from it."""
    name = Path(match).name if Path(match).is_absolute() else Path(match).as_posix()
    try:
        file = TrainingFile(path, name, _sha256(path))
    except OSError as error:
        raise _refusal(study, f"{where}: {path} cannot be read: {error.strerror}") from error
    for other in others:
        if other.sha256 == file.sha256:
            raise _refusal(
                study, f"{where}: {other.path} and {path} hold the same, which would count twice; remove one"
            )
        if other.name == file.name:
            raise _refusal(study, f"{where}: {other.path} and {path} are both called {name!r}; rename one")
    return file


def _sha256(path: Path) -> str:
    with path.open("rb") as contents:
        return hashlib.file_digest(contents, "sha256").hexdigest()


def _refusal(study: Study, problem: str) -> TrainingFilesError:
    return TrainingFilesError(str(study.refusal(problem)))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long for any file, or with a null character
        return False
