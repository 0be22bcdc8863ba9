"""What a study still needs: artefacts in an order in which they can be made, blocks, and points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sweep.artefacts import ArtefactFolder, Recipe
from sweep.grid import Block, Cylinder
from sweep.recipes import Recipes, needs
from sweep.stages import STAGE_OF, STAGES


@dataclass(frozen=True)
class BlockWork:
    """What one block still needs.

    Parameters
    ----------
    block
        The block.
    recorded
        Whether its fits and estimates are recorded already, or that they failed.
    weightings
        Indices of the points still to be relaxed.
    """

    block: Block
    recorded: bool
    weightings: tuple[int, ...]

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.recorded and not self.weightings


@dataclass(frozen=True)
class Plan:
    """Everything that a run would do.

    Parameters
    ----------
    recipes
        The study's recipes.
    blocks
        Blocks with something left to do.
    cylinders
        Cylinders whose truncation errors are still to be found.
    artefacts
        Artefacts to be made, each after those it draws on.
    present
        Artefacts that those draw on directly or indirectly and that exist, by stage.
    points_total, points_done
        Points that the study asks for, and those of them that are recorded or excluded.
    points_failed
        Points that are recorded as failed.
    """

    recipes: Recipes
    blocks: tuple[BlockWork, ...]
    cylinders: tuple[Cylinder, ...]
    artefacts: tuple[Recipe, ...]
    present: Counter[str]
    points_total: int
    points_done: int
    points_failed: int = 0

    @property
    def calls(self) -> Counter[str]:
        """Number of calls to make, by kernel."""
        count = Counter(recipe.function for recipe in self.artefacts)
        (truncation,), (estimates,), (relaxation,) = (
            STAGES[stage] for stage in ("truncation", "estimates", "relaxations")
        )
        count[truncation] = len(self.cylinders)
        count[estimates] = sum(not work.recorded for work in self.blocks)
        count[relaxation] = sum(len(work.weightings) for work in self.blocks)
        return count

    @property
    def tasks(self) -> dict[str, int]:
        """Number of tasks to run, by stage."""
        calls = self.calls
        return {stage: sum(calls[kernel] for kernel in kernels) for stage, kernels in STAGES.items()}

    @property
    def nothing_to_do(self) -> bool:
        """Whether everything that was asked for has its result."""
        return not self.blocks and not self.cylinders and not self.artefacts


def plan_study(
    recipes: Recipes,
    folder: ArtefactFolder,
    remaining: Callable[[Block], BlockWork],
    *,
    verify: bool,
    points_failed: int = 0,
    cylinders: Sequence[Cylinder] = (),
    transfers: Iterable[Recipe] = (),
) -> Plan:
    """Find what a study still needs, from its results back to what they are made from.

    Parameters
    ----------
    recipes
        The study's recipes.
    folder
        Where artefacts are kept.
    remaining
        Says what a block still needs, from the store and the journals.
    verify
        Check the checksums of the artefacts that exist, so that a damaged one is made anew.
    points_failed
        How many points are recorded as failed, to be told.
    cylinders
        Cylinders whose truncation errors are still to be found.
    transfers
        How blocks' fits do on other dislocations, where the store does not know it. Nothing is made for them alone:
        those are left out whose fits or response maps neither exist nor are made for something else.

    Returns
    -------
    Plan
        Artefacts behind finished blocks do not appear: nothing needs them.
    """
    works = [remaining(block) for block in recipes.grid.blocks()] if recipes.fitting else []
    unfinished = tuple(work for work in works if not work.finished)
    roots = [recipe for work in unfinished for recipe in recipes.block_inputs(work.block).values()]
    roots += [needed for cylinder in cylinders for needed in needs(recipes.truncation(cylinder))]
    missing, present = _demand(roots, transfers, folder, verify=verify)
    left = sum(len(work.weightings) for work in unfinished)
    if not recipes.relaxing:
        grid = recipes.grid
        left = sum(
            int((grid.asked(work.block) & grid.fits).sum()) for work in unfinished if not work.recorded
        )
    asked = recipes.grid.n_asked if recipes.fitting else 0
    return Plan(recipes, unfinished, tuple(cylinders), missing, present, asked, asked - left, points_failed)


def _demand(
    roots: Iterable[Recipe], transfers: Iterable[Recipe], folder: ArtefactFolder, *, verify: bool
) -> tuple[tuple[Recipe, ...], Counter[str]]:
    """Walk from what is wanted to what it is made from, stopping at what exists; then add what may be had with it."""
    missing: dict[str, Recipe] = {}
    present: dict[str, str] = {}

    def want(recipe: Recipe) -> None:
        if recipe.key in missing or recipe.key in present:
            return
        if folder.has(recipe, verify=verify):
            present[recipe.key] = STAGE_OF[recipe.function]
            return
        for needed in needs(recipe):
            want(needed)
        missing[recipe.key] = recipe

    for root in roots:
        want(root)
    for transfer in transfers:
        if all(needed.key in missing or folder.has(needed, verify=verify) for needed in needs(transfer)):
            want(transfer)
    return tuple(missing.values()), Counter(present.values())


def stages_with_work(plan: Plan) -> list[str]:
    """Give the stages in which a plan has tasks, in the order of the data's flow."""
    return [stage for stage in STAGES if plan.tasks[stage]]


def left_to_do(plan: Plan) -> str:
    """Say in a few words what a plan would do."""
    points = f"{plan.points_total - plan.points_done} of {plan.points_total} points"
    cylinders = f"truncation errors of {len(plan.cylinders)} cylinder{'s' * (len(plan.cylinders) != 1)}"
    transfers = plan.tasks["transfers"]
    others = f"{transfers} transfer{'s' * (transfers != 1)} to other dislocations"
    words = {points: plan.blocks, cylinders: plan.cylinders, others: transfers}
    return " and ".join(word for word, wanted in words.items() if wanted)
