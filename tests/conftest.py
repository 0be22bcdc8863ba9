"""How tests are run, and the small study, run once for all tests that look at its store."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest
import xarray as xr
from hypothesis import settings

import sweep
from kernels.shared_programs import VARIABLE
from tests.small_study import SMALLER, run, write_study

# a deadline is a wall time, which no test asserts: a busy machine misses it
settings.register_profile("farfield", deadline=None)
settings.load_profile("farfield")

# what gangs of one test have compiled, those of the next need not; the user's own programs are left alone
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ[VARIABLE] = tempfile.mkdtemp(prefix="farfield-programs-")
    atexit.register(shutil.rmtree, os.environ[VARIABLE], ignore_errors=True)

# whole studies and clusters take longest: what takes seconds fills in behind them
_LONGEST_FIRST = ("", "chaos", "deployments", "docs", "kernels", "sweep")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that workers end together."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    top, *below = item.path.relative_to(item.config.rootpath).parts
    if top != "tests":
        # doctests, beside the code
        return len(_LONGEST_FIRST)
    folder = below[0] if len(below) > 1 else ""
    return _LONGEST_FIRST.index(folder) if folder in _LONGEST_FIRST else 0


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
