"""A study whose reference is an ASE calculator, from its file to its store, and what fails of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from mpi4py import MPI

import sweep
from kernels.cylinders import clamped_cylinder
from kernels.equilibrium import shell_width
from kernels.materials import bulk_properties
from sweep.variables import Status
from tests.kernels.test_reference_contract import COPPER
from tests.small_study import command, run

MODULE = '''\
"""Copper that has something against a certain number of atoms."""

from ase.calculators.emt import EMT


class Choosy(EMT):
    def __init__(self, disliked):
        super().__init__()
        self.disliked = disliked

    def calculate(self, atoms=None, *arguments, **named):
        if atoms is not None and len(atoms) == self.disliked:
            raise RuntimeError(f"{self.disliked} atoms are too many and too few")
        super().calculate(atoms, *arguments, **named)
'''

STUDY = """\
study: copper
material: {element: Cu, structure: fcc}
reference: {ase: {calculator: "my_copper:Choosy", options: {disliked: DISLIKED}}}
dislocations: [screw]
basis: {order: 2, cutoff: 4.0}
training: {bulk: {cells: [1, 1, 1]}}
axes:
  simulation_radius: [5.0, 6.0]
  degree: [4]
  domain_radius: [4.0]
  n_train: [2]
  replica: 1
  weight_energy: [1.0]
  weight_forces: [1.0]
  weight_virial: [1.0]
fidelity: {relax: none}
"""


@pytest.fixture(scope="module")
def material() -> dict[str, Any]:
    return bulk_properties(MPI.COMM_SELF, COPPER, "fcc")


@pytest.fixture(scope="module")
def disliked(material: dict[str, Any]) -> int:
    """How many atoms the smaller cylinder has."""
    width = shell_width(material, 5.0, max(4.0, material["cutoff"]))
    return len(clamped_cylinder("screw", material, 5.0, width).sites)


@pytest.fixture(scope="module", autouse=True)
def _my_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("modules")
    (folder / "my_copper.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, disliked: int) -> tuple[Path, int, str, str]:
    folder = tmp_path_factory.mktemp("copper")
    study = folder / "copper.yaml"
    study.write_text(STUDY.replace("DISLIKED", str(disliked)))
    return (study, *run(study))


@pytest.fixture(scope="module")
def dataset(finished: tuple[Path, int, str, str]) -> xr.Dataset:
    return sweep.open_store(finished[0].with_suffix(".zarr")).load()


def test_a_calculators_failure_costs_the_points_that_need_it_and_no_others(
    finished: tuple[Path, int, str, str], dataset: xr.Dataset, disliked: int
) -> None:
    study, status, output, errors = finished
    assert status == 1, errors
    assert "1 failed" in output
    assert dataset.status.squeeze().values.tolist() == [Status.failed, Status.estimated]
    journals = b"".join(path.read_bytes() for path in study.with_suffix(".zarr.run").rglob("*.journal*"))
    said = f"my_copper:Choosy' for Cu: RuntimeError: {disliked} atoms are too many and too few"
    assert said.encode() in journals


def test_the_fit_is_of_what_the_calculator_gave(dataset: xr.Dataset, material: dict[str, Any]) -> None:
    point = dataset.isel(simulation_radius=1).squeeze()
    assert float(point.c11) == pytest.approx(material["C11"], rel=0.5)
    assert float(point.geometry_estimate) > 0.0
    assert np.isfinite(point.rmse_forces).all()


def test_the_fingerprint_names_calculator_options_and_version(dataset: xr.Dataset, disliked: int) -> None:
    potential = json.loads(dataset.attrs["fingerprint"])["potential"]
    assert potential["calculator"] == "my_copper:Choosy"
    assert potential["options"] == {"disliked": disliked}
    assert potential["version"].startswith("source ")


def test_a_calculator_that_cannot_be_made_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    study = tmp_path / "copper.yaml"
    study.write_text(STUDY.replace("{disliked: DISLIKED}", "{disliked: 1, colour: red}"))
    process = command(study)
    output, errors = process.communicate(timeout=100)
    assert process.returncode == 2
    assert "colour" in errors
    assert "Traceback" not in output + errors
    assert [path.name for path in tmp_path.iterdir()] == ["copper.yaml"]
