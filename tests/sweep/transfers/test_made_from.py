"""What transfers are made from and when they are asked for; stores of before there were any go on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sweep.artefacts import ArtefactFolder
from sweep.grid import Block
from sweep.identity import Identity, StudyChangedError
from sweep.plan import BlockWork, Plan, plan_study
from sweep.prepared import Prepared, prepare
from sweep.recipes import needs
from sweep.stages import STAGE_OF
from sweep.transfers.made_from import targets_of, transfer, untransferred

QUICK = Path(__file__).resolve().parents[3] / "studies/quick.yaml"
KERNEL = "kernels.blocks:transfer_block"
BLOCKS = 2 * 3 * 2 * 2


def prepared_with(folder: Path, dislocations: str) -> Prepared:
    study = folder / "several.yaml"
    study.write_text(QUICK.read_text().replace("[screw]", dislocations))
    return prepare(study, folder / "several.zarr", None)


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    return prepared_with(tmp_path, "[screw, edge, mixed]")


def transfers_in(plan: Plan) -> int:
    return sum(recipe.function == KERNEL for recipe in plan.artefacts)


def test_every_block_is_judged_on_every_other_dislocation(prepared: Prepared) -> None:
    plan = prepared.plan(prepared.remaining(), verify=True)
    assert transfers_in(plan) == plan.tasks["transfers"] == 3 * BLOCKS * 2
    made = set()
    for recipe in plan.artefacts:
        assert {needed.key for needed in needs(recipe)} <= made
        made.add(recipe.key)


def test_a_transfer_takes_the_fit_from_here_and_all_else_from_there(prepared: Prepared) -> None:
    recipes = prepared.recipes
    block = next(block for block in recipes.grid.blocks() if block.dislocation == "edge")
    there = replace(block, dislocation="mixed")
    inputs = transfer(recipes, block, "mixed").inputs
    assert targets_of(recipes, block) == ["screw", "mixed"]
    assert inputs["fit"] == recipes.fit(block) != recipes.fit(there)
    assert inputs["response"] == recipes.block_response(there)
    assert inputs["equilibrium"] == recipes.estimates(there).inputs["equilibrium"]
    assert inputs["held_out"] == recipes.fit(there).inputs["held_out"]


def test_one_dislocation_has_no_transfers(tmp_path: Path) -> None:
    prepared = prepared_with(tmp_path, "[screw]")
    assert list(untransferred(prepared.recipes, prepared.folders.store)) == []
    assert transfers_in(prepared.plan(prepared.remaining(), verify=True)) == 0


def test_nothing_is_made_for_transfers_alone(prepared: Prepared, tmp_path: Path) -> None:
    """Of a study that is finished, as one from before there were transfers: those whose inputs are still there."""
    recipes, folder = prepared.recipes, ArtefactFolder(tmp_path / "artefacts")
    wanted = [transfer(recipes, *each) for each in untransferred(recipes, prepared.folders.store)]

    def finished(block: Block) -> BlockWork:
        return BlockWork(block, recorded=True, weightings=())

    def planned() -> Plan:
        return plan_study(recipes, folder, finished, verify=True, transfers=wanted)

    assert planned().nothing_to_do
    for needed in needs(wanted[0]):
        folder.write(needed, {"something": 1.0})
    plan = planned()
    assert [recipe.key for recipe in plan.artefacts] == [wanted[0].key]
    assert not plan.nothing_to_do
    assert STAGE_OF[KERNEL] == "transfers"
    folder.write(wanted[0], {"something": 1.0})
    assert planned().nothing_to_do


def without_kernel(identity: Identity, name: str) -> Identity:
    kernels = {key: value for key, value in identity.fingerprint["kernels"].items() if key != name}
    return replace(identity, fingerprint={**identity.fingerprint, "kernels": kernels})


def test_a_store_of_before_there_were_transfers_goes_on(prepared: Prepared, tmp_path: Path) -> None:
    """A kernel that made none of a store's numbers changes none of them; one that did is refused as ever."""
    now = prepared.identity
    assert not now.check_same(without_kernel(now, KERNEL), tmp_path, accept_versions=False)
    with pytest.raises(
        StudyChangedError, match=r"kernels.kernels.blocks:transfer_block was 1, is now absent"
    ):
        without_kernel(now, KERNEL).check_same(now, tmp_path, accept_versions=False)
    older = replace(now, fingerprint={**now.fingerprint, "kernels": now.fingerprint["kernels"] | {KERNEL: 7}})
    with pytest.raises(StudyChangedError, match=r"transfer_block was 7, is now 1"):
        now.check_same(older, tmp_path, accept_versions=False)
