"""The user's own measures, from the study file to the store, and what is refused of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import sweep
from sweep.variables import Status
from tests.small_study import SMALLER, recorded, run

MODULE = '''\
"""Measures of a core: what an analyst writes."""

import numpy as np


def displacement(comm, configuration, potential, *, within):
    """How far atoms near the line end from where the reference has them, and the work that it takes."""
    moved = np.linalg.norm(configuration.relaxed - configuration.reference, axis=1)
    near = np.hypot(*configuration.sites.T[:2]) <= within
    there, here = (potential.energy(each) for each in (configuration.reference, configuration.relaxed))
    assert comm.allreduce(1) == comm.size
    assert np.abs(potential.forces(configuration.relaxed)).max() <= 1e-6
    assert len(configuration.atoms()) == len(configuration.sites)
    return {"core_displacement": moved[near].max(), "relaxation_energy": there - here}


displacement.measures = {
    "core_displacement": {"units": "angstrom", "long_name": "largest displacement near the line"},
    "relaxation_energy": {"units": "eV", "long_name": "energy gained from the reference's core to the fit's"},
}


def picky(comm, configuration, potential):
    raise RuntimeError("I like no core")


picky.measures = {"liking": {"units": "1", "long_name": "whether the core is liked"}}


def silent(comm, configuration, potential):
    return {}


def taken(comm, configuration, potential):
    return {}


taken.measures = {"geometry_error": {"units": "1", "long_name": "mine"}}
'''
STUDY = (
    SMALLER.replace("weight_virial: [0.0, 1.0]", "weight_virial: [1.0]")
    .replace("n_train: [4]", "n_train: [2]")
    .replace(", comparison_radius: 36.0", "")
    .replace("axes:", "measures: MEASURES\naxes:")
)
GOOD = '[{function: "my_core:displacement", options: {within: 4.0}}, "my_core:picky"]'


@pytest.fixture(autouse=True)
def _my_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("modules")
    (folder / "my_core.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder), prepend=":")
        yield


def test_measures_land_in_the_store_and_one_that_raises_costs_its_own_number(tmp_path: Path) -> None:
    study, store = tmp_path / "small-iron.yaml", tmp_path / "small-iron.zarr"
    study.write_text(STUDY.replace("MEASURES", GOOD))
    status, output, errors = run(study)
    assert status == 0, output + errors
    assert "not measured 1 time: my_core:picky failed: RuntimeError: I like no core" in output
    point = sweep.open_store(store).squeeze()
    assert int(point["status"]) == Status.relaxed
    assert float(point["geometry_error"]) > 0
    assert point["core_displacement"].attrs["units"] == "angstrom"
    assert point["relaxation_energy"].attrs["long_name"].startswith("energy gained")
    # one atom's displacement changes bonds by at most that much, and the error sums over many bonds
    assert 0 < float(point["core_displacement"]) < float(point["geometry_error"])
    # what the fit gains by relaxing is above nothing, and of the size of a half force times displacement
    assert 0 < float(point["relaxation_energy"]) < 1
    assert np.isnan(point["liking"])
    measures = json.loads(point.attrs["fingerprint"])["measures"]
    assert measures["my_core:displacement"]["options"] == {"within": 4}
    assert measures["my_core:picky"]["version"].startswith("source ")
    before = recorded(store)
    assert run(study)[0] == 0
    assert recorded(store) == before
    study.write_text(STUDY.replace("MEASURES", GOOD.replace("4.0", "5.0")))
    status, output, errors = run(study)
    assert status == 2
    assert "measures.my_core:displacement.options.within was 4.0, is now 5.0" in errors


@pytest.mark.parametrize(
    ("measures", "said"),
    [
        (
            '["my_core:silent"]',
            "my_core:silent does not say what it measures; give the function an attribute",
        ),
        ('["my_core:taken"]', "measures 'geometry_error', which is a name of the store's own"),
        ('["my_core:nothing"]', "the module my_core has no nothing"),
        ('["nowhere_at_all:core"]', "measures[0].function: there is no module 'nowhere_at_all'"),
        ('["my_core.displacement"]', "measures[0].function is 'my_core.displacement'; give \"package.module"),
        ('["my_core:picky", "my_core:picky"]', "measures names my_core:picky twice"),
    ],
)
def test_a_measure_that_cannot_be_had_is_refused_before_anything_is_written(
    tmp_path: Path, measures: str, said: str
) -> None:
    study = tmp_path / "small-iron.yaml"
    study.write_text(STUDY.replace("MEASURES", measures))
    status, output, errors = run(study)
    assert status == 2
    assert said in errors
    assert "small-iron.yaml: measures" in errors
    assert "Traceback" not in output + errors
    assert [path.name for path in tmp_path.iterdir()] == ["small-iron.yaml"]
