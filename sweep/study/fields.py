"""Kinds of value in a study file: what each accepts, and the words a message says it in."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal, TypeVar

from annotated_types import MinLen
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from sweep.study.dislocation_names import CLASSES, SHORT_NAMES, STRUCTURES
from sweep.study.elements import ELEMENTS
from sweep.study.messages import listed, nearest
from sweep.study.presets import PRESETS

T = TypeVar("T")


class Section(BaseModel):
    """A section of a study: immutable, without unknown keys, numbers never read from words or booleans."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _sequence(value: Any) -> Any:
    # YAML gives lists; a frozen study keeps tuples.
    return tuple(value) if isinstance(value, list) else value


def _different(values: tuple[T, ...]) -> tuple[T, ...]:
    value, count = Counter(values).most_common(1)[0]
    if count > 1:
        raise ValueError(
            f"names {value!r} {'twice' if count == 2 else f'{count} times'}; name each value once"
        )
    return values


def _element(symbol: str) -> str:
    if symbol not in ELEMENTS:
        words = (
            f"did you mean {symbol.capitalize()}?"
            if symbol.capitalize() in ELEMENTS
            else "such as W, Fe or Si"
        )
        raise ValueError(f"is {symbol!r}; give a chemical symbol ({words})")
    return symbol


def _structure(name: str) -> str:
    if name not in STRUCTURES:
        raise ValueError(f"is {name!r}, which is not a structure; give {listed(STRUCTURES)}")
    return name


def _dislocation(name: str) -> str:
    if name not in SHORT_NAMES and name not in CLASSES:
        raise ValueError(
            f"is {name!r}, which is not a dislocation; {nearest(name, SHORT_NAMES)}"
            if name.islower()
            else f"is {name!r}, which is not a dislocation; {nearest(name, CLASSES)}"
        )
    return name


def _preset(name: str) -> str:
    if name not in PRESETS:
        raise ValueError(f"is {name!r}, which is not a preset; {nearest(name, PRESETS)}")
    return name


#: A list of different values, at least one.
Labels = Annotated[tuple[T, ...], BeforeValidator(_sequence), MinLen(1), AfterValidator(_different)]
#: A list whose values may repeat, at least one.
Items = Annotated[tuple[T, ...], BeforeValidator(_sequence), MinLen(1)]
Triple = Annotated[tuple[T, T, T], BeforeValidator(_sequence)]

Positive = Annotated[float, Field(gt=0)]
#: What of a training configuration is labelled; a core has no virial.
Observation = Literal["energy", "forces", "virial"]
Strain = Annotated[float, Field(gt=0, lt=1)]
Weight = Annotated[float, Field(ge=0)]
# The upper bounds are far beyond use: they keep a slip of the finger from filling the memory.
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Order = Annotated[int, Field(ge=1, le=10)]
Degree = Annotated[int, Field(ge=2, le=100)]
#: A basis cutoff (Å): below 2 Å it reaches no neighbour in any metal.
Cutoff = Annotated[float, Field(ge=2)]

#: A file's name, since the store, journals and artefacts are called by it.
StudyName = Annotated[str, Field(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,99}\z")]
Element = Annotated[str, AfterValidator(_element)]
Structure = Annotated[str, AfterValidator(_structure)]
Dislocation = Annotated[str, AfterValidator(_dislocation)]
PresetName = Annotated[str, AfterValidator(_preset)]
#: A file's name or a pattern of names, on one line.
FilePattern = Annotated[str, Field(pattern=r"\A[^\x00-\x1f\x7f]+\z")]
#: The name of a label in a file.
LabelKey = Annotated[str, Field(pattern=r"\A[^\x00-\x20\x7f]+\z")]
#: Arguments of a LAMMPS command: one line of printable characters.
Arguments = Annotated[str, Field(pattern=r"\A[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*\z")]
#: Where a calculator is made, as "package.module:factory".
Factory = Annotated[str, Field(pattern=r"\A[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\z")]

WHOLE = "a whole number from 1 to 1000000"
LENGTH = "a length above 0 (Å)"
LENGTHS = "a list of different lengths above 0 (Å)"
WEIGHTS = "a list of different finite numbers, none negative"
