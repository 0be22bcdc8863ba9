"""A site's own MPI in place of the wheel's: Debian's MPICH, through the MPICH ABI."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from sweep.gang import Gang
from sweep.gang.launchers import launcher_command
from tests.sweep.gang.gangs import call, options

REQUIRED = os.environ.get("FARFIELD_REQUIRE_MPICH") == "1"
LIBRARY = "libmpich.so.12"


@pytest.fixture
def site_mpi(tmp_path: Path) -> tuple[str, dict[str, str]]:
    """Find Debian's MPICH; return its launcher and the variables that put its library before the wheel's."""
    mpiexec = shutil.which("mpiexec.mpich")
    found = [path for path in Path("/usr/lib").glob(f"*/{LIBRARY}") if path.exists()]
    if mpiexec is None or not found:
        missing = "Debian's MPICH is not installed (apt install mpich)"
        if REQUIRED:
            pytest.fail(missing)
        pytest.skip(missing)
    # Debian names the library libmpich.so.12; the ABI's name is libmpi.so.12
    (tmp_path / "libmpi.so.12").symlink_to(found[0])
    return mpiexec, {"LD_LIBRARY_PATH": str(tmp_path), "MPI4PY_MPIABI": "mpich"}


def test_a_gang_runs_on_a_sites_own_mpich(site_mpi: tuple[str, dict[str, str]]) -> None:
    mpiexec, variables = site_mpi
    with Gang(options(launcher=launcher_command(mpiexec, ranks=2), environment=variables)) as gang:
        assert call(gang, "total", values=np.ones(2)).tolist() == [3.0, 3.0]
        seen = call(gang, "mpi_library")
    assert seen["lammps"] == 2
    # no other MPI library beside it: two in one process answer each other's calls
    assert [Path(file).name.split(".so")[0] for file in seen["files"]] == ["libmpich"]
    assert all(file.startswith("/usr/lib/") for file in seen["files"])
