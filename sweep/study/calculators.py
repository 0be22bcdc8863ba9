"""A reference by an ASE calculator: its module found, without importing it, and its files hashed."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from pydantic import JsonValue

from sweep.study.document import Study
from sweep.study.errors import PotentialError
from sweep.study.resolved import PotentialFile, ResolvedCalculator
from sweep.study.sections import AseReference


def find_calculator(study: Study, reference: AseReference, study_folder: Path) -> ResolvedCalculator:
    """Find the module of a calculator's factory, and the files among its options.

    An option whose value is the name of a file, beside the study file or absolute, counts by that file's contents.

    Parameters
    ----------
    study
        The study.
    reference
        Its reference.
    study_folder
        Folder of the study file.

    Raises
    ------
    PotentialError
        If there is no such module, or a file cannot be read.
    """
    options, files = found_options(study, reference.options, "reference.ase.options", study_folder)
    return ResolvedCalculator(
        study.material.element,
        reference.calculator,
        options,
        reference.cutoff,
        module_version(study, reference.calculator, "reference.ase.calculator"),
        files,
    )


def found_options(
    study: Study, given: Mapping[str, JsonValue], where: str, study_folder: Path
) -> tuple[dict[str, JsonValue], tuple[PotentialFile, ...]]:
    """Find the files among the options of a user's function.

    Parameters
    ----------
    study
        The study.
    given
        Its options.
    where
        The field that they stand in.
    study_folder
        Folder of the study file.

    Returns
    -------
    options : dict
        Files as absolute paths.
    files : tuple of PotentialFile
        Those files.

    Raises
    ------
    PotentialError
        If a file cannot be read, or two are called alike.
    """
    options: dict[str, JsonValue] = {}
    files: dict[Path, PotentialFile] = {}
    for name, value in given.items():
        options[name] = value
        if isinstance(value, str) and (path := _file(study_folder, value)) is not None:
            if any(path.name == other.name and path != other for other in files):
                raise potential_refusal(
                    study,
                    f"{where}.{name}: two files are called {path.name!r}, and files count by name and "
                    "contents; rename one",
                )
            files[path] = hashed(study, path, f"{where}.{name}")
            options[name] = str(path)
    return options, tuple(files.values())


def hashed(study: Study, path: Path, where: str) -> PotentialFile:
    """Read a potential file and hash its contents.

    Raises
    ------
    PotentialError
        If it cannot be read; `where` says which field of the study names it.
    """
    try:
        return PotentialFile(path, hashlib.sha256(path.read_bytes()).hexdigest())
    except OSError as error:
        raise potential_refusal(study, f"{where}: {path} cannot be read: {error.strerror}") from error


def potential_refusal(study: Study, problem: str) -> PotentialError:
    """Make, not raise, the error for a potential that cannot be used, named after the study's file."""
    return PotentialError(str(study.refusal(problem)))


def module_version(study: Study, function: str, where: str) -> str:
    """Give the version of the distribution that holds a function, or the hash of a package that no one distributes.

    Parameters
    ----------
    study
        The study.
    function
        ``"package.module:function"``.
    where
        The field that names it.

    Raises
    ------
    PotentialError
        If there is no such package.
    """
    package = function.partition(":")[0].partition(".")[0]
    # find_spec of a top-level package does not import it: what it needs belongs to the ranks
    try:
        found = importlib.util.find_spec(package)
    except ValueError:  # a module that was not imported from anywhere, such as __main__
        found = None
    if found is None:
        raise potential_refusal(
            study,
            f"{where}: there is no module {package!r}; install it, or put its folder on PYTHONPATH",
        )
    distributions = metadata.packages_distributions().get(package)
    if distributions:
        return " ".join(f"{name} {metadata.version(name)}" for name in sorted(set(distributions)))
    folders = list(found.submodule_search_locations or ())
    sources = sorted(path for folder in folders for path in Path(folder).rglob("*.py"))
    if not sources and found.origin is not None and Path(found.origin).is_file():
        sources = [Path(found.origin)]
    contents = hashlib.sha256()
    for source in sources:
        contents.update(source.read_bytes())
    return f"source {contents.hexdigest()}"


def _file(study_folder: Path, word: str) -> Path | None:
    try:
        path = (study_folder / word).absolute()
        return path if path.is_file() else None
    except (OSError, ValueError):  # a name too long for any file, or with a null character
        return None
