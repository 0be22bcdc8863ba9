"""Users' own training data, from extended XYZ beside the study file to the fits."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from mpi4py import MPI

import sweep
from kernels.training import bulk_set
from sweep.exporting.stored_study import stored_recipes
from sweep.prepared import prepare
from tests.kernels.iron import IRON, iron_material
from tests.small_study import SMALLER, run

FRAMES, ATOMS = 5, 2
SIZES = (2, 4)
STUDY = (
    SMALLER.replace("training: {", "training: {files: ['own/*.xyz'], ")
    .replace("n_train: [4]", f"n_train: {list(SIZES)}")
    .replace("weight_virial: [0.0, 1.0]", "weight_virial: [1.0]")
    .replace(", comparison_radius: 36.0", "")
) + "fidelity: {relax: none}\n"


def frames(seed: int) -> list[Atoms]:
    """Strained unit cells, labelled by the study's own reference."""
    material = iron_material()
    made = bulk_set(
        MPI.COMM_SELF,
        potential=IRON,
        material=material,
        cells=[1, 1, 1],
        strain=0.02,
        perturbation=0.05,
        seed=[seed],
        first=0,
        last=FRAMES,
    )
    labelled = []
    for number in range(FRAMES):
        frame = Atoms(f"Fe{ATOMS}", positions=made["positions"][number], cell=made["cells"][number], pbc=True)
        frame.info["energy"] = float(made["energies"][number] + ATOMS * material["energy_per_atom"])
        frame.info["virial"] = made["virials"][number][[0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(3, 3)
        frame.arrays["forces"] = made["forces"][number]
        labelled.append(frame)
    return labelled


def study_in(folder: Path, frames: list[Atoms]) -> Path:
    (folder / "own").mkdir()
    ase.io.write(folder / "own" / "iron.xyz", frames, format="extxyz")
    study = folder / "own-data.yaml"
    study.write_text(STUDY)
    return study


def test_files_are_fitted_beside_generated_sets(tmp_path: Path) -> None:
    study = study_in(tmp_path, frames(1))
    status, _, errors = run(study, "--store", "own.zarr")
    assert status == 0, errors
    dataset = sweep.open_store(tmp_path / "own.zarr").squeeze()
    prepared = prepare(study, tmp_path / "own.zarr", None)
    blocks = list(prepared.grid.blocks())
    sets = [prepared.artefacts.read(prepared.recipes.factors(block)) for block in blocks]
    for size, factors, labelled in zip(SIZES, sets, dataset.labelled_atoms.values, strict=True):
        # each file's frames once, whichever prefix of the generated sets they are beside
        assert factors["energy_bulk_rows"] == size + FRAMES
        assert factors["forces_bulk_rows"] == 3 * (16 * size + ATOMS * FRAMES)
        assert factors["virial_bulk_rows"] == 6 * (size + FRAMES)
        assert factors["forces_core_rows"] % size == 0
        observed = int(factors["forces_core_rows"]) // 3
        assert labelled == observed + 16 * size + ATOMS * FRAMES
    assert np.isfinite(dataset.geometry_estimate).all()
    # found again without the files, as an export does
    again = stored_recipes(tmp_path / "own.zarr")
    assert [again.fit(each).key for each in blocks] == [prepared.recipes.fit(each).key for each in blocks]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda frame: frame.arrays["forces"].__setitem__((1, 2), np.nan), "'forces' holds a value"),
        (lambda frame: frame.info.pop("virial"), "it has no virial or stress"),
        (lambda frame: frame.info.__setitem__("energy", 3000.0), "energy per atom of the perfect crystal"),
    ],
)
def test_a_bad_label_is_refused_before_anything_is_written(tmp_path: Path, spoil: object, said: str) -> None:
    spoilt = frames(2)
    spoil(spoilt[3])  # type: ignore[operator]
    study = study_in(tmp_path, spoilt if "per atom" not in said else spoilt[3:4])
    status, output, errors = run(study, "--store", "own.zarr")
    assert status == 2
    assert said in errors
    assert "own-data.yaml: training.files: " in errors
    assert "Traceback" not in output + errors
    if "per atom" not in said:
        assert f"{tmp_path}/own/iron.xyz, frame 3: " in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own", "own-data.yaml"]
