"""What each artefact of the reference potential alone is made from, whatever is fitted to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from sweep.artefacts import Recipe
from sweep.fixed_choices import COMPARISON_FORCE, HESSIAN_PARTS, REFERENCE_FORCE, ROUGH_FORCE
from sweep.grid import Cylinder, Grid
from sweep.kernel_versions import KERNEL_VERSIONS
from sweep.study import Study
from sweep.study.resolved import ResolvedReference
from sweep.study.training_files import NO_TRAINING_FILES, ResolvedTrainingFiles


@dataclass(frozen=True, eq=False)
class ReferenceRecipes:
    """The recipes of a study's reference.

    Parameters
    ----------
    study
        The study.
    grid
        Its grid.
    reference
        Its reference potential, files found and hashed.
    training_files
        Its own training files, found and hashed.
    """

    study: Study
    grid: Grid
    reference: ResolvedReference
    training_files: ResolvedTrainingFiles = NO_TRAINING_FILES

    @staticmethod
    def make(function: str, **inputs: Any) -> Recipe:
        """Name a kernel with the version that stands in `KERNEL_VERSIONS`."""
        return Recipe(function, KERNEL_VERSIONS[function], inputs)

    @cached_property
    def potential(self) -> dict[str, Any]:
        """The reference potential with its files named by their contents, not by where they lie."""
        return self.reference.by_contents()

    @cached_property
    def cutoff(self) -> float:
        """Largest cutoff of the study's bases (Å): cylinders and training clusters are wide enough for each."""
        return max(self.study.axes.cutoff or (self.study.basis.cutoff,))

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
            cutoff=self.cutoff,
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
    def largest_equilibrium(self, dislocation: str) -> Recipe:
        """Give the equilibrium in the largest cylinder of the study."""
        return self.equilibrium(dislocation, max(self.study.axes.simulation_radius))
