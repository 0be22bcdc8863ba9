"""How property tests are run, and the small study, run once for all tests that look at its store."""

import shutil
from pathlib import Path

import pytest
import xarray as xr
from hypothesis import settings

import sweep
from tests.small_study import SMALLER, run, write_study

# a deadline is a wall time, which no test asserts: a busy machine misses it
settings.register_profile("farfield", deadline=None)
settings.load_profile("farfield")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study that ran uninterrupted."""
    folder = tmp_path_factory.mktemp("whole")
    status, output, errors = run(write_study(folder))
    assert status == 0, errors
    # as published: M. I. Mendelev et al., Phil. Mag. 83:3977 (2003), potential 2
    assert "bcc Fe, lattice constant 2.8553 Å" in errors
    assert "medians by virial weight" in output
    assert str(folder / "small-iron.zarr") in output
    return folder


@pytest.fixture(scope="session")
def smaller(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the smaller study, run by one worker of one rank from the other's equilibria on."""
    folder = tmp_path_factory.mktemp("smaller")
    study = write_study(folder)
    study.write_text(SMALLER)
    shared = folder / "small-iron.zarr.run/artefacts"
    shutil.copytree(finished / "small-iron.zarr.run/artefacts", shared)
    status, _, errors = run(study, "--workers", "1", "--ranks", "1")
    assert status == 0, errors
    return folder


@pytest.fixture(scope="session")
def dataset(finished: Path) -> xr.Dataset:
    return sweep.open_store(finished / "small-iron.zarr").load()
