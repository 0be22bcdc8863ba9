"""The study: what an analyst asks for, read from a YAML file and checked in full."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

from pydantic import (
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from sweep.grid import PointList
from sweep.study.dislocation_names import names_for
from sweep.study.errors import StudyError
from sweep.study.fields import Dislocation, Items, Labels, Positive, Section, StudyName
from sweep.study.messages import listed, problems
from sweep.study.point_file import parse_points, read_points, with_listed_axes
from sweep.study.presets import PRESETS
from sweep.study.running import Limits, StageRanks
from sweep.study.sections import Axes, Basis, Fidelity, Material, Measure, Reference, Simulation, Training
from sweep.study.text import parse_yaml, with_text_in_place
from sweep.study.text_file import TextFileError, text_of

#: Below this multiple of the largest simulated radius the comparison's own truncation steepens the rates by tenths.
LEAST_COMPARISON = 3

__all__ = ["Study", "StudyError", "load_study", "read_study"]


class Study(Section):
    """A whole study. Plain data: ``model_dump(mode="json")`` is what a study file may hold.

    Attributes
    ----------
    study
        Name; the store's default name is made of it.
    dislocations
        Names of dislocations, the grid's first dimension.
    measures
        Functions of the user's own, called on every relaxed core.
    points
        A list of the points that are asked for, as CSV; None where every point of the axes' product is. In a file, the
        name of one that holds the list. Its columns are axes, and their labels those of its rows.
    regularisation
        λ of the smoothness prior.
    seed
        From which every random number of the study derives.

    See Also
    --------
    load_study : read a study from a file.
    """

    study: StudyName = Field(
        description="a name of at most 100 letters, digits, dots, dashes and underscores (quote a number)"
    )
    material: Material
    reference: Reference = Field(
        description="one of {preset: …}, {lammps: {pair_style: …, pair_coeff: […]}}, {ase: {calculator: …}}"
    )
    dislocations: Labels[Dislocation] = Field(description="a list of different dislocations, such as [screw]")
    basis: Basis = Basis()
    training: Training = Training()
    regularisation: Positive = Field(default=1e-6, description="a number above 0")
    simulation: Simulation = Simulation()
    measures: Items[Measure] | None = Field(
        default=None, description='a list such as ["package.module:function"]'
    )
    axes: Axes
    points: str | None = Field(default=None, description="the name of a CSV file, or its lines")
    fidelity: Fidelity = Fidelity()
    limits: Limits = Limits()
    ranks: StageRanks = StageRanks()
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="a whole number from 0 to 2^63 - 1")

    _text: str = PrivateAttr("")
    _source: str = PrivateAttr("")

    def model_post_init(self, context: Any) -> None:
        """Keep the text and the file's name that `read_study` gives as context."""
        if context is not None:
            self._text, self._source = context["text"], context["source"]

    @property
    def text(self) -> str:
        """The YAML text the study was read from; of a study made in Python, equivalent JSON."""
        return self._text or json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False)

    def refusal(self, problem: str) -> StudyError:
        """Make, not raise, the error for a problem found later, named after the study's file where known."""
        return StudyError(f"{self._source}: {problem}" if self._source else problem)

    @property
    def listed(self) -> PointList | None:
        """The points that are asked for; None where all are."""
        return None if self.points is None else parse_points(self.points)

    @model_validator(mode="before")
    @classmethod
    def _axes_of_the_list(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("points"), str):
            return with_listed_axes(data, parse_points(data["points"]))
        return data

    @model_serializer(mode="wrap")
    def _without_axes_of_the_list(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = dump(self)
        columns = () if self.listed is None else self.listed.columns
        if isinstance(axes := fields.get("axes"), dict):
            fields["axes"] = {name: labels for name, labels in axes.items() if name not in columns}
        if "dislocation" in columns:
            fields.pop("dislocations", None)
        return fields

    @model_validator(mode="after")
    def _radii_agree(self) -> Self:
        largest, smallest = max(self.axes.domain_radius), min(self.axes.simulation_radius)
        if largest > smallest:
            raise ValueError(
                f"axes.domain_radius has {largest}, beyond the simulation radius {smallest} (Å); "
                f"give domain radii of at most {smallest}"
            )
        comparison = self.simulation.comparison_radius
        least = LEAST_COMPARISON * max(self.axes.simulation_radius)
        if comparison is not None and comparison < least:
            raise ValueError(
                f"simulation.comparison_radius is {comparison}, below {LEAST_COMPARISON} times the largest simulation "
                f"radius, which would bend the rates; give at least {least} (Å)"
            )
        return self

    @model_validator(mode="after")
    def _weighs_what_it_observes(self) -> Self:
        for observation in ("energy", "forces", "virial"):
            name = f"weight_{observation}"
            if observation not in self.training.observations and any(getattr(self.axes, name)):
                raise ValueError(
                    f"axes.{name} has a value above 0, but training.observations leaves {observation} out; "
                    f"give {name}: [0.0], or observe it"
                )
        if not set(self.training.observations) - {"virial"}:
            raise ValueError(
                "training.observations names virial alone, which a core does not have; add energy or forces"
            )
        return self

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if self.fidelity.points == "none" and self.simulation.comparison_radius is None:
            raise ValueError(
                "fidelity.points is 'none', and without simulation.comparison_radius there is nothing else to "
                "compute; give that radius, or points: all"
            )
        return self

    @model_validator(mode="after")
    def _measures_once(self) -> Self:
        functions = [measure.function for measure in self.measures or ()]
        if twice := [name for place, name in enumerate(functions) if name in functions[:place]]:
            raise ValueError(f"measures names {twice[0]} twice; keep one")
        return self

    @model_validator(mode="after")
    def _material_agrees(self) -> Self:
        structure, names = self.material.structure, names_for(self.material.structure)
        seen: dict[str, str] = {}
        for place, name in enumerate(self.dislocations):
            if name not in names:
                raise ValueError(
                    f"dislocations[{place}] is {name!r}, which a {structure} crystal does not have; "
                    f"use {listed(names)}"
                )
            if names[name] in seen:
                raise ValueError(f"dislocations names one twice: {seen[names[name]]} and {name}; keep one")
            seen[names[name]] = name
        if self.reference.preset is not None:
            preset = PRESETS[self.reference.preset]
            if (preset.element, preset.structure) != (self.material.element, structure):
                raise ValueError(
                    f"reference.preset is {self.reference.preset!r}, made for {preset.structure} "
                    f"{preset.element}; material is {structure} {self.material.element}; change one of them"
                )
        return self


def read_study(text: str, source: str = "study", folder: Path | None = None) -> Study:
    """Read a study from YAML text.

    Parameters
    ----------
    text
        The document; kept as `Study.text`.
    source
        What messages call it, usually its file's name.
    folder
        Where a list of points that it names is looked for; None where it must hold its own, as a store's does.

    Raises
    ------
    StudyError
        If the text is not a valid study. The message has one line a problem.
    """
    data = parse_yaml(text, source)
    if data is None:
        raise StudyError(f"{source}: the file is empty; write a study, beginning with `study: NAME`")
    if not isinstance(data, dict):
        raise StudyError(f"{source}: this is not a mapping; a study begins with `study: NAME`")
    points = data.get("points")
    if isinstance(points, str) and "\n" not in points and folder is not None:
        try:
            data["points"] = read_points(folder / points, f"points: {points}").text
        except ValueError as error:
            raise StudyError(f"{source}: {error}") from None
        text = with_text_in_place(text, "points", data["points"])
    try:
        return Study.model_validate(data, context={"text": text, "source": source})
    except ValidationError as error:
        raise StudyError("\n".join(f"{source}: {line}" for line in problems(error, Study))) from None


def load_study(path: Path) -> Study:
    """Read and check a study file.

    Parameters
    ----------
    path
        A YAML file in UTF-8.

    Returns
    -------
    Study
        The study, defaults filled in.

    Raises
    ------
    StudyError
        If the file cannot be read or is not a valid study. The message names the file, the field, its value
        and what would be accepted, one line a problem.
    """
    try:
        text = text_of(
            Path(path),
            str(path),
            missing="give the path of a study file",
            folder="this is a directory; give the path of a study file in it",
        )
    except TextFileError as error:
        raise StudyError(str(error)) from error.__cause__
    return read_study(text, str(path), Path(path).absolute().parent)
