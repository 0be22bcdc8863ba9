"""What each artefact of a study is made from: kernels by name, their versions, and their inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from sweep.artefacts import Recipe
from sweep.grid import Block, Cylinder, Grid
from sweep.study import Study
from sweep.study.resolved import ResolvedReference

# Raise a number whenever that kernel, or anything it calls, gives other values: old artefacts are then made anew.
KERNEL_VERSIONS: dict[str, int] = {
    "kernels.materials:bulk_properties": 1,
    "kernels.equilibrium:rough_equilibrium": 2,
    "kernels.hessian:hessian_columns": 2,
    "kernels.equilibrium:polish_equilibrium": 2,
    "kernels.equilibrium:comparison_equilibrium": 1,
    "kernels.truncation:truncation_errors": 1,
    "kernels.training:core_set": 1,
    "kernels.training:bulk_set": 1,
    "kernels.assembly:factors": 2,
    "kernels.elasticity:elastic_rows": 2,
    "kernels.response:response_map": 2,
    "kernels.fitting:fit_block": 2,
    "kernels.blocks:estimate_block": 1,
    "kernels.points:relax_point": 2,
}

# Tasks that one Hessian is cut into. Fixed, since it is part of their keys: more workers than this gain nothing there.
HESSIAN_PARTS = 8
# Configurations of each kind on which every fit of a dislocation is judged.
HELD_OUT = 8
# Edges of the bins of the strain-error profile, Å: finer at the core; the same for every study, so profiles compare.
RADIAL_EDGES = (
    0.0,
    3.0,
    6.0,
    9.0,
    12.0,
    16.0,
    20.0,
    25.0,
    32.0,
    40.0,
    50.0,
    64.0,
    80.0,
    100.0,
    128.0,
    160.0,
    1e4,
)
# Stands where a training set has its replica's index, so that held-out streams differ from every replica's.
HELD_OUT_STREAM = 2**31
# Last number of a random stream's seed, by kind of configuration.
CORE, BULK = 0, 1
# Relaxed before its Hessian is differenced, so that the Hessian is the equilibrium's own to 2e-7, eV/Å.
ROUGH_FORCE = 1e-6
# The reference's own equilibrium is the yardstick: two orders below the tolerance of what is compared with it, eV/Å.
REFERENCE_FORCE = 1e-8
# Both sides of a truncation error: what it leaves of a core of 90 Å is a thousandth of the errors at 30 Å, eV/Å.
COMPARISON_FORCE = 1e-6


@dataclass(frozen=True, eq=False)
class Recipes:
    """The recipes of a study.

    Parameters
    ----------
    study
        The study.
    grid
        Its grid.
    reference
        Its reference potential, files found and hashed.
    """

    study: Study
    grid: Grid
    reference: ResolvedReference

    @staticmethod
    def make(function: str, **inputs: Any) -> Recipe:
        """Name a kernel with the version that stands in `KERNEL_VERSIONS`."""
        return Recipe(function, KERNEL_VERSIONS[function], inputs)

    @property
    def potential(self) -> dict[str, Any]:
        """The reference potential with its files named by their contents, not by where they lie."""
        return self.reference.by_contents()

    def basis(self, degree: int) -> dict[str, Any]:
        """Give the ACE basis of this degree."""
        basis = self.study.basis
        return {
            "element": self.study.material.element,
            "order": basis.order,
            "degree": degree,
            "cutoff": basis.cutoff,
        }

    @cached_property
    def material(self) -> Recipe:
        """Lattice and elastic constants of the reference."""
        structure = self.study.material.structure
        return self.make("kernels.materials:bulk_properties", potential=self.potential, structure=structure)

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def rough_equilibrium(self, dislocation: str, radius: float) -> Recipe:
        """Give the reference's dislocation, minimised until its Hessian can take over."""
        return self.make(
            "kernels.equilibrium:rough_equilibrium",
            potential=self.potential,
            material=self.material,
            dislocation=dislocation,
            simulation_radius=radius,
            cutoff=self.study.basis.cutoff,
            force_tolerance=ROUGH_FORCE,
        )

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def hessian_parts(self, dislocation: str, radius: float) -> list[Recipe]:
        """Give the reference's Hessian there, in parts."""
        rough = self.rough_equilibrium(dislocation, radius)
        return [
            self.make(
                "kernels.hessian:hessian_columns",
                potential=self.potential,
                rough_path=rough,
                part=part,
                parts=HESSIAN_PARTS,
            )
            for part in range(HESSIAN_PARTS)
        ]

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def equilibrium(self, dislocation: str, radius: float) -> Recipe:
        """Give the reference equilibrium with its Hessian: what every point of this radius is compared with."""
        return self.make(
            "kernels.equilibrium:polish_equilibrium",
            potential=self.potential,
            material=self.material,
            rough_path=self.rough_equilibrium(dislocation, radius),
            hessian_paths=self.hessian_parts(dislocation, radius),
            force_tolerance=REFERENCE_FORCE,
        )

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def comparison_equilibrium(self, dislocation: str) -> Recipe:
        """Give the reference equilibrium that stands for a cylinder without a boundary."""
        return self.make(
            "kernels.equilibrium:comparison_equilibrium",
            potential=self.potential,
            material=self.material,
            dislocation=dislocation,
            simulation_radius=self.study.simulation.comparison_radius,
            # of the reference alone, so no basis enters
            cutoff=0.0,
            force_tolerance=COMPARISON_FORCE,
        )

    def truncation(self, cylinder: Cylinder) -> Recipe:
        """Give the record of a cylinder: the reference's core in it against the one of the comparison radius."""
        return self.make(
            "kernels.truncation:truncation_errors",
            potential=self.potential,
            material=self.material,
            dislocation=cylinder.dislocation,
            simulation_radius=cylinder.simulation_radius,
            comparison=self.comparison_equilibrium(cylinder.dislocation),
            force_tolerance=COMPARISON_FORCE,
        )

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def core_set(self, dislocation: str, domain_radius: float, stream: int, first: int, last: int) -> Recipe:
        """Core configurations first … last-1, cut from the largest equilibrium of the study."""
        radius = max(self.study.axes.simulation_radius)
        return self.make(
            "kernels.training:core_set",
            potential=self.potential,
            material=self.material,
            equilibrium_path=self.equilibrium(dislocation, radius),
            domain_radius=domain_radius,
            cutoff=self.study.basis.cutoff,
            perturbation=self.study.training.core.perturbation,
            seed=[self.study.seed, stream, CORE],
            first=first,
            last=last,
        )

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def bulk_set(self, stream: int, first: int, last: int) -> Recipe:
        """Bulk configurations first … last-1."""
        bulk = self.study.training.bulk
        return self.make(
            "kernels.training:bulk_set",
            potential=self.potential,
            material=self.material,
            cells=list(bulk.cells),
            strain=bulk.strain,
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
        previous = None
        if smaller:
            previous = self.factors(_with_size(block, first))
        return self._factors(
            block.degree,
            block.dislocation,
            block.domain_radius,
            block.replica,
            first,
            block.n_train,
            previous,
        )

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def held_out(self, dislocation: str, degree: int) -> Recipe:
        """Factors of the configurations on which every fit of this dislocation and degree is judged."""
        widest = max(self.study.axes.domain_radius)
        return self._factors(degree, dislocation, widest, HELD_OUT_STREAM, 0, HELD_OUT, None)

    def _factors(
        self,
        degree: int,
        dislocation: str,
        domain_radius: float,
        stream: int,
        first: int,
        last: int,
        previous: Recipe | None,
    ) -> Recipe:
        return self.make(
            "kernels.assembly:factors",
            basis=self.basis(degree),
            core=self.core_set(dislocation, domain_radius, stream, first, last),
            bulk=self.bulk_set(stream, first, last),
            previous=previous,
        )

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def elastic_rows(self, degree: int) -> Recipe:
        """Energy, pressure and moduli of the perfect crystal, linear in the coefficients."""
        structure = self.study.material.structure
        return self.make(
            "kernels.elasticity:elastic_rows",
            basis=self.basis(degree),
            material=self.material,
            structure=structure,
        )

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def response(self, dislocation: str, radius: float, degree: int) -> Recipe:
        """Give the linear response of an equilibrium to potentials of one basis."""
        return self.make(
            "kernels.response:response_map",
            basis=self.basis(degree),
            equilibrium=self.equilibrium(dislocation, radius),
        )

    @cache  # noqa: B019 - a run has one Recipes, for its whole life
    def fit(self, block: Block) -> Recipe:
        """All weightings of a block's factors; the simulated radius does not enter."""
        return self.make(
            "kernels.fitting:fit_block",
            basis=self.basis(block.degree),
            material=self.material,
            dislocation=block.dislocation,
            factors=self.factors(block),
            held_out=self.held_out(block.dislocation, block.degree),
            elastic=self.elastic_rows(block.degree),
            weightings=[[w.energy, w.forces, w.virial] for w in self.grid.weightings()],
            regularisation=self.study.regularisation,
        )

    def estimates(self, block: Block) -> Recipe:
        """Give the record of a block: its fits' qualities and the errors estimated for them."""
        return self.make(
            "kernels.blocks:estimate_block",
            fit=self.fit(block),
            response=self.response(block.dislocation, block.simulation_radius, block.degree),
        )

    def relaxation(self, block: Block) -> Recipe:
        """Relaxing the points of a block; the weighting is added for each."""
        simulation = self.study.simulation
        return self.make(
            "kernels.points:relax_point",
            basis=self.basis(block.degree),
            material=self.material,
            dislocation=block.dislocation,
            equilibrium=self.equilibrium(block.dislocation, block.simulation_radius),
            fit=self.fit(block),
            response=self.response(block.dislocation, block.simulation_radius, block.degree),
            tolerance=simulation.residual_force,
            most_evaluations=simulation.max_evaluations,
            radial_edges=list(RADIAL_EDGES),
        )

    @property
    def comparing(self) -> bool:
        """Whether the reference's truncation errors are wanted."""
        return self.study.simulation.comparison_radius is not None

    @property
    def fitting(self) -> bool:
        """Whether any point is wanted at all."""
        return self.study.fidelity.points != "none"

    @property
    def relaxing(self) -> bool:
        """Whether points are relaxed at all."""
        return self.fitting and self.study.fidelity.relax != "none"

    def block_inputs(self, block: Block) -> dict[str, Recipe]:
        """Give what a block's estimates and points are made from."""
        return {
            "fit": self.fit(block),
            "response": self.response(block.dislocation, block.simulation_radius, block.degree),
            "equilibrium": self.equilibrium(block.dislocation, block.simulation_radius),
        }


def needs(recipe: Recipe) -> Iterator[Recipe]:
    """Give the recipes that a recipe draws on directly."""
    for value in recipe.inputs.values():
        if isinstance(value, Recipe):
            yield value
        elif isinstance(value, list):
            yield from (part for part in value if isinstance(part, Recipe))


def _with_size(block: Block, n_train: int) -> Block:
    return Block(
        block.dislocation, block.simulation_radius, block.degree, block.domain_radius, n_train, block.replica
    )
