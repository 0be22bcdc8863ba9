"""The study behind a store, found again without its files."""

import json
from pathlib import Path

import pytest

from sweep.exporting.errors import ExportError
from sweep.exporting.stored_study import stored_recipes, stored_reference
from sweep.prepared import prepare
from sweep.store import create_store
from tests.sweep.small_store import EDGES

STUDY = """\
study: trial
material: {element: ELEMENT, structure: STRUCTURE}
reference: REFERENCE
dislocations: [screw]
basis: {order: 3, cutoff: 4.0}
axes:
  simulation_radius: [12]
  degree: [6, 8]
  domain_radius: [6.0]
  n_train: [2, 4]
  replica: 2
  regularisation: [1.0e-6, 1.0e-4]
  weight_energy: [1.0]
  weight_forces: [1.0]
  weight_virial: [0.0, 1.0]
"""
REFERENCES = {
    "preset": ("W", "bcc", "{preset: tungsten-snap}"),
    "constants": ("W", "bcc", "{preset: tungsten-fs}"),
    "commands": ("W", "bcc", "{lammps: {pair_style: eam/fs, pair_coeff: ['* * \"my W.eam.fs\" W']}}"),
    "calculator": (
        "Cu",
        "fcc",
        "{ase: {calculator: 'ase.calculators.emt:EMT', options: {asap_cutoff: true}}}",
    ),
    "its file": (
        "Cu",
        "fcc",
        "{ase: {calculator: 'ase.calculators.emt:EMT', options: {label: my W.eam.fs}}}",
    ),
}


@pytest.fixture(params=REFERENCES)
def prepared(request, tmp_path):
    element, structure, reference = REFERENCES[request.param]
    text = STUDY.replace("ELEMENT", element).replace("STRUCTURE", structure).replace("REFERENCE", reference)
    folder = tmp_path / "study folder"
    folder.mkdir()
    (folder / "my W.eam.fs").write_text("a potential")
    study = folder / "trial.yaml"
    study.write_text(text)
    prepared = prepare(study, tmp_path / "trial.zarr", None)
    attributes = {"study": text, "fingerprint": prepared.fingerprint, "packages": {}}
    create_store(tmp_path / "trial.zarr", prepared.grid, EDGES, attributes)
    (folder / "my W.eam.fs").unlink()
    return prepared


def test_recipes_are_those_of_the_run(prepared):
    recipes = stored_recipes(prepared.folders.store)
    assert recipes.material.key == prepared.recipes.material.key
    for block in prepared.grid.blocks():
        assert recipes.fit(block).key == prepared.recipes.fit(block).key


def test_the_reference_describes_itself_alike(prepared):
    potential = json.loads(json.dumps(prepared.fingerprint))["potential"]
    again = stored_reference(potential)
    assert again.by_contents() == prepared.reference.by_contents()
    assert again.by_names() == prepared.reference.by_names()


@pytest.mark.parametrize(
    "attributes",
    [
        {"study": "nonsense", "fingerprint": {"potential": {"kind": "ase"}}},
        {"study": STUDY, "fingerprint": {}},
        {"study": STUDY, "fingerprint": {"potential": {"kind": "oracle", "files": {}}}},
    ],
)
def test_a_store_of_another_kind_is_refused(prepared, tmp_path, attributes):
    other = Path(tmp_path / "other.zarr")
    create_store(other, prepared.grid, EDGES, {"packages": {}, **attributes})
    with pytest.raises(ExportError, match="does not say in a form that this version knows"):
        stored_recipes(other)
