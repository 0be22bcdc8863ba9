"""From a reference potential to fits of a screw dislocation, by the kernels alone, kept in a folder between runs."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from kernels.assembly import factors
from kernels.elasticity import elastic_rows
from kernels.equilibrium import comparison_equilibrium, polish_equilibrium, rough_equilibrium
from kernels.fitting import fit_block
from kernels.hessian import hessian_columns
from kernels.materials import bulk_properties
from kernels.response import response_map
from kernels.training import bulk_set, core_set

COMM = MPI.COMM_SELF
DISLOCATION, STRUCTURE, ORDER, CUTOFF = "screw", "bcc", 3, 5.0
# A study's defaults, and enough configurations for 223 functions.
PERTURBATION, STRAIN, CELLS, REGULARISATION = 0.02, 0.01, [2, 2, 2], 1e-6
DOMAIN_RADIUS, HELD_OUT = 10.0, 4
TIME_ENTRY = "seconds"


class Chain:
    """Artefacts of one reference potential.

    Parameters
    ----------
    folder : Path
        Where they are kept; what is there is not made again.
    potential : mapping
        See `kernels.references.open_reference`.
    """

    def __init__(self, folder: Path, potential: Mapping[str, Any]) -> None:
        self.potential = dict(potential)
        # the kernels' own code is no part of the name: begin a new folder where it changed
        key = hashlib.sha256(json.dumps(self.potential, sort_keys=True).encode()).hexdigest()[:8]
        self.folder = folder / f"{potential['element']}-{key}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.material: dict[str, Any] = self._material()

    def _material(self) -> dict[str, Any]:
        path = self.folder / "material.json"
        if not path.exists():
            path.write_text(json.dumps(bulk_properties(COMM, self.potential, STRUCTURE)))
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def stored(self, name: str, make: Callable[[], Mapping[str, Any]]) -> str:
        """Give the path of an artefact, made now if it is not there."""
        path = self.folder / f"{name}.npz"
        if not path.exists():
            started = time.perf_counter()
            made = dict(make())
            np.savez(path, **made, **{f"__{TIME_ENTRY}__": time.perf_counter() - started})
        return str(path)

    def seconds(self, path: str) -> float:
        """Say what making an artefact took, when it was made."""
        with np.load(path) as file:
            return float(file[f"__{TIME_ENTRY}__"])

    def rough(self, radius: float) -> str:
        """Give the reference equilibrium before its Hessian is taken."""
        where = (self.potential, self.material, DISLOCATION, radius)
        return self.stored(f"rough-{radius:g}", lambda: rough_equilibrium(COMM, *where, cutoff=CUTOFF))

    def hessian(self, radius: float) -> str:
        """Give the columns of the reference Hessian, all of them."""
        rough = self.rough(radius)
        return self.stored(
            f"hessian-{radius:g}", lambda: hessian_columns(COMM, self.potential, rough, 0, 1) or {}
        )

    def equilibrium(self, radius: float) -> str:
        """Give the reference equilibrium with its Hessian."""
        return self.stored(
            f"equilibrium-{radius:g}",
            lambda: polish_equilibrium(
                COMM, self.potential, self.material, self.rough(radius), [self.hessian(radius)]
            ),
        )

    def wide_equilibrium(self, radius: float, start_radius: float) -> str:
        """Give a reference equilibrium without a Hessian, begun from a narrower one extended by zero."""
        start = self.equilibrium(start_radius)
        where = (self.potential, self.material, DISLOCATION, radius)
        return self.stored(
            f"wide-{radius:g}", lambda: comparison_equilibrium(COMM, *where, cutoff=CUTOFF, start_path=start)
        )

    def basis(self, degree: int) -> dict[str, Any]:
        """Name the ACE basis."""
        return {"element": self.material["element"], "order": ORDER, "degree": degree, "cutoff": CUTOFF}

    def fits(self, degree: int, radius: float, count: int, weightings: Sequence[Sequence[float]]) -> str:
        """Give the fits of all weightings to `count` clusters cut from the equilibrium of a radius, and to cells."""
        named = hashlib.sha256(json.dumps([list(each) for each in weightings]).encode()).hexdigest()[:6]
        basis = self.basis(degree)
        return self.stored(
            f"fits-{degree}-{radius:g}-{count}-{named}",
            lambda: fit_block(
                COMM,
                basis=basis,
                material=self.material,
                dislocation=DISLOCATION,
                factors=self._factors(degree, radius, 0, count),
                held_out=self._factors(degree, radius, 1, HELD_OUT),
                elastic=self.stored(f"elastic-{degree}", lambda: self._elastic(degree)),
                weightings=[list(each) for each in weightings],
                regularisation=REGULARISATION,
            ),
        )

    def _elastic(self, degree: int) -> dict[str, Any]:
        return elastic_rows(COMM, basis=self.basis(degree), material=self.material, structure=STRUCTURE)

    def _factors(self, degree: int, radius: float, stream: int, count: int) -> str:
        shared = {"first": 0, "last": count, "perturbation": PERTURBATION}
        core = self.stored(
            f"core-{radius:g}-{stream}-{count}",
            lambda: (
                core_set(
                    COMM,
                    self.potential,
                    self.material,
                    self.equilibrium(radius),
                    domain_radius=DOMAIN_RADIUS,
                    cutoff=CUTOFF,
                    seed=[0, stream, 0],
                    **shared,
                )
                or {}
            ),
        )
        bulk = self.stored(
            f"bulk-{stream}-{count}",
            lambda: (
                bulk_set(
                    COMM,
                    self.potential,
                    self.material,
                    cells=CELLS,
                    strain=STRAIN,
                    seed=[0, stream, 1],
                    **shared,
                )
                or {}
            ),
        )
        return self.stored(
            f"factors-{degree}-{radius:g}-{stream}-{count}",
            lambda: factors(COMM, basis=self.basis(degree), core=core, bulk=bulk),
        )

    def response(self, degree: int, radius: float) -> str:
        """Give the linear response of an equilibrium to the potentials of one basis."""
        return self.stored(
            f"response-{degree}-{radius:g}",
            lambda: response_map(COMM, basis=self.basis(degree), equilibrium=self.equilibrium(radius)),
        )
