"""A Finnis–Sinclair potential from its published constants, tabulated for LAMMPS."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_masses, atomic_numbers

from kernels.evaluations import Floats, PotentialError
from kernels.lammps_system import LammpsReference

# Densities are tabulated to this many times the one of the crystal that the constants describe: no core comes near.
DENSITY_MARGIN = 4.0
FEWEST_POINTS = 100


@dataclass(frozen=True)
class FinnisSinclair:
    """E = ½ Σ V(r) − A Σ √ρ, ρ = Σ φ(r), with V = (r − c)² (c0 + c1 r + c2 r²) and φ = (r − d)².

    Attributes
    ----------
    A : float
        eV/Å.
    d, c : float
        Ranges of φ and of V, Å.
    c0, c1, c2 : float
        eV/Å², eV/Å³ and eV/Å⁴.

    Notes
    -----
    M. W. Finnis, J. E. Sinclair, Philos. Mag. A 50, 45 (1984); erratum 53, 161 (1986).

    Examples
    --------
    >>> tungsten = FinnisSinclair(A=1.896373, d=4.400224, c=3.25, c0=47.1346499, c1=-33.7665655, c2=6.2541999)
    >>> tungsten.pair(np.array([2.74, 3.5])).round(4).tolist()
    [0.4079, 0.0]
    """

    A: float
    d: float
    c: float
    c0: float
    c1: float
    c2: float

    def __post_init__(self) -> None:
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        if not all(isinstance(value, float) and np.isfinite(value) for value in values.values()):
            raise PotentialError(f"Finnis–Sinclair constants {values}: all must be finite numbers")
        if not (self.A > 0.0 and self.d > 0.0 and self.c > 0.0):
            raise PotentialError(f"Finnis–Sinclair constants {values}: A, d and c must be positive")

    @property
    def cutoff(self) -> float:
        """The longer of the two ranges, Å."""
        return max(self.c, self.d)

    def pair(self, distance: Floats) -> Floats:
        """Evaluate V at distances in Å, eV."""
        r = np.asarray(distance, dtype=float)
        return np.where(r < self.c, (r - self.c) ** 2 * (self.c0 + self.c1 * r + self.c2 * r**2), 0.0)

    def density(self, distance: Floats) -> Floats:
        """Evaluate φ at distances in Å, Å²."""
        r = np.asarray(distance, dtype=float)
        return np.where(r < self.d, (r - self.d) ** 2, 0.0)

    def embedding(self, density: Floats) -> Floats:
        """Evaluate −A √ρ, eV."""
        return np.asarray(-self.A * np.sqrt(density), dtype=float)

    def table(self, element: str, points: int) -> str:
        """Tabulate it in the format of LAMMPS's ``eam/fs``.

        Parameters
        ----------
        element : str
            Chemical symbol.
        points : int
            Of distance, from 0 to the cutoff, and of density, from 0 to `DENSITY_MARGIN` times that of 14
            neighbours half a cutoff away.

        Raises
        ------
        PotentialError
            If there are too few points.
        """
        if points < FEWEST_POINTS:
            raise PotentialError(
                f"Finnis–Sinclair table of {points} points; give at least {FEWEST_POINTS}, or forces are coarse"
            )
        number = atomic_numbers[element]
        distances = np.linspace(0.0, self.cutoff, points)
        densities = np.linspace(
            0.0, DENSITY_MARGIN * 14 * float(self.density(np.array(self.cutoff / 2))), points
        )
        # LAMMPS interpolates r V(r), and reads on where the columns end
        columns = np.concatenate(
            [self.embedding(densities), self.density(distances), distances * self.pair(distances)]
        )
        header = [
            f"# Finnis-Sinclair {element}",
            "# M. W. Finnis, J. E. Sinclair, Philos. Mag. A 50, 45 (1984)",
            "# tabulated from its constants",
            f"1 {element}",
            f"{points} {float(densities[1])!r} {points} {float(distances[1])!r} {self.cutoff!r}",
            f"{number} {float(atomic_masses[number])!r} 0.0 bcc",
        ]
        return "\n".join([*header, *map(repr, columns.tolist())]) + "\n"


class TabulatedReference(LammpsReference):
    """A Finnis–Sinclair potential under LAMMPS: its table lies in a private folder as long as it is open.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        Atoms are shared over its ranks.
    element : str
        Chemical symbol.
    potential : FinnisSinclair
        The constants.
    points : int
        See `FinnisSinclair.table`.
    """

    def __init__(self, comm: Any, element: str, potential: FinnisSinclair, points: int) -> None:
        table = potential.table(element, points)
        self._folder = Path(comm.bcast(tempfile.mkdtemp(prefix="table-") if comm.rank == 0 else None))
        self._owner = comm.rank == 0
        if self._owner:
            (self._folder / "table.eam.fs").write_text(table)
        comm.Barrier()
        self._known_cutoff = potential.cutoff
        super().__init__(comm, element, "eam/fs", (f'* * "{self._folder}/table.eam.fs" {element}',))

    def _measured_cutoff(self) -> float:
        # known, and reading the table is most of what opening costs
        return self._known_cutoff

    def close(self) -> None:
        """Free the instance and remove the table; closing twice is allowed."""
        super().close()
        if self._owner:
            shutil.rmtree(self._folder, ignore_errors=True)
