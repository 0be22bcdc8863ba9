"""The sections of a study file: keys, defaults and what each accepts."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, JsonValue, Tag, model_validator

from sweep.study.fields import (
    LENGTH,
    LENGTHS,
    WEIGHTS,
    WHOLE,
    Arguments,
    Count,
    Cutoff,
    Degree,
    Element,
    Factory,
    FilePattern,
    Items,
    LabelKey,
    Labels,
    Observation,
    Order,
    Positive,
    PresetName,
    Section,
    Strain,
    Structure,
    Triple,
    Weight,
)
from sweep.study.messages import listed
from sweep.study.presets import PRESETS


class Material(Section):
    """What is simulated: an element and its cubic structure."""

    element: Element = Field(description="a chemical symbol, such as W")
    structure: Structure = Field(description="bcc, fcc or diamond")


class LammpsReference(Section):
    """A reference by its LAMMPS commands' arguments, one `pair_coeff` a line."""

    pair_style: Arguments = Field(description="what follows pair_style in LAMMPS, on one line")
    pair_coeff: Items[Arguments] = Field(description="a list of what follows each pair_coeff in LAMMPS")

    @model_validator(mode="after")
    def _arguments_only(self) -> Self:
        for line in (self.pair_style, *self.pair_coeff):
            command, _, rest = line.strip().partition(" ")
            if command in ("pair_style", "pair_coeff"):
                raise ValueError(f"has {line!r}; give what follows the command: {rest.strip()!r}")
        return self


class AseReference(Section):
    """A reference by a function that makes an ASE calculator.

    `cutoff` (Å) is the distance beyond which an atom does not change another's energy: left out, it is measured.
    """

    calculator: Factory = Field(description='"package.module:factory"')
    options: dict[str, JsonValue] = Field(default={}, description="a mapping of the factory's arguments")
    cutoff: Cutoff | None = Field(default=None, description="a length of at least 2 (Å)")


class Reference(Section):
    """The potential that stands for the truth: a preset, LAMMPS commands or an ASE calculator."""

    preset: PresetName | None = Field(default=None, description=listed(PRESETS))
    lammps: LammpsReference | None = None
    ase: AseReference | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"names {' and '.join(given) or 'none'}; give exactly one of preset, lammps, ase"
            )
        return self


class Basis(Section):
    """The ACE basis where an axis does not say otherwise: correlation order, cutoff (Å)."""

    order: Order = Field(default=3, description="a whole number from 1 to 10")
    cutoff: Cutoff = Field(default=5.0, description="a length of at least 2 (Å)")


class CoreTraining(Section):
    """Training clusters about the core: perturbation's standard deviation (Å), and where the core comes from.

    `large` cuts clusters from the reference's core in the largest cylinder of the study. With `own` the reference
    relaxes each cluster in its own domain, clamped to the predictor beyond `domain_radius`, as one does who affords no
    larger one. An own core that is another one than the simulated is refused; how far it is from that is
    `training_truncation_error` in the store. Held-out configurations are cut from the large core either way.
    """

    perturbation: Positive = Field(default=0.02, description=LENGTH)
    source: Literal["large", "own"] = Field(default="large", description="large or own")


class BulkTraining(Section):
    """Training cells of bulk: repeats; standard deviations of strain components and of displacements (Å)."""

    cells: Triple[Count] = Field(default=(2, 2, 2), description="a list of three whole numbers of at least 1")
    strain: Strain = Field(default=0.01, description="a number above 0 and below 1")
    perturbation: Positive = Field(default=0.02, description=LENGTH)


class LabelKeys(Section):
    """What labels are called in training files, where that is not what ASE, libAtoms or MACE call them."""

    energy: LabelKey | None = Field(default=None, description="a word")
    forces: LabelKey | None = Field(default=None, description="a word")
    virial: LabelKey | None = Field(default=None, description="a word")
    stress: LabelKey | None = Field(default=None, description="a word")


class Training(Section):
    """How training configurations are made, and which files of the user's own are added to them.

    `energy_per_atom` (eV) is that of the perfect crystal by the method that labelled the files: left out, they count
    as labelled by the reference.
    """

    core: CoreTraining = CoreTraining()
    bulk: BulkTraining = BulkTraining()
    observations: Labels[Observation] = Field(
        default=("energy", "forces", "virial"), description="a list of some of energy, forces, virial"
    )
    files: Labels[FilePattern] | None = Field(
        default=None, description='a list of file names or patterns, such as ["data/*.xyz"]'
    )
    keys: LabelKeys = LabelKeys()
    energy_per_atom: float | None = Field(default=None, description="a number (eV)")

    @model_validator(mode="after")
    def _of_files(self) -> Self:
        for name in ("keys", "energy_per_atom"):
            if self.files is None and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"gives {name} of files but names no files; give files, or leave {name} out")
        return self


class Measure(Section):
    """A function of the user's own that measures relaxed cores, and its further arguments; or its name alone."""

    function: Factory = Field(description='"package.module:function"')
    options: dict[str, JsonValue] = Field(default={}, description="a mapping of the function's arguments")

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"function": value} if isinstance(value, str) else value


class Simulation(Section):
    """How dislocations are relaxed.

    `comparison_radius` (Å), at least three times the largest simulation radius, asks for the reference's own
    truncation errors; a relaxation ends at a largest force component of `residual_force` (eV/Å), or unconverged after
    `max_evaluations` of the forces.

    `predictor` says whose lattice and elasticity potentials are relaxed with: the reference's, or each with its own as
    its users would. With `potential` only core correctors are compared (`geometry_error`, `geometry_estimate` and their
    profiles): energies would be differences to two predictors. Estimates are not checked then (`estimate_trusted` is
    unknown), fits are not judged on other dislocations, and `measures` are refused.
    """

    comparison_radius: Positive | None = Field(default=None, description=LENGTH)
    predictor: Literal["reference", "potential"] = Field(
        default="reference", description="reference or potential"
    )
    residual_force: Positive = Field(default=1e-6, description="a number above 0 (eV/Å)")
    max_evaluations: Count = Field(default=200, description=WHOLE)


class Axes(Section):
    """The axes of the grid; `replica` is a count. Those from `order` on are axes only where named.

    Where it is not an axis, `order` and `cutoff` are the basis's, `bulk_strain` is `training.bulk.strain`,
    `regularisation` the study's, and force constants are not observed.
    """

    simulation_radius: Labels[Positive] = Field(description=LENGTHS)
    degree: Labels[Degree] = Field(description="a list of different whole numbers from 2 to 100")
    domain_radius: Labels[Positive] = Field(description=LENGTHS)
    n_train: Labels[Count] = Field(description="a list of different whole numbers of at least 1")
    replica: Count = Field(description=WHOLE)
    weight_energy: Labels[Weight] = Field(description=WEIGHTS)
    weight_forces: Labels[Weight] = Field(description=WEIGHTS)
    weight_virial: Labels[Weight] = Field(description=WEIGHTS)
    order: Labels[Order] | None = Field(
        default=None, description="a list of different whole numbers from 1 to 10"
    )
    cutoff: Labels[Cutoff] | None = Field(
        default=None, description="a list of different lengths of at least 2 (Å)"
    )
    bulk_strain: Labels[Strain] | None = Field(
        default=None, description="a list of different numbers above 0 and below 1"
    )
    regularisation: Labels[Positive] | None = Field(
        default=None, description="a list of different numbers above 0"
    )
    weight_force_constants: Labels[Weight] | None = Field(default=None, description=WEIGHTS)

    @model_validator(mode="after")
    def _fits_something(self) -> Self:
        constants = self.weight_force_constants or ()
        if not any((*self.weight_energy, *self.weight_forces, *self.weight_virial, *constants)):
            raise ValueError(
                "has every weighting zero; give weight_energy, weight_forces or weight_virial a value above 0"
            )
        return self


class Sampled(Section):
    """Relax a random share `sample` of the points, and those whose estimates may decide or may deceive.

    The latter are those nearest to the smallest estimates of their block, those whose estimate is not trusted, and,
    where `above` is given, those estimated above that geometry error (Å).
    """

    sample: Positive = Field(default=0.1, le=1, description="a share above 0 and at most 1")
    above: Positive | None = Field(default=None, description=LENGTH)


def _relax_kind(value: Any) -> str:
    return "sampled" if isinstance(value, dict | Sampled) else "word"


class Fidelity(Section):
    """Which points are fitted at all, and which of them are relaxed, not only estimated."""

    points: Literal["all", "none"] = Field(default="all", description="all or none")
    relax: Annotated[
        Annotated[Literal["all", "none"], Tag("word")] | Annotated[Sampled, Tag("sampled")],
        Discriminator(_relax_kind),
    ] = Field(default="all", description="all, none or {sample: SHARE, above: Å}")
