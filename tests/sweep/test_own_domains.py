"""Studies that train in domains of their own, and that the others' artefacts do not change with them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.artefacts import ArtefactFolder, Recipe
from sweep.identity import Identity
from sweep.plan import Plan
from sweep.prepared import Prepared, prepare
from sweep.recipes import needs
from sweep.setting_up import set_up
from sweep.store import open_store

QUICK = Path(__file__).resolve().parents[2] / "studies/quick.yaml"
FORCE_CONSTANTS = "weight_virial: [0.0, 1.0, 10.0]\n  weight_force_constants: [0.0, 1.0]"


@pytest.fixture
def prepared(tmp_path: Path) -> Callable[..., Prepared]:
    def made(source: str, **changes: tuple[str, str]) -> Prepared:
        text = QUICK.read_text().replace("source: large", f"source: {source}")
        for old, new in changes.values():
            assert old in text
            text = text.replace(old, new)
        study = tmp_path / f"{source}.yaml"
        study.write_text(text)
        return prepare(study, tmp_path / f"{source}.zarr", None)

    return made


def planned(prepared: Prepared) -> Plan:
    return prepared.plan(prepared.remaining(), verify=True)


def of(plan: Plan, function: str) -> list[Recipe]:
    return [recipe for recipe in plan.artefacts if recipe.function == function]


def test_each_domain_is_relaxed_once_for_all_replicas_and_sizes(prepared: Callable[..., Prepared]) -> None:
    large, own = planned(prepared("large")), planned(prepared("own"))
    # 3 domain radii: each rough, its Hessian in 8 parts, polished, and checked against the simulated core
    assert own.tasks["equilibria"] == large.tasks["equilibria"] + 3 * 10
    assert own.tasks["training"] == large.tasks["training"] + 3
    different = {"equilibria", "training"}
    assert {stage: n for stage, n in own.tasks.items() if stage not in different} == {
        stage: n for stage, n in large.tasks.items() if stage not in different
    }


def test_clusters_are_cut_from_the_own_core_and_judged_about_the_simulated_one(
    prepared: Callable[..., Prepared],
) -> None:
    study = prepared("own")
    recipes, plan = study.recipes, planned(study)
    cut = of(plan, "kernels.training:core_set")
    for core in cut:
        radius, source = core.inputs["domain_radius"], core.inputs["equilibrium_path"]
        if core.inputs["seed"][1] == 2**31:
            assert source.key == recipes.equilibrium("screw", 25.0).key
        else:
            assert source.function == "kernels.own_domain:own_core"
            assert source.inputs["own"].key == recipes.equilibrium("screw", radius).key
            assert source.inputs["simulated"].key == recipes.equilibrium("screw", 25.0).key
    assert {core.inputs["domain_radius"] for core in cut} == {6.0, 8.0, 10.0}
    # what every fit is judged on is what it is judged on in the study with large clusters
    functions = recipes.functions(next(study.grid.blocks()))
    same = prepared("large").recipes
    assert recipes.held_out("screw", functions).key == same.held_out("screw", functions).key


def test_force_constants_are_those_of_the_own_core(prepared: Callable[..., Prepared]) -> None:
    study = prepared("own", constants=("weight_virial: [0.0, 1.0, 10.0]", FORCE_CONSTANTS))
    for block in study.grid.blocks():
        fit = study.recipes.fit(block)
        observed, judged = (fit.inputs[name] for name in ("force_constants", "held_out_force_constants"))
        own, large = (study.recipes.equilibrium("screw", radius) for radius in (block.domain_radius, 25.0))
        assert observed.inputs["equilibrium"].key == own.key
        assert judged.inputs["equilibrium"].key == large.key


# What each artefact of a study without a domain of its own is made from: another input would be another key, and
# everything that was made before would be made again.
INPUTS = {
    "kernels.materials:bulk_properties": "potential structure",
    "kernels.equilibrium:rough_equilibrium": (
        "potential material dislocation simulation_radius cutoff force_tolerance"
    ),
    "kernels.hessian:hessian_columns": "potential rough_path part parts",
    "kernels.equilibrium:polish_equilibrium": "potential material rough_path hessian_paths force_tolerance",
    "kernels.training:core_set": (
        "potential material equilibrium_path domain_radius cutoff perturbation seed first last"
    ),
    "kernels.training:bulk_set": "potential material cells strain perturbation seed first last",
    "kernels.assembly:factors": "basis core bulk files previous observations",
    "kernels.elasticity:elastic_rows": "basis material structure",
    "kernels.response:response_map": "basis equilibrium radial_edges",
    "kernels.fitting:fit_block": (
        "basis material dislocation factors held_out elastic weightings regularisation"
    ),
    "kernels.blocks:estimate_block": "fit response basis equilibrium checked",
    "kernels.points:relax_point": (
        "basis material dislocation equilibrium fit response tolerance most_evaluations radial_edges"
    ),
}


def test_artefacts_of_studies_that_cut_from_the_large_core_keep_their_inputs(
    prepared: Callable[..., Prepared],
) -> None:
    study = prepared("large")
    recipes = study.recipes
    made = [
        each
        for block in study.grid.blocks()
        for each in (recipes.estimates(block), recipes.relaxation(block))
    ]
    found: dict[str, set[str]] = {}
    while made:
        recipe = made.pop()
        found.setdefault(recipe.function, set()).update(recipe.inputs)
        made += needs(recipe)
        if recipe.function == "kernels.training:core_set":
            assert recipe.inputs["equilibrium_path"].key == recipes.equilibrium("screw", 25.0).key
    # held-out factors name no observations: theirs are all
    assert found == {function: set(names.split()) for function, names in INPUTS.items()}


def test_a_store_from_before_goes_on(prepared: Callable[..., Prepared]) -> None:
    """Its fingerprint names no kernel of own domains or lattices: they made none of its numbers."""
    identity = prepared("large").identity
    kernels = {name: n for name, n in identity.fingerprint["kernels"].items() if ".own_" not in name}
    before = Identity({**identity.fingerprint, "kernels": kernels}, identity.axes)
    assert not identity.check_same(before, "before.zarr", accept_versions=False)


def test_only_stores_of_own_domains_say_how_far_they_are_off(prepared: Callable[..., Prepared]) -> None:
    for source in ("large", "own"):
        study = prepared(source)
        set_up(study)
        dataset = open_store(study.folders.store)
        assert ("training_truncation_error" in dataset) == (source == "own")
    assert dataset["training_truncation_error"].attrs["units"] == "angstrom"


def test_estimates_wait_for_the_core_whose_error_they_tell(
    prepared: Callable[..., Prepared], tmp_path: Path
) -> None:
    study = prepared("own")
    folder, block = ArtefactFolder(tmp_path / "some"), next(study.grid.blocks())
    # the fit is there, its training core was cleaned away
    folder.write(study.recipes.fit(block), {"number": 1.0})
    core = study.recipes.own_core("screw", block.domain_radius)
    assert core in study.recipes.block_inputs(block).values()
    assert core in needs(study.recipes.estimates(block))
