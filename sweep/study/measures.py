"""The user's own measures: their modules found, without importing them, and the files among their options hashed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from sweep.study.calculators import found_options, module_version
from sweep.study.document import Study
from sweep.study.resolved import PotentialFile


@dataclass(frozen=True)
class ResolvedMeasure:
    """A function that measures relaxed cores.

    Parameters
    ----------
    function
        ``"package.module:function"``.
    options
        Its further arguments, files as absolute paths.
    version
        Of what holds the module: a distribution's name and version, or the hash of its source.
    files
        Files among the options.
    """

    function: str
    options: Mapping[str, JsonValue] = field(hash=False)
    version: str
    files: tuple[PotentialFile, ...] = ()

    def by_names(self) -> dict[str, Any]:
        """Describe the measure by its files' names without their folders, and their contents."""
        names = {str(file.path): file.path.name for file in self.files}
        options = {
            name: names.get(value, value) if isinstance(value, str) else value
            for name, value in self.options.items()
        }
        files = {file.path.name: file.sha256 for file in self.files}
        return {"options": options, "version": self.version, "files": files}


def find_measures(study: Study, study_folder: Path) -> tuple[ResolvedMeasure, ...]:
    """Find the modules of a study's measures, and the files among their options.

    Parameters
    ----------
    study
        The study.
    study_folder
        Folder of the study file.

    Raises
    ------
    PotentialError
        If there is no such module, or a file cannot be read.
    """
    found = []
    for place, measure in enumerate(study.measures or ()):
        where = f"measures[{place}]"
        options, files = found_options(study, measure.options, f"{where}.options", study_folder)
        version = module_version(study, measure.function, f"{where}.function")
        found.append(ResolvedMeasure(measure.function, options, version, files))
    return tuple(found)
