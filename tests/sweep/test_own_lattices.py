"""Studies that simulate each potential in its own lattice: what they make, and what they share with the others."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.prepared import Prepared, prepare
from sweep.recipes import needs
from sweep.transfers.made_from import untransferred

QUICK = Path(__file__).resolve().parents[2] / "studies/quick.yaml"


@pytest.fixture
def prepared(tmp_path: Path) -> Callable[[str], Prepared]:
    def made(predictor: str) -> Prepared:
        study = tmp_path / f"{predictor}.yaml"
        text = QUICK.read_text().replace("[screw]", "[screw, edge]")
        study.write_text(f"{text}\nsimulation: {{predictor: {predictor}}}\n")
        return prepare(study, tmp_path / f"{predictor}.zarr", None)

    return made


def test_all_but_response_and_relaxations_is_shared(prepared: Callable[[str], Prepared]) -> None:
    reference, potential = prepared("reference"), prepared("potential")
    plans = [each.plan(each.remaining(), verify=True) for each in (reference, potential)]
    kernels = [
        {recipe.key for recipe in plan.artefacts if "response" not in recipe.function} for plan in plans
    ]
    transfers = {recipe.key for recipe in plans[0].artefacts if recipe.function.endswith("transfer_block")}
    assert kernels[0] - transfers == kernels[1]
    # two degrees, two dislocations: a map of each, and the rows of each degree's crystal
    assert plans[0].tasks["response"] == plans[1].tasks["response"] == 4 + 2
    for block in potential.grid.blocks():
        relaxation, estimates = potential.recipes.relaxation(block), potential.recipes.estimates(block)
        elastic = potential.recipes.elastic_rows(potential.recipes.functions(block))
        assert relaxation.inputs["elastic"].key == estimates.inputs["elastic"].key == elastic.key
        assert "response" not in relaxation.inputs | estimates.inputs
        drawn_on = {recipe.key for recipe in potential.recipes.block_inputs(block).values()}
        wanted = {recipe.key for each in (relaxation, estimates) for recipe in needs(each)}
        assert wanted - {potential.recipes.material.key} <= drawn_on


def test_fits_are_not_judged_on_other_dislocations(prepared: Callable[[str], Prepared]) -> None:
    for predictor, some in (("reference", True), ("potential", False)):
        study = prepared(predictor)
        assert bool(list(untransferred(study.recipes, study.folders.store))) == some
