"""What each artefact of a study is made from: kernels by name, their versions, and their inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np

from sweep.artefacts import PlainList, Recipe
from sweep.fixed_choices import (
    BULK,
    CORE,
    ESTIMATES_CHECKED,
    HELD_OUT,
    HELD_OUT_STREAM,
    RADIAL_EDGES,
)
from sweep.grid import Block
from sweep.reference_recipes import ReferenceRecipes
from sweep.selection import draws


class Functions(NamedTuple):
    """Which ACE basis a block has: its degree, order and cutoff (Å)."""

    degree: int
    order: int
    cutoff: float


@dataclass(frozen=True, eq=False)
class Recipes(ReferenceRecipes):
    """The recipes of a study: those of its reference, and of all that is fitted to it."""

    def functions(self, block: Block) -> Functions:
        """Say which basis a block has: its own where that is an axis, or else the study's."""
        basis = self.study.basis
        order = basis.order if block.order is None else block.order
        return Functions(block.degree, order, basis.cutoff if block.cutoff is None else block.cutoff)

    def basis(self, functions: Functions) -> dict[str, Any]:
        """Give an ACE basis as kernels take it."""
        return {"element": self.study.material.element, **functions._asdict()}

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def own_core(self, dislocation: str, domain_radius: float) -> Recipe:
        """Give the core relaxed in a training domain of its own, known to be that of the largest equilibrium."""
        return self.make(
            "kernels.own_domain:own_core",
            material=self.material,
            dislocation=dislocation,
            own=self.equilibrium(dislocation, domain_radius),
            simulated=self.largest_equilibrium(dislocation),
            domain_radius=domain_radius,
            cutoff=self.cutoff,
            perturbation=self.study.training.core.perturbation,
        )

    def training_core(self, dislocation: str, domain_radius: float) -> Recipe:
        """Give the core that training clusters are cut from: the largest equilibrium, or the domain's own."""
        if self.training_in_own_domain:
            return self.own_core(dislocation, domain_radius)
        return self.largest_equilibrium(dislocation)

    @property
    def training_in_own_domain(self) -> bool:
        """Whether training clusters are relaxed in domains of their own."""
        return self.study.training.core.source == "own"

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def core_set(self, core: Recipe, domain_radius: float, stream: int, first: int, last: int) -> Recipe:
        """Core configurations first … last-1, cut from a relaxed core."""
        return self.make(
            "kernels.training:core_set",
            potential=self.potential,
            material=self.material,
            equilibrium_path=core,
            domain_radius=domain_radius,
            cutoff=self.cutoff,
            perturbation=self.study.training.core.perturbation,
            seed=[self.study.seed, stream, CORE],
            first=first,
            last=last,
        )

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def bulk_set(self, strain: float | None, stream: int, first: int, last: int) -> Recipe:
        """Bulk configurations first … last-1, of the study's strain where none is given."""
        bulk = self.study.training.bulk
        return self.make(
            "kernels.training:bulk_set",
            potential=self.potential,
            material=self.material,
            cells=list(bulk.cells),
            strain=bulk.strain if strain is None else strain,
            perturbation=bulk.perturbation,
            seed=[self.study.seed, stream, BULK],
            first=first,
            last=last,
        )

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def factors(self, block: Block) -> Recipe:
        """Triangular factors of a block's training set: those of the next smaller prefix, and what is new."""
        smaller = [size for size in self.study.axes.n_train if size < block.n_train]
        first = max(smaller, default=0)
        around = self.training_core(block.dislocation, block.domain_radius)
        core = self.core_set(around, block.domain_radius, block.replica, first, block.n_train)
        return self.make(
            "kernels.assembly:factors",
            basis=self.basis(self.functions(block)),
            core=core,
            bulk=self.bulk_set(block.bulk_strain, block.replica, first, block.n_train),
            # the larger sizes have them through their prefix
            files=None if smaller else self.files_set,
            previous=self.factors(replace(block, n_train=first)) if smaller else None,
            observations=list(self.study.training.observations),
        )

    @cached_property
    def files_set(self) -> Recipe | None:
        """The user's own training configurations, in every training set; None where the study names no files."""
        training = self.study.training
        if not self.training_files:
            return None
        keys = training.keys.model_dump(exclude_none=True)
        return self.make(
            "kernels.labelled_files:labelled_set",
            files=self.training_files.by_contents(),
            element=self.study.material.element,
            material=self.material,
            energy_per_atom=training.energy_per_atom,
            observations=list(training.observations),
            keys=keys or None,
        )

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def held_out(self, dislocation: str, functions: Functions) -> Recipe:
        """Factors of the configurations on which every fit of this dislocation and basis is judged.

        Wherever it was trained, they are about the core that is simulated.
        """
        widest = max(self.study.axes.domain_radius)
        return self.make(
            "kernels.assembly:factors",
            basis=self.basis(functions),
            core=self.core_set(self.largest_equilibrium(dislocation), widest, HELD_OUT_STREAM, 0, HELD_OUT),
            bulk=self.bulk_set(None, HELD_OUT_STREAM, 0, HELD_OUT),
            previous=None,
        )

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def force_constants(self, equilibrium: Recipe, domain_radius: float, functions: Functions) -> Recipe:
        """Give the factors of the force constants of the reference's core in an equilibrium."""
        return self.make(
            "kernels.force_constants:force_constant_factors",
            basis=self.basis(functions),
            equilibrium=equilibrium,
            domain_radius=domain_radius,
        )

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def elastic_rows(self, functions: Functions) -> Recipe:
        """Energy, pressure and moduli of the perfect crystal, linear in the coefficients."""
        structure = self.study.material.structure
        return self.make(
            "kernels.elasticity:elastic_rows",
            basis=self.basis(functions),
            material=self.material,
            structure=structure,
        )

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def response(self, dislocation: str, radius: float, functions: Functions) -> Recipe:
        """Give the linear response of an equilibrium to potentials of one basis."""
        return self.make(
            "kernels.response:response_map",
            basis=self.basis(functions),
            equilibrium=self.equilibrium(dislocation, radius),
            radial_edges=list(RADIAL_EDGES),
        )

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def fit(self, block: Block) -> Recipe:
        """All weightings of a block's factors; the simulated radius does not enter."""
        functions = self.functions(block)
        return self.make(
            "kernels.fitting:fit_block",
            basis=self.basis(functions),
            material=self.material,
            dislocation=block.dislocation,
            factors=self.factors(block),
            held_out=self.held_out(block.dislocation, functions),
            elastic=self.elastic_rows(functions),
            **self._weights,
            **self._force_constants(block, functions),
        )

    @cached_property
    def _weights(self) -> dict[str, Any]:
        """Weightings and regularisations of every block: of its fits, those of the first λ come first."""
        axes, weightings = self.study.axes, self.grid.weightings()
        of_one = weightings[: len(weightings) // len(axes.regularisation or (0,))]
        weights = [[each.energy, each.forces, each.virial] for each in of_one]
        if axes.weight_force_constants is not None:
            weights = [[*row, each.force_constants] for row, each in zip(weights, of_one, strict=True)]
        regularisation = (
            self.study.regularisation if axes.regularisation is None else list(axes.regularisation)
        )
        return {"weightings": PlainList.of(weights), "regularisation": regularisation}

    def _force_constants(self, block: Block, functions: Functions) -> dict[str, Recipe]:
        """Give what a block's fits observe of force constants, and what they are judged on, where they are an axis."""
        if self.study.axes.weight_force_constants is None:
            return {}
        widest, largest = max(self.study.axes.domain_radius), self.largest_equilibrium(block.dislocation)
        trained = largest
        if self.training_in_own_domain:
            trained = self.equilibrium(block.dislocation, block.domain_radius)
        return {
            "force_constants": self.force_constants(trained, block.domain_radius, functions),
            "held_out_force_constants": self.force_constants(largest, widest, functions),
        }

    def block_response(self, block: Block) -> Recipe:
        """Give the linear response of a block's equilibrium."""
        return self.response(block.dislocation, block.simulation_radius, self.functions(block))

    def own_response(self, block: Block) -> Recipe:
        """Give the linear response of a block's equilibrium to potentials with lattices and predictors of their own."""
        functions, simulated = self.functions(block), (block.dislocation, block.simulation_radius)
        return self._own_response(*simulated, functions)

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def _own_response(self, dislocation: str, radius: float, functions: Functions) -> Recipe:
        return self.make(
            "kernels.own_response:own_response_map",
            potential=self.potential,
            basis=self.basis(functions),
            material=self.material,
            dislocation=dislocation,
            equilibrium=self.equilibrium(dislocation, radius),
            radial_edges=list(RADIAL_EDGES),
        )

    def estimates(self, block: Block) -> Recipe:
        """Give the record of a block: its fits' qualities and the errors estimated for them."""
        kernel = "kernels.blocks:estimate_block"
        if self.simulating_own_lattices:
            return self.make(
                kernel,
                fit=self.fit(block),
                own_response=self.own_response(block),
                elastic=self.elastic_rows(self.functions(block)),
                material=self.material,
                **self._own_core(block),
            )
        return self.make(
            kernel,
            fit=self.fit(block),
            response=self.block_response(block),
            basis=self.basis(self.functions(block)),
            equilibrium=self.equilibrium(block.dislocation, block.simulation_radius),
            checked=self._checked(block),
            **self._own_core(block),
        )

    def _own_core(self, block: Block) -> dict[str, Recipe]:
        """Give the core that a block's training clusters have to themselves, where they do."""
        if not self.training_in_own_domain:
            return {}
        return {"training_core": self.own_core(block.dislocation, block.domain_radius)}

    def _checked(self, block: Block) -> list[int] | None:
        """Say which estimates of a block are checked; None for all. In a large screen, those drawn first."""
        asked = self.grid.asked(block)
        if self.relaxing:
            return None if asked.all() else np.flatnonzero(asked).tolist()
        return self.drawn(block, ESTIMATES_CHECKED // self.grid.n_blocks)

    def drawn(self, block: Block, most: int) -> list[int] | None:
        """Draw so many weightings of a block, at least one, of those that are asked for; None for all of them."""
        weightings, most, asked = self.grid.weightings(), max(1, most), self.grid.asked(block)
        if asked.sum() <= most:
            return None if asked.all() else np.flatnonzero(asked).tolist()
        # what is no fit has no estimate, and of what is not asked for none is kept: last of all
        order = np.where(asked & self.grid.fits, draws(self.study.seed, block, weightings), np.inf)
        return sorted(np.argsort(order)[:most].tolist())

    def relaxation(self, block: Block, dislocation: str | None = None) -> Recipe:
        """Relaxing the points of a block, in its own cylinder or another's; the weighting is added for each."""
        simulation, simulated = self.study.simulation, dislocation or block.dislocation
        functions = self.functions(block)
        if self.simulating_own_lattices:
            known = {"elastic": self.elastic_rows(functions)}
        else:
            known = {"response": self.response(simulated, block.simulation_radius, functions)}
        return self.make(
            "kernels.points:relax_point",
            basis=self.basis(self.functions(block)),
            material=self.material,
            dislocation=simulated,
            equilibrium=self.equilibrium(simulated, block.simulation_radius),
            fit=self.fit(block),
            **known,
            tolerance=simulation.residual_force,
            most_evaluations=simulation.max_evaluations,
            radial_edges=list(RADIAL_EDGES),
            **({"keep_corrector": True} if self.study.measures else {}),
        )

    @property
    def comparing(self) -> bool:
        """Whether the reference's truncation errors are wanted."""
        return self.study.simulation.comparison_radius is not None

    @property
    def simulating_own_lattices(self) -> bool:
        """Whether each potential is relaxed with a lattice and a predictor of its own."""
        return self.study.simulation.predictor == "potential"

    @property
    def fitting(self) -> bool:
        """Whether any point is wanted at all."""
        return self.study.fidelity.points != "none"

    @property
    def relaxing(self) -> bool:
        """Whether points are relaxed at all."""
        return self.fitting and self.study.fidelity.relax != "none"

    @property
    def sampling(self) -> bool:
        """Whether it is for the estimates to say which points are relaxed."""
        return self.relaxing and not isinstance(self.study.fidelity.relax, str)

    def block_inputs(self, block: Block) -> dict[str, Recipe]:
        """Give what a block's estimates and points are made from."""
        if self.simulating_own_lattices:
            elastic = self.elastic_rows(self.functions(block))
            drawn_on = {"own_response": self.own_response(block), "elastic": elastic}
        else:
            drawn_on = {"response": self.block_response(block)}
        return {
            "fit": self.fit(block),
            **drawn_on,
            "equilibrium": self.equilibrium(block.dislocation, block.simulation_radius),
            **self._own_core(block),
        }


def needs(recipe: Recipe) -> Iterator[Recipe]:
    """Give the recipes that a recipe draws on directly."""
    for value in recipe.inputs.values():
        if isinstance(value, Recipe):
            yield value
        elif isinstance(value, list):
            yield from (part for part in value if isinstance(part, Recipe))
