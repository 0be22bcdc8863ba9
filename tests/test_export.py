"""Potentials exported from a finished study, read back by ace-jax: the fit's own forces."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from ace_jax import ACECalculator
from ase.build import bulk
from numpy.typing import NDArray

from kernels.ace import AcePotential, basis_of
from kernels.environments import cell_environments
from sweep.exporting.choice import labels_in
from sweep.exporting.command import export
from sweep.exporting.errors import ExportError
from sweep.exporting.potential import export_potential
from sweep.grid import Weighting
from sweep.prepared import Prepared, prepare
from sweep.store import stored_fingerprint

AT = "domain_radius=7,n_train=4,weight_energy=1,weight_forces=1,weight_virial=1"
WEIGHTING = Weighting(1.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def prepared(finished: Path) -> Prepared:
    return prepare(finished / "small-iron.yaml", finished / "small-iron.zarr", None)


@pytest.fixture(scope="module")
def fit(prepared: Prepared) -> dict[str, Any]:
    """Basis, coefficients and constant of the point, from the run's own artefacts."""
    block = next(
        block for block in prepared.grid.blocks() if (block.domain_radius, block.n_train) == (7.0, 4)
    )
    recipe = prepared.recipes.fit(block)
    fits = prepared.artefacts.read(recipe)
    place = prepared.grid.weightings().index(WEIGHTING)
    zero = prepared.artefacts.read(prepared.recipes.material)["energy_per_atom"]
    return {
        "basis": recipe.inputs["basis"],
        "coefficients": fits["coefficients"][place],
        "constant": float(fits["e0"][place] + zero),
    }


def ours(fit: dict[str, Any], structure: Any) -> tuple[float, NDArray[np.float64]]:
    potential = AcePotential(basis_of(fit["basis"]), fit["coefficients"])
    around = cell_environments(structure.positions, structure.cell.array, fit["basis"]["cutoff"])
    energy = potential.site_energies(around, structure.positions).sum() + len(structure) * fit["constant"]
    return float(energy), potential.forces(around, structure.positions)


@pytest.mark.parametrize(("suffix", "digits"), [(".npz", 1e-10), (".yace", 1e-7)])
def test_a_potential_read_back_has_the_fits_forces(
    finished: Path,
    fit: dict[str, Any],
    tmp_path: Path,
    suffix: str,
    digits: float,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = tmp_path / f"iron{suffix}"
    assert export(finished / "small-iron.zarr", model, [AT]) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "degree 8, domain_radius 7.0, n_train 4, replica 0" in said
    assert [path.name for path in tmp_path.iterdir()] == [model.name]
    structure = bulk("Fe", "bcc", a=2.8553, cubic=True) * (2, 2, 2)
    structure.rattle(0.1, seed=3)
    energy, forces = ours(fit, structure)
    structure.calc = ACECalculator(str(model))
    assert structure.get_potential_energy() == pytest.approx(energy, rel=digits)
    assert np.abs(structure.get_forces() - forces).max() <= digits * np.abs(forces).max()


def test_every_weighting_is_its_own_fit(finished: Path, prepared: Prepared, tmp_path: Path) -> None:
    """Labels pick the fit that the study's order of weightings gives them, not one beside it."""
    from ace_jax import load

    at = AT.replace("weight_energy=1", "weight_energy=0").replace("weight_virial=1", "weight_virial=0")
    export_potential(finished / "small-iron.zarr", tmp_path / "forces.npz", labels_in([at]))
    block = next(
        block for block in prepared.grid.blocks() if (block.domain_radius, block.n_train) == (7.0, 4)
    )
    fits = prepared.artefacts.read(prepared.recipes.fit(block))["coefficients"]
    expected = fits[prepared.grid.weightings().index(Weighting(0.0, 1.0, 0.0))]
    model, _, _ = load(tmp_path / "forces.npz")
    written = np.concatenate([np.ravel(model.WB), np.ravel(model.Wpair)])
    np.testing.assert_allclose(written, expected, rtol=1e-12)
    assert not np.allclose(written, fits[prepared.grid.weightings().index(WEIGHTING)])


def test_an_excluded_weighting_is_refused(finished: Path, tmp_path: Path) -> None:
    at = AT.replace("=1", "=0")
    with pytest.raises(ExportError, match="is excluded: every weight is zero"):
        export_potential(finished / "small-iron.zarr", tmp_path / "none.npz", labels_in([at]))


def test_a_fit_that_is_gone_comes_back_as_the_message_says(finished: Path, tmp_path: Path) -> None:
    """Its artefacts in another folder are found there; with none, the message names the way to make them again."""
    store = tmp_path / "small-iron.zarr"
    shutil.copytree(finished / "small-iron.zarr", store)
    with pytest.raises(ExportError, match=r"--store NEW\.zarr --artefacts") as caught:
        export_potential(store, tmp_path / "iron.npz", labels_in([AT]))
    assert str(tmp_path / "small-iron.zarr.run" / "artefacts") in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["small-iron.zarr"]
    elsewhere = finished / "small-iron.zarr.run" / "artefacts"
    export_potential(store, tmp_path / "iron.npz", labels_in([AT]), artefacts=elsewhere)
    assert (tmp_path / "iron.npz").exists()


def test_what_the_kernel_refuses_is_said_with_its_reason(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "iron.pt").write_text("earlier")
    with pytest.raises(ExportError, match=r"potentials are not written as '\.pt'; choose from \.npz, \.yace"):
        export_potential(finished / "small-iron.zarr", tmp_path / "iron.pt", labels_in([AT]))
    assert (tmp_path / "iron.pt").read_text() == "earlier"


def test_a_fit_of_other_kernels_is_not_the_stores(finished: Path, tmp_path: Path) -> None:
    """In a shared folder the fit of a newer version may stand: the store's numbers are not of it."""
    store = tmp_path / "older.zarr"
    shutil.copytree(finished / "small-iron.zarr", store)
    fingerprint = stored_fingerprint(store)
    fingerprint["kernels"]["kernels.fitting:fit_block"] += 1
    zarr.open_group(store, mode="r+").attrs["fingerprint"] = json.dumps(fingerprint)
    artefacts = finished / "small-iron.zarr.run" / "artefacts"
    with pytest.raises(ExportError, match=r"other kernels: kernels\.fitting:fit_block was"):
        export_potential(store, tmp_path / "model.npz", labels_in([AT]), artefacts=artefacts)
    assert not (tmp_path / "model.npz").exists()
