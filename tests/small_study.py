"""A small study of iron, every part of it real, and the `sweep` command run on it."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import xarray as xr

from sweep.journal import JournalReader
from sweep.truncations import TruncationRecord

STUDY = """\
study: small-iron
material: {element: Fe, structure: bcc}
reference: {lammps: {pair_style: eam/fs, pair_coeff: ["* * Fe_mm.eam.fs Fe"]}}
dislocations: [screw]
basis: {order: 2, cutoff: 4.5}
training: {bulk: {cells: [2, 2, 2], strain: 0.01, perturbation: 0.05}, core: {perturbation: 0.05}}
simulation: {max_evaluations: 40, comparison_radius: 36.0}
axes:
  simulation_radius: [12.0]
  degree: [8]
  domain_radius: [5.0, 7.0]
  n_train: [2, 4]
  replica: 1
  weight_energy: [0.0, 1.0]
  weight_forces: [0.0, 1.0]
  weight_virial: [0.0, 1.0]
"""
POINTS, EXCLUDED, BLOCKS, CYLINDERS = 32, 4, 4, 1
SMALLER = (
    STUDY.replace("weight_energy: [0.0, 1.0]", "weight_energy: [1.0]")
    .replace("weight_forces: [0.0, 1.0]", "weight_forces: [1.0]")
    .replace("domain_radius: [5.0, 7.0]", "domain_radius: [7.0]")
    .replace("n_train: [2, 4]", "n_train: [4]")
    .replace("degree: [8]", "degree: [6]")
)
UNEQUAL = {"wall_time"}
SWEEP = [sys.executable, "-m", "sweep.cli"]


def write_study(folder: Path) -> Path:
    path = folder / "small-iron.yaml"
    path.write_text(STUDY)
    return path


def command(study: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*SWEEP, "run", str(study), *options],
        cwd=study.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "FARFIELD_TEST": str(study.parent),
        },
    )


def run(study: Path, *options: str) -> tuple[int, str, str]:
    process = command(study, *options)
    output, errors = process.communicate(timeout=280)
    return process.returncode, output, errors


def assert_same_numbers(one: xr.Dataset, two: xr.Dataset) -> None:
    """Compare stores made with other numbers of ranks: they add in another order."""
    for name in set(one.data_vars) - UNEQUAL - {"residual_force", "condition"}:
        values = [store[name].values.astype(float) for store in (one, two)]
        # the stiffness comes of differences of forces, and of an iteration that ends once its sign is sure
        accuracy = 1e-4 if name == "relative_stiffness" else 1e-8
        np.testing.assert_allclose(*values, rtol=accuracy, atol=accuracy, err_msg=str(name))


def recorded(store: Path) -> Counter[tuple[str, int | None]]:
    """How often each cylinder, block and point stands in the journals."""
    records = JournalReader(store.with_name(store.name + ".run") / "journals").refresh()
    return Counter(
        (record.cylinder.key, None)
        if isinstance(record, TruncationRecord)
        else (record.block.key, record.weighting_index)
        for record in records
    )


def processes_of(folder: Path) -> list[int]:
    """Processes that a command in this folder started, and theirs."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in environment:
                found.append(int(entry.name))
    return found
