"""A real SLURM cluster for the session, on this machine."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LOCAL_CLUSTER = Path(__file__).resolve().parents[2] / "deployments" / "slurm" / "local-cluster.sh"
REQUIRED = "FARFIELD_REQUIRE_SLURM"
PATH = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Keep two workers of pytest from finding the same ports free."""
    with (Path(tempfile.gettempdir()) / f"farfield-slurm-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def slurm() -> Iterator[Path]:
    """Folder of a cluster with two nodes of four CPUs; SLURM's commands find it while the session lasts."""
    missing = [
        name for name in ("slurmctld", "slurmd", "sbatch", "munged") if not shutil.which(name, path=PATH)
    ]
    if missing and os.environ.get(REQUIRED) != "1":
        pytest.skip(
            f"no SLURM here ({', '.join(missing)} missing): apt-get install slurmctld slurmd slurm-client munge"
        )
    # sockets need a short path
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    with _one_at_a_time():
        up = subprocess.run(
            [LOCAL_CLUSTER, "up", folder], capture_output=True, text=True, check=False, timeout=120
        )
    assert up.returncode == 0, up.stderr
    name, _, value = up.stdout.strip().removeprefix("export ").partition("=")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(name, value)
        yield folder
    subprocess.run([LOCAL_CLUSTER, "down", folder], check=True, timeout=120)
    assert not folder.exists()
