"""The command that starts a gang's ranks, the environment it runs in, and which `kernels` they will find."""

from __future__ import annotations

import os
import shutil
import site
import sys
from collections.abc import Iterable, Mapping
from importlib.machinery import PathFinder
from pathlib import Path

from sweep.gang.errors import LaunchError
from sweep.gang.launchers import MPIEXEC, launcher_command
from sweep.gang.options import GangOptions

RANK_MODULE = "kernels.rank"
OUR_KERNELS = Path(__file__).resolve().parents[2] / "kernels"
"""The `kernels` package installed with this one; other projects use the name too."""
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR")}


def command(options: GangOptions) -> tuple[str, ...]:
    """Return the command that starts the ranks, but for the address at its end."""
    return (*_launcher(options), sys.executable, "-P", "-m", RANK_MODULE)


def check_resolved(kernels: Path) -> None:
    """Raise LaunchError unless `kernels` is the folder of our package of that name."""
    if kernels != OUR_KERNELS:
        raise LaunchError(
            f"the ranks' package 'kernels' is {kernels}, not Farfield's, {OUR_KERNELS}: another project uses "
            "the name. Remove it from PYTHONPATH or uninstall it."
        )


def check_kernels(options: GangOptions) -> None:
    """Raise LaunchError if the ranks would find another project's package `kernels` before ours."""
    if not (OUR_KERNELS / "rank.py").is_file():
        raise LaunchError(f"{OUR_KERNELS} is not Farfield's package 'kernels': install farfield again")
    search = _search_path(_inherited(options), options.python_path)
    spec = PathFinder.find_spec("kernels", [*search, str(OUR_KERNELS.parent)])
    if spec is not None and spec.origin is not None:
        check_resolved(Path(spec.origin).resolve().parent)


def _launcher(options: GangOptions) -> tuple[str, ...]:
    """Return the launcher's command with its program found."""
    words = launcher_command(MPIEXEC, options.ranks) if options.launcher is None else options.launcher
    if not words:
        return ()
    program, *arguments = words
    beside = Path(sys.executable).with_name(MPIEXEC)
    # the environment's own mpiexec comes before a loaded module's: it fits the environment's MPI library
    found = str(beside) if program == MPIEXEC and os.access(beside, os.X_OK) else shutil.which(program)
    if found is None and program == MPIEXEC:
        raise LaunchError(
            f"there is no mpiexec beside {sys.executable} or on PATH: install one (pip install mpich)"
        )
    if found is None:
        raise LaunchError(f"the launcher {program!r} is not a program on PATH: install it, or name another")
    return (found, *arguments)


def _inherited(options: GangOptions) -> dict[str, str]:
    return {**os.environ, **ONE_THREAD, **options.environment}


def environment(options: GangOptions) -> dict[str, str]:
    """Return the environment of the launcher and the ranks, but for what one launch alone knows."""
    inherited = _inherited(options)
    search = _search_path(inherited, options.python_path)
    root = str(OUR_KERNELS.parent)
    if root not in {*site.getsitepackages(), site.getusersitepackages()}:
        # Run from a checkout. Last, so that it shadows nothing; installed, it is found without being named.
        search.append(root)
    return inherited | {"PYTHONPATH": os.pathsep.join(search)} if search else inherited


def _search_path(variables: Mapping[str, str], first: Iterable[str]) -> list[str]:
    return [*first, *filter(None, variables.get("PYTHONPATH", "").split(os.pathsep))]
